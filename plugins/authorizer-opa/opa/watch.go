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
	fs   *fsnotify.Watcher
	root string
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

// addFolders watches every folder below the root, or the one a single file is in. What cannot be watched is found
// by the sweep.
func (w *watcher) addFolders() {
	root := w.root
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		root = filepath.Dir(root)
	}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = w.fs.Add(path)
		}
		return nil
	})
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
		case <-w.fs.Events:
			settled.Reset(settle)
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
