//go:build unix

package launcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// isolatorState is an isolator, and whether it knows our containers: until it has been told of them, by Recover,
// nothing else is asked of it. One whose plugin is started again is told by its own facade.
type isolatorState struct {
	containerizer.IsolatorInstance

	ready chan struct{} // closed once it is recovered
}

func newIsolatorState(i containerizer.IsolatorInstance) *isolatorState {
	return &isolatorState{IsolatorInstance: i, ready: make(chan struct{})}
}

// The waits between tries of a call that may pass.
const (
	firstBackoff = 10 * time.Millisecond
	lastBackoff  = time.Second
)

// call calls an isolator, and again while its error says that trying again can help, until ctx ends.
func (i *isolatorState) call(ctx context.Context, f func(context.Context) error) error {
	var last error
	for backoff := firstBackoff; ; backoff = min(2*backoff, lastBackoff) {
		select {
		case <-i.ready:
			if last = f(ctx); last == nil || sdk.CodeOf(last).Final() {
				return last
			}
		case <-ctx.Done():
		}
		select {
		case <-ctx.Done():
			return givenUp(ctx, last)
		case <-time.After(backoff):
		}
	}
}

// givenUp is the error of a call that was tried until ctx ended.
func givenUp(ctx context.Context, last error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errDestroyed) || errors.Is(cause, errClosed) {
		return cause
	}
	if last == nil || errors.Is(last, context.DeadlineExceeded) {
		return sdk.Errorf(sdk.Unavailable, "it is not available: %w", context.Cause(ctx))
	}
	return sdk.Errorf(sdk.Unavailable, "it is not available: %w", last)
}

// named puts the isolator's name before an error that does not have it.
func (i *isolatorState) named(err error) error {
	prefix := fmt.Sprintf("isolator %q: ", i.Name)
	if strings.HasPrefix(err.Error(), prefix) {
		return err
	}
	return fmt.Errorf("%s%w", prefix, err)
}

func unimplemented(err error) bool { return sdk.CodeOf(err) == sdk.Unimplemented }

// prepare calls every isolator's Prepare in order, and merges their plans. Handles are kept in the record.
func (l *Launcher) prepare(ctx context.Context, c *container) (*merged, error) {
	plan := newMerged()
	for _, i := range l.isolators {
		spec := isolatorSpec(c, c.forIsolator(l.config.Instance, i))
		var part isolator.Plan
		c.wait("isolator " + i.Name)
		err := i.call(ctx, func(ctx context.Context) (err error) {
			part, err = i.Isolator.Prepare(ctx, spec)
			return err
		})
		if err != nil {
			return nil, i.named(err)
		}
		c.mu.Lock()
		c.record.setHandle(i, part.Handle)
		c.mu.Unlock()
		if err := plan.add(i.Name, part); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

func isolatorSpec(c *container, as isolator.Container) isolator.Spec {
	s := &c.spec
	spec := isolator.Spec{
		Container:   as,
		Framework:   s.Framework,
		Executor:    s.Executor,
		Task:        s.Task,
		CommandTask: s.CommandTask,
		User:        s.User,
		Sandbox:     s.Sandbox,
		Resources:   s.Resources,
		Limits:      s.Limits,
		Labels:      s.Labels,
	}
	spec.Path, spec.Args = commandLine(s.Command)
	for _, v := range s.Command.Environment {
		spec.Env = append(spec.Env, v.Name+"="+v.Value)
	}
	return spec
}

// isolate calls every isolator's Isolate in order, mezzo-init being held.
func (l *Launcher) isolate(ctx context.Context, c *container) error {
	for _, i := range l.isolators {
		err := i.call(ctx, func(ctx context.Context) error {
			return i.Isolator.Isolate(ctx, c.forIsolator(l.config.Instance, i), c.process.number())
		})
		if err != nil && !unimplemented(err) {
			return i.named(err)
		}
	}
	return nil
}

// cleanUp calls every isolator's Cleanup in reverse order. All are called, whatever one of them says.
func (l *Launcher) cleanUp(c *container) error {
	var errs error
	for _, i := range slices.Backward(l.isolators) {
		if err := l.cleanUpOne(i, c.forIsolator(l.config.Instance, i)); err != nil {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

// cleanUpTries is how often a Cleanup is tried that says it cannot succeed: a process that is just being killed may
// keep it from that.
const cleanUpTries = 4

func (l *Launcher) cleanUpOne(i *isolatorState, c isolator.Container) error {
	var err error
	for try := range cleanUpTries {
		err = i.call(l.ctx, func(ctx context.Context) error { return i.Isolator.Cleanup(ctx, c) })
		if code := sdk.CodeOf(err); err == nil || code == sdk.NotFound || code == sdk.Unimplemented {
			return nil
		}
		select {
		case <-time.After(firstBackoff << (2 * try)):
		case <-l.ctx.Done():
			return err
		}
	}
	return fmt.Errorf("clean up: %w", i.named(err))
}

// watch listens to what every isolator has to say about a container's limits. The first limit that is reached ends
// the container.
func (l *Launcher) watch(c *container) {
	ctx, stop := context.WithCancel(l.ctx)
	c.mu.Lock()
	c.stopWatching = stop
	c.mu.Unlock()
	for _, i := range l.isolators {
		c.watchers.Go(func() { l.watchOne(ctx, i, c) })
	}
}

func (l *Launcher) watchOne(ctx context.Context, i *isolatorState, c *container) {
	err := i.call(ctx, func(ctx context.Context) error {
		return i.Isolator.Watch(ctx, c.forIsolator(l.config.Instance, i), func(reached isolator.Limitation) error {
			l.limited(c, limitation(i.Name, reached))
			return nil
		})
	})
	// Of one that has ended meanwhile there is nothing to watch any more.
	if err != nil && ctx.Err() == nil && !unimplemented(err) && !c.isOver() {
		l.log(c).Warn("limits of the container are not watched", "isolator", i.Name, "error", err)
	}
}

// limited tells of a limit that was reached, and destroys the container.
func (l *Launcher) limited(c *container, reached containerizer.Limitation) {
	c.mu.Lock()
	told := c.told
	c.mu.Unlock()
	if told {
		l.log(c).Warn("a limit was reached, known after the container's end", "limitation", reached.Message)
		return
	}
	l.emit(containerizer.Limited{ID: c.id, Limitation: reached})
	_ = c.destroy()
}

// limitation is an isolator's limitation in the agent's terms.
func limitation(name string, l isolator.Limitation) containerizer.Limitation {
	out := containerizer.Limitation{Isolator: name, Message: l.Message}
	switch l.Reason {
	case isolator.LimitationMemory:
		out.Resource = "mem"
	case isolator.LimitationDisk:
		out.Resource = "disk"
	}
	for r := range l.Resources.All() {
		if out.Resource == "" || r.Name == out.Resource {
			if r.Kind == resource.KindScalar {
				out.Resource, out.Amount = r.Name, r.Scalar
			}
			break
		}
	}
	return out
}

// known is the containers that an isolator is to be told of.
func (l *Launcher) known(i *isolatorState) []isolator.Container {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := make([]isolator.Container, 0, len(l.containers))
	for _, c := range l.containers {
		known = append(known, c.forIsolator(l.config.Instance, i))
	}
	return known
}

// recoverIsolator tells an isolator of the containers, again and again until it takes them. What it has and we
// do not know is cleaned up.
func (l *Launcher) recoverIsolator(i *isolatorState) {
	for backoff := firstBackoff; ; backoff = min(2*backoff, lastBackoff) {
		unknown, err := i.Isolator.Recover(l.ctx, l.config.Instance, l.known(i))
		if err == nil || unimplemented(err) {
			close(i.ready)
			l.cleanUnknown(i, unknown)
			return
		}
		if sdk.CodeOf(err).Final() {
			l.config.Logger.Error("isolator does not take the containers", "isolator", i.Name, "error", err)
			backoff = lastBackoff
		}
		select {
		case <-time.After(backoff):
		case <-l.ctx.Done():
			return
		}
	}
}

// cleanUnknown cleans up what an isolator found and we do not have.
func (l *Launcher) cleanUnknown(i *isolatorState, unknown []isolator.Container) {
	for _, u := range unknown {
		if u.Instance != l.config.Instance || l.find(u.ID) != nil {
			continue
		}
		l.config.Logger.Info("cleaning up an unknown container", "isolator", i.Name, "container", u.ID)
		if err := l.cleanUpOne(i, u); err != nil && l.ctx.Err() == nil {
			l.config.Logger.Error("unknown container was not cleaned up", "container", u.ID, "error", err)
		}
	}
}
