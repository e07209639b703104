//go:build unix

package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
	"github.com/mezzo-cluster/mezzo/host/fetcher"
)

// initRuntime makes containers of processes of this machine, under mezzo-init.
type initRuntime struct{ *Launcher }

// create starts mezzo-init, which does everything up to the command, and holds it there.
func (l *initRuntime) create(_ context.Context, c *container, plan *merged, box *sandboxFiles, who *fetcher.Owner) (held, error) {
	status, err := makeStatus(c.file)
	if err != nil {
		return nil, err
	}
	defer status.Close() //nolint:errcheck // nothing is written through it here
	start, err := plan.initPlan(l.config, c.spec, who)
	if err != nil {
		return nil, err
	}
	p, socket, err := spawnInit(&initProcess{
		path:    l.config.InitPath,
		name:    l.config.Instance + "/" + c.id,
		files:   [5]*os.File{l.null, box.stdout, box.stderr, nil, status},
		flags:   plan.cloneFlags(l.config.Namespaces),
		cgroup:  plan.unified,
		message: initproto.AppendPlan(nil, start),
	})
	if err != nil {
		return nil, fmt.Errorf("start mezzo-init: %w", err)
	}
	c.adopt(p, p.pid, p.start)
	return &heldInit{runtime: l, c: c, socket: socket}, nil
}

// abandon kills a mezzo-init whose command is not to start.
func (h *heldInit) abandon() error {
	l, c := h.runtime, h.c
	if l.ctx.Err() != nil {
		return nil // it ends by itself, its socket being closed
	}
	_ = c.destroy()
	err := c.process.wait(l.ctx)
	c.end()
	if err != nil {
		return fmt.Errorf("end mezzo-init: %w", err)
	}
	return nil
}

func (l *initRuntime) find(c *container) error {
	if c.record.Pid == 0 || c.record.Boot != l.boot {
		return nil
	}
	p, err := findProcess(c.record.Pid, c.record.Start, c.file)
	if p != nil {
		c.process = p
	}
	return err
}

// settled looks at the status file. A mezzo-init that the agent left while it was held is about to end, or to find that
// it was let go at the last moment. One whose status file somebody removed, and that does not end, was let go.
func (l *initRuntime) settled(ctx context.Context, c *container) bool {
	ctx, stop := context.WithTimeout(ctx, settlePatience)
	defer stop()
	own, _ := c.process.(*osProcess)
	for begun := time.Now(); ; {
		status, exists := readStatus(c.file)
		if own == nil || status.Released || own.ended() {
			return status.Released
		}
		if !exists && time.Since(begun) > settlePatience/10 {
			l.log(c).Warn("the status file is gone: how the container ends will not be known", "file", c.file)
			return true
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return status.Released
		}
	}
}

// settlePatience is how long it may take a mezzo-init to see that the agent is gone. One that takes longer (it is
// stopped, or the machine is) is killed.
const settlePatience = 5 * time.Second

// killedStatus is the raw wait status of a process that SIGKILL ended.
const killedStatus = int(syscall.SIGKILL)

func (l *initRuntime) exit(c *container) containerizer.Exited {
	s, _ := readStatus(c.file)
	if !s.Exited && s.Pid > 0 && !l.config.Namespaces {
		killGroup(s.Pid) // mezzo-init was killed, and could not do it
	}
	switch {
	case s.Exited:
		return containerizer.Exited{ID: c.id, WaitStatus: s.WaitStatus, Known: true}
	case c.wasDestroyed():
		// Should another agent ask, this is the status.
		if err := appendExit(c.file, uint32(killedStatus)); err != nil {
			l.log(c).Warn("status of a destroyed container was not kept", "error", err)
		}
		return containerizer.Exited{ID: c.id, WaitStatus: killedStatus, Known: true}
	default:
		return containerizer.Exited{ID: c.id}
	}
}

func (l *initRuntime) forget(c *container) error { return removeStatus(c.file) }

// statusFile is the file that a container's mezzo-init leaves the exit status in.
func (l *Launcher) statusFile(id string) string { return filepath.Join(l.folder, id) }

// makeStatus makes a status file that has room for all that mezzo-init has to say, in the runtime folder, which somebody
// may have removed: it need not outlive a reboot, and is where such things are cleaned up.
func makeStatus(name string) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL | os.O_APPEND
	f, err := os.OpenFile(name, flags, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return nil, fmt.Errorf("make the runtime folder: %w", err)
		}
		f, err = os.OpenFile(name, flags, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("make the status file: %w", err)
	}
	if err := reserve(f, initproto.StatusLen); err != nil {
		return nil, fmt.Errorf("make the status file %s: %w", name, errors.Join(err, f.Close(), os.Remove(name)))
	}
	return f, nil
}

func removeStatus(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the status file: %w", err)
	}
	return nil
}

// readStatus reads what mezzo-init left behind, and tells whether there is such a file.
func readStatus(name string) (s initproto.Status, exists bool) {
	b, err := os.ReadFile(name)
	if err != nil {
		return initproto.Status{}, !errors.Is(err, os.ErrNotExist)
	}
	return initproto.ParseStatus(b), true
}

// appendExit records an end that mezzo-init could not.
func appendExit(name string, status uint32) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	// mezzo-init may have been killed before it could say that the command was let go.
	records := initproto.AppendRecord(nil, initproto.Released, 0)
	_, err = f.Write(initproto.AppendRecord(records, initproto.Exited, status))
	return errors.Join(err, f.Close())
}
