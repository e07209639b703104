//go:build linux

package leak

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// Family is this process with all that descends from it. Processes whose parents end become its children and not
// those of the machine's init, so that none escapes from the count, and are reaped when they end, as init would.
// Its methods are safe for concurrent use.
type Family struct {
	// mu is held while a child is started, or the reaper could mistake one that ends at once for an orphan.
	mu       sync.Mutex
	children map[int]bool
}

// Adopt makes this process the one that orphans among its descendants come to. From then on it must start processes
// through the family alone. A process has one family, which every call returns: two would reap each other's children.
var Adopt = sync.OnceValues(adopt)

func adopt() (*Family, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the parent of orphans: %w", err)
	}
	f := &Family{children: map[int]bool{}}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	go func() {
		for range ended {
			f.reap()
		}
	}()
	return f, nil
}

// Start starts a command as cmd.Start does. It is waited for by Wait.
func (f *Family) Start(cmd *exec.Cmd) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	f.children[cmd.Process.Pid] = true
	return nil
}

// Wait waits for a command as cmd.Wait does.
func (f *Family) Wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.children, cmd.Process.Pid)
	return err
}

// reap collects orphans that have ended.
func (f *Family) reap() {
	f.mu.Lock()
	defer f.mu.Unlock()
	descendants, err := Descendants(os.Getpid())
	if err != nil {
		return
	}
	for _, p := range descendants {
		if p.Parent == os.Getpid() && p.State == 'Z' && !f.children[p.PID] {
			_, _ = unix.Wait4(p.PID, nil, unix.WNOHANG, nil)
		}
	}
}
