package opa

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long the folder must have been still before it is read: editors and copies change several
	// files in a row.
	settle = 100 * time.Millisecond
	// sweep is how often the folder is read without having been told of a change, for file systems that tell
	// of none.
	sweep = 30 * time.Second
)

// watcher tells when something below a path may have changed.
type watcher struct {
	fs     *fsnotify.Watcher
	root   string
	isFile bool // the root, and no folder
}

func newWatcher(root string) (*watcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch policies: %w", err)
	}
	out := &watcher{fs: w, root: root}
	out.addFolders()
	return out, nil
}

// addFolders watches every folder below the root, through links, and the one that the root is in where it is a file, a
// link, which is replaced by another, or not there. What cannot be watched is found by the sweep.
func (w *watcher) addFolders() {
	info, err := os.Stat(w.root)
	w.isFile = err == nil && !info.IsDir()
	if info, err := os.Lstat(w.root); err != nil || !info.IsDir() {
		_ = w.fs.Add(filepath.Dir(w.root))
	}
	_ = find(w.root, func(path string, info fs.FileInfo) error {
		if info.IsDir() {
			w.addFolder(path)
		}
		return nil
	})
}

// concerns tells whether something happened to the policies: of the folder that the root is in, no other member does,
// save that a file may be a link into another one.
func (w *watcher) concerns(e fsnotify.Event) bool {
	return w.isFile || e.Name == w.root || filepath.Dir(e.Name) != filepath.Dir(w.root)
}

// addFolder watches what a path leads to: another folder than before, where a link has been replaced.
func (w *watcher) addFolder(path string) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		_ = w.fs.Add(real)
	}
}

// run calls changed after every change, once the folder has settled, until ctx ends.
func (w *watcher) run(ctx context.Context, changed func(context.Context)) {
	ticker := time.NewTicker(sweep)
	defer ticker.Stop()
	settled := time.NewTimer(0)
	<-settled.C
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-w.fs.Events:
			if w.concerns(e) {
				settled.Reset(settle)
			}
		case _, watching := <-w.fs.Errors: // events were lost
			if !watching {
				return
			}
			settled.Reset(settle)
		case <-ticker.C:
			w.addFolders()
			changed(ctx)
		case <-settled.C:
			w.addFolders()
			changed(ctx)
		}
	}
}

func (w *watcher) close() { _ = w.fs.Close() }
