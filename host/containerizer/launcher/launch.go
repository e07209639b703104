//go:build unix

package launcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
	"github.com/mezzo-cluster/mezzo/host/fetcher"
)

// fetchError is the error of a launch that ended with fetching.
type fetchError struct{ err error }

// Error is the message that Mesos has, with the reason.
func (e *fetchError) Error() string { return e.err.Error() }

// Unwrap is the reason.
func (e *fetchError) Unwrap() error { return e.err }

func reasonOf(err error) containerizer.Reason {
	var fetch *fetchError
	switch {
	case errors.Is(err, errDestroyed):
		return containerizer.Destroyed
	case errors.As(err, &fetch):
		return containerizer.FetchFailed
	default:
		return containerizer.LaunchFailed
	}
}

// launch brings a container to where its command runs. What it leaves behind when it fails, but for processes, is for
// cleanUp and finish to remove.
func (l *Launcher) launch(c *container) error {
	// The intent is written down before anything exists that would have to be found again.
	if err := l.save(c); err != nil {
		return err
	}
	who, err := l.resolve(c.spec.User)
	if err != nil {
		return err
	}
	box, err := openSandbox(c.spec.Sandbox, who)
	if err != nil {
		return err
	}
	defer box.close()
	if err := l.fetch(c, box, who); err != nil {
		return err
	}
	waiting, stop := context.WithTimeoutCause(c.ctx, l.config.LaunchTimeout,
		fmt.Errorf("not within the launch timeout of %v", l.config.LaunchTimeout))
	defer stop()
	plan, err := l.prepare(waiting, c)
	if err != nil {
		return cause(c, err)
	}
	held, err := l.start(c, plan, box, who)
	if err != nil {
		return cause(c, err)
	}
	if err := l.release(waiting, c, held); err != nil {
		held.close()
		return errors.Join(cause(c, err), l.abandon(c))
	}
	return nil
}

// cause is the reason why a container's launch was ended from outside, if it was, and else err.
func cause(c *container, err error) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return err
}

// fetch brings the URIs into the sandbox; how it goes is in the sandbox's stderr.
func (l *Launcher) fetch(c *container, box *sandboxFiles, who *fetcher.Owner) error {
	if len(c.spec.URIs) > 0 {
		c.wait("URIs, to be fetched")
	}
	err := l.config.Fetcher.Fetch(c.ctx, fetcher.Request{
		URIs: c.spec.URIs, Sandbox: c.spec.Sandbox, Owner: who, Log: box.stderr,
	})
	switch {
	case err == nil:
		return nil
	case c.ctx.Err() != nil:
		return context.Cause(c.ctx)
	default:
		return &fetchError{fmt.Errorf("Failed to fetch all URIs for container '%s': %w", c.id, err)} //nolint:staticcheck // Mesos's message
	}
}

// start starts mezzo-init, which does everything up to the command, and holds it there.
func (l *Launcher) start(c *container, plan *merged, box *sandboxFiles, who *fetcher.Owner) (*held, error) {
	status, err := makeStatus(c.file)
	if err != nil {
		return nil, err
	}
	defer status.Close() //nolint:errcheck // nothing is written through it here
	start, err := plan.initPlan(l.config, c.spec, who)
	if err != nil {
		return nil, err
	}
	p, h, err := spawnInit(&initProcess{
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
	c.adopt(p)
	return h, nil
}

// release lets the command go, once all is written down, isolated and set up.
func (l *Launcher) release(ctx context.Context, c *container, h *held) error {
	defer h.close()
	if err := l.save(c); err != nil {
		return err
	}
	if err := l.isolate(ctx, c); err != nil {
		return err
	}
	l.watch(c)
	if err := h.ready(ctx); err != nil {
		return err
	}
	if err := context.Cause(c.ctx); err != nil {
		return err
	}
	if err := h.release(ctx); err != nil {
		return err
	}
	c.begin()
	l.emit(containerizer.Started{ID: c.id, Pid: c.process.pid})
	return nil
}

// abandon kills a mezzo-init whose command is not to start.
func (l *Launcher) abandon(c *container) error {
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

// statusFile is the file that a container's mezzo-init leaves the exit status in.
func (l *Launcher) statusFile(id string) string { return filepath.Join(l.folder, id) }

func makeStatus(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the status file: %w", err)
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

// killedStatus is the raw wait status of a process that SIGKILL ended.
const killedStatus = 9

// exitOf tells how a container ended, nothing of it running any more.
func (l *Launcher) exitOf(c *container) containerizer.Exited {
	s, _ := readStatus(c.file)
	if !s.Exited && s.Pid > 0 && !l.config.Namespaces {
		killGroup(s.Pid) // mezzo-init was killed, and could not do it
	}
	switch {
	case s.Exited:
		return containerizer.Exited{ID: c.id, WaitStatus: s.WaitStatus, Known: true}
	case c.wasDestroyed():
		// Should another agent ask, this is the status.
		if err := appendExit(c.file, killedStatus); err != nil {
			l.log(c).Warn("status of a destroyed container was not kept", "error", err)
		}
		return containerizer.Exited{ID: c.id, WaitStatus: killedStatus, Known: true}
	default:
		return containerizer.Exited{ID: c.id}
	}
}

func (l *Launcher) log(c *container) *slog.Logger {
	return l.config.Logger.With("container", c.id)
}
