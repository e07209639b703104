package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Mode says what Start does about a plugin that does not start.
type Mode uint8

const (
	// Strict stops everything and fails.
	Strict Mode = iota
	// Degraded goes on without it and tries again: for a daemon that has something to recover.
	Degraded
)

// Host holds the plugins of a daemon. Its methods are safe for concurrent use.
type Host struct {
	options Options

	mu      sync.Mutex
	plugins []*Plugin
	cancel  context.CancelFunc // nil before Start
	stopped bool
	release func() // removes the runtime folder and gives it back
}

// New makes a host without plugins.
func New(o Options) *Host { return &Host{options: o.withDefaults()} }

// Start starts the plugins, all of them at once, and watches them until Stop. In Strict mode it fails with
// everything that is wrong and leaves nothing behind; ctx ending has the same effect. It is called once.
func (h *Host) Start(ctx context.Context, specs []Spec, mode Mode) (err error) {
	if err := h.claim(specs); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			h.abandon()
		}
	}()
	if err := h.takePlace(); err != nil {
		return err
	}
	errs := make([]error, len(h.plugins))
	var started sync.WaitGroup
	for i, p := range h.plugins {
		started.Go(func() { errs[i] = p.start(ctx) })
	}
	started.Wait()
	if mode == Strict || ctx.Err() != nil {
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	for i, p := range h.plugins {
		if errs[i] != nil {
			p.ended(errs[i])
		}
	}
	watch, cancel := context.WithCancel(context.Background())
	h.mu.Lock()
	h.cancel = cancel
	h.mu.Unlock()
	for _, p := range h.plugins {
		go p.supervise(watch)
	}
	return nil
}

// claim takes the specifications in.
func (h *Host) claim(specs []Spec) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.plugins != nil || h.stopped {
		return errors.New("the plugins were started before")
	}
	h.plugins = make([]*Plugin, 0, len(specs))
	seen := map[string]bool{}
	for i, s := range specs {
		if seen[s.String()] {
			h.plugins = nil
			return fmt.Errorf("%s is there twice", s)
		}
		seen[s.String()] = true
		h.plugins = append(h.plugins, newPlugin(h.options, s, uint64(i)))
	}
	return nil
}

// abandon stops what a failed Start has started.
func (h *Host) abandon() {
	var stopped sync.WaitGroup
	for _, p := range h.all() {
		stopped.Go(p.halt)
	}
	stopped.Wait()
	h.leavePlace()
}

func (h *Host) all() []*Plugin {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.plugins
}

// Plugin returns a plugin by kind and name, or ErrNoPlugin.
func (h *Host) Plugin(kind, name string) (*Plugin, error) {
	for _, p := range h.all() {
		if s := p.Spec(); s.Kind == kind && s.Name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%s %q: %w", kind, name, ErrNoPlugin)
}

// Of returns the plugins of a kind in their order.
func (h *Host) Of(kind string) []*Plugin {
	var of []*Plugin
	for _, p := range h.all() {
		if p.Spec().Kind == kind {
			of = append(of, p)
		}
	}
	return of
}

// Reload replaces the process of the plugin with the kind and name of s by a new one, started as s says.
// On an error the present process goes on, untouched. A plugin that is down is started at once.
func (h *Host) Reload(ctx context.Context, s Spec) error {
	p, err := h.Plugin(s.Kind, s.Name)
	if err != nil {
		return err
	}
	o := order{ctx: ctx, spec: s, reply: make(chan error, 1)}
	select {
	case p.orders <- o:
	case <-p.done:
		return fmt.Errorf("%s: %w", s, errStopped)
	case <-ctx.Done():
		return fmt.Errorf("%s: reload: %w", s, ctx.Err())
	}
	return <-o.reply
}

// Stop stops all plugins: each is asked, then ended. It returns when nothing of them is left. ctx ending
// does not shorten it; the steps have their own limits.
func (h *Host) Stop() {
	h.mu.Lock()
	cancel := h.cancel
	h.cancel, h.stopped = nil, true
	h.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	for _, p := range h.all() {
		<-p.done
	}
	h.leavePlace()
}
