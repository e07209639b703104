//go:build unix

package launcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/fetcher"
	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// pluginRuntime has containers made by an isolator that launches.
type pluginRuntime struct {
	launcher *Launcher
	isolator *isolatorState
}

// create has the plugin make the container. What there is of it when that fails is the isolator's to clean up.
func (r *pluginRuntime) create(ctx context.Context, c *container, plan *merged, _ *sandboxFiles, who *fetcher.Owner) (held, error) {
	config := r.launcher.config
	spec := isolatorSpec(c, r.known(c))
	spec.Env = containerizer.Environment(config.Surroundings, c.spec, plan.env)
	if who == nil {
		spec.User = ""
	}
	c.mu.Lock()
	c.record.Launcher = r.isolator.Name
	c.mu.Unlock()
	c.wait("isolator " + r.isolator.Name)
	pid := 0
	err := r.isolator.call(ctx, func(ctx context.Context) (err error) {
		pid, err = r.isolator.Launcher.Launch(ctx, spec, plan.launchPlan(c.spec))
		return err
	})
	if err != nil {
		return nil, r.isolator.named(fmt.Errorf("launch: %w", err))
	}
	var start uint64
	if pid != 0 {
		if start, err = startTime(pid); err != nil || r.launcher.inUse(pid, c) {
			return nil, r.isolator.Launcher.Bug("it says that the first process of container %s is %d, which is not there or is another container's", c.id, pid)
		}
	}
	p := r.newProcess(c, pid, start)
	c.adopt(p, pid, start)
	return &heldPlugin{r, c, p}, nil
}

// known is the container as the isolator knows it.
func (r *pluginRuntime) known(c *container) isolator.Container {
	return c.forIsolator(r.launcher.config.Instance, r.isolator)
}

// inUse tells whether a process is another container's.
func (l *Launcher) inUse(pid int, but *container) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.containers {
		if c != but && c.status().Pid == pid {
			return true
		}
	}
	return false
}

func (r *pluginRuntime) find(c *container) error {
	if c.record.Released && c.record.Exit == nil {
		c.process = r.newProcess(c, c.record.Pid, c.record.Start)
	}
	return nil
}

func (r *pluginRuntime) settled(_ context.Context, c *container) bool { return c.record.Released }

func (r *pluginRuntime) exit(c *container) containerizer.Exited {
	if e := c.record.Exit; e != nil {
		return containerizer.Exited{ID: c.id, WaitStatus: e.WaitStatus, Known: e.Known}
	}
	out := containerizer.Exited{ID: c.id}
	if p, ok := c.process.(*pluginProcess); ok && p.status.Known {
		const codeShift = 8
		out.WaitStatus, out.Known = p.status.Code<<codeShift|p.status.Signal, true
	}
	if !out.Known && c.wasDestroyed() {
		out.WaitStatus, out.Known = killedStatus, true
	}
	c.mu.Lock()
	c.record.Exit = &exit{WaitStatus: out.WaitStatus, Known: out.Known}
	c.mu.Unlock()
	// The isolator is about to forget it.
	if err := r.launcher.save(c); err != nil {
		r.launcher.log(c).Error("how the container ended is not written down", "error", err)
	}
	return out
}

func (r *pluginRuntime) forget(*container) error { return nil }

// heldPlugin is a container that a plugin holds.
type heldPlugin struct {
	runtime *pluginRuntime
	c       *container
	process *pluginProcess
}

func (h *heldPlugin) ready(context.Context) error { return nil }

// release writes down that the command is let go before it is, so that from there on it is told as it went: when the
// plugin is not heard of, the command may run.
func (h *heldPlugin) release(ctx context.Context) error {
	if err := h.note(true); err != nil {
		return err
	}
	err := h.process.start(ctx)
	if err != nil && sdk.CodeOf(err).Final() && !errors.Is(err, errDestroyed) && !errors.Is(err, errClosed) {
		return errors.Join(err, h.note(false))
	}
	return nil
}

// note writes down whether the command is let go.
func (h *heldPlugin) note(released bool) error {
	h.c.mu.Lock()
	h.c.record.Released = released
	h.c.mu.Unlock()
	return h.runtime.launcher.save(h.c)
}

// abandon leaves it to the isolator's Cleanup.
func (h *heldPlugin) abandon() error { return nil }

func (h *heldPlugin) close() {}

// pluginProcess is the first process of a container that a plugin has launched.
type pluginProcess struct {
	runtime *pluginRuntime
	c       *container
	pid     int // 0 when this machine has none
	begun   uint64
	status  isolator.ExitStatus // set when wait has returned nil

	signals chan syscall.Signal // sent one after the other
	closed  chan struct{}
	once    sync.Once // closes closed
	givenUp chan struct{}

	started bool // of the leading goroutine
}

// maxSignals is how many signals may wait for a plugin that is down.
const maxSignals = 64

func (r *pluginRuntime) newProcess(c *container, pid int, begun uint64) *pluginProcess {
	p := &pluginProcess{
		runtime: r, c: c, pid: pid, begun: begun, signals: make(chan syscall.Signal, maxSignals),
		closed: make(chan struct{}), givenUp: make(chan struct{}),
	}
	r.launcher.spawn(p.sendSignals)
	return p
}

func (p *pluginProcess) number() int { return p.pid }

func (p *pluginProcess) close() { p.once.Do(func() { close(p.closed) }) }

func (p *pluginProcess) signal(s syscall.Signal) error {
	select {
	case p.signals <- s:
		return nil
	default:
		return fmt.Errorf("%d signals wait for isolator %q already", maxSignals, p.runtime.isolator.Name)
	}
}

// sendSignals hands signals to the plugin, in order, until the process is let go of.
func (p *pluginProcess) sendSignals() {
	ctx, cancel := context.WithCancel(p.runtime.launcher.ctx)
	defer cancel()
	i := p.runtime.isolator
	go func() {
		select {
		case <-p.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-p.signals:
			err := i.call(ctx, func(ctx context.Context) error {
				return i.Launcher.Signal(ctx, p.runtime.known(p.c), int(s))
			})
			if err == nil || ctx.Err() != nil || sdk.CodeOf(err) == sdk.NotFound {
				continue
			}
			p.runtime.launcher.log(p.c).Error("signal not delivered", "signal", s.String(), "error", i.named(err))
			if s == syscall.SIGKILL {
				close(p.givenUp) // it is Cleanup that ends it
				return
			}
		}
	}
}

// start lets the command go, unless it was.
func (p *pluginProcess) start(ctx context.Context) error {
	i := p.runtime.isolator
	err := i.call(ctx, func(ctx context.Context) error { return i.Launcher.Start(ctx, p.runtime.known(p.c)) })
	if err != nil {
		return i.named(fmt.Errorf("start: %w", err))
	}
	p.started = true
	return nil
}

// wait asks the plugin until it tells, and its word is not against what is seen. A container of which nothing is known
// is held to run: what it has is not given to others.
func (p *pluginProcess) wait(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := p.onGivenUp(cancel)
	defer stop()
	said := ""
	for backoff := firstBackoff; ; backoff = min(2*backoff, lastBackoff) {
		err := p.waitOnce(ctx)
		select {
		case <-p.givenUp:
			return nil
		default:
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		if said != err.Error() {
			said = err.Error()
			p.runtime.launcher.log(p.c).Error("how the container does is not known; it is taken to run", "error", err)
		}
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
		}
	}
}

// onGivenUp calls f when the process is given up, until stop is called.
func (p *pluginProcess) onGivenUp(f func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		select {
		case <-p.givenUp:
			f()
		case <-done:
		}
	}()
	return func() { close(done) }
}

func (p *pluginProcess) waitOnce(ctx context.Context) error {
	i := p.runtime.isolator
	if !p.started && !p.c.wasDestroyed() {
		// An earlier agent, or this one, was about to let the command go.
		if err := p.start(ctx); err != nil && sdk.CodeOf(err).Final() && ctx.Err() == nil {
			p.runtime.launcher.log(p.c).Error("the command was not let go; the container is ended", "error", err)
			_ = p.c.destroy()
		}
	}
	var status isolator.ExitStatus
	err := i.call(ctx, func(ctx context.Context) (err error) {
		status, err = i.Launcher.Wait(ctx, p.runtime.known(p.c))
		return err
	})
	if err != nil && sdk.CodeOf(err) != sdk.NotFound {
		return i.named(err)
	}
	if p.lives(ctx) {
		return i.Launcher.Bug("it says that container %s has ended, whose first process %d runs", p.c.id, p.pid)
	}
	p.status = status
	return ctx.Err()
}

// endPatience is how long the first process may live on after the plugin has said that it has ended.
const endPatience = 2 * time.Second

// lives tells whether the first process is still there a while after it should have gone.
func (p *pluginProcess) lives(ctx context.Context) bool {
	if p.pid == 0 || p.c.record.Boot != p.runtime.launcher.boot {
		return false
	}
	for begun := time.Now(); runs(p.pid, p.begun); time.Sleep(firstBackoff) {
		if time.Since(begun) > endPatience || ctx.Err() != nil {
			return true
		}
	}
	return false
}
