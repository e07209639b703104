//go:build unix

package launcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
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
	held, err := l.create(waiting, c, plan, box, who)
	if err != nil {
		return cause(c, err)
	}
	if err := l.release(waiting, c, held); err != nil {
		held.close()
		return errors.Join(cause(c, err), held.abandon())
	}
	return nil
}

// create makes the container's first process, held before the command. All isolators have answered Prepare, so it is
// known which of them launches, if one does.
func (l *Launcher) create(ctx context.Context, c *container, plan *merged, box *sandboxFiles, who *fetcher.Owner) (held, error) {
	r, err := l.chosen()
	if err != nil {
		return nil, err
	}
	c.use(r)
	return r.create(ctx, c, plan, box, who)
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

// release lets the command go, once all is written down, isolated and set up.
func (l *Launcher) release(ctx context.Context, c *container, h held) error {
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
	l.emit(containerizer.Started{ID: c.id, Pid: c.process.number()})
	return nil
}

func (l *Launcher) log(c *container) *slog.Logger {
	return l.config.Logger.With("container", c.id)
}
