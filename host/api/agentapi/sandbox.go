package agentapi

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// sandbox is the directory of a container, and whose it is.
type sandbox struct {
	executor  *agent.Executor
	framework *agent.Framework
}

// virtual are the paths by which a sandbox can be named besides its directory's.
func (s sandbox) virtual() []string {
	runs := "/frameworks/" + s.executor.Framework + "/executors/" + s.executor.ID + "/runs/"
	return []string{runs + "latest", runs + s.executor.Container}
}

// sandboxes yields the sandboxes of all executors, of one with several runs the latest first.
func sandboxes(s *agent.State) iter.Seq[sandbox] {
	return func(yield func(sandbox) bool) {
		of := func(f *agent.Framework) bool {
			for x := range f.Executors() {
				if !yield(sandbox{x, f}) {
					return false
				}
			}
			for i := len(f.Completed) - 1; i >= 0; i-- {
				if !yield(sandbox{f.Completed[i], f}) {
					return false
				}
			}
			return true
		}
		for f := range s.Frameworks() {
			if !of(f) {
				return
			}
		}
		completed := s.CompletedFrameworks()
		for i := len(completed) - 1; i >= 0; i-- {
			if !of(completed[i]) {
				return
			}
		}
	}
}

// errNoFile says that a path leads to nothing that could be read. It is also said of what is outside of all sandboxes.
var errNoFile = errors.New("no such file")

// find returns the sandbox that a path leads into, and the rest of the path.
func find(s *agent.State, p string) (box sandbox, rest string, err error) {
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	if p != path.Clean(p) && p != path.Clean(p)+"/" {
		return sandbox{}, "", errNoFile
	}
	p = path.Clean(p)
	for box := range sandboxes(s) {
		for _, prefix := range append(box.virtual(), box.executor.Directory) {
			if p == prefix {
				return box, ".", nil
			}
			if rest, ok := strings.CutPrefix(p, prefix+"/"); ok {
				return box, rest, nil
			}
		}
	}
	return sandbox{}, "", errNoFile
}

// open opens the file that a path leads to, if the caller may read the sandbox. Links in it cannot lead out of it.
// The caller closes the file.
func (e *Endpoints) open(ctx context.Context, who access.Principal, p string) (*os.File, fs.FileInfo, error) {
	s, err := e.present()
	if err != nil {
		return nil, nil, err
	}
	box, rest, err := find(s, p)
	if err != nil {
		return nil, nil, err
	}
	if err := e.mayRead(ctx, who, s, box); err != nil {
		return nil, nil, err
	}
	root, err := os.OpenRoot(box.executor.Directory)
	if err != nil {
		return nil, nil, errNoFile
	}
	defer func() { _ = root.Close() }()
	return openRegular(root, rest)
}

// openRegular opens a file or a directory beneath a root, and nothing else: opening a pipe would wait for a writer.
func openRegular(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, errNoFile
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() && !info.IsDir() {
		_ = f.Close()
		return nil, nil, errNoFile
	}
	return f, info, nil
}

func (e *Endpoints) mayRead(ctx context.Context, who access.Principal, s *agent.State, box sandbox) error {
	if !e.Control.Enabled() {
		return nil
	}
	info, err := box.framework.Message()
	if err != nil {
		return err
	}
	view, err := e.Control.View(ctx, who, authorizer.AccessSandbox)
	if err != nil {
		return err
	}
	if !view.Allows(ctx, executorObject(s, frameworkObject(info), box.executor)) {
		if view.Err() != nil {
			return view.Err()
		}
		return &access.DeniedError{Principal: who, Action: authorizer.AccessSandbox}
	}
	return nil
}
