package pluginhost

import (
	"context"
	"sync"
)

// route leads calls to the process that answers them now. While a plugin is being replaced, new calls wait
// and those in flight can be waited for, so that only one process acts at a time.
type route struct {
	mu      sync.Mutex
	target  *instance // nil while there is none
	held    bool
	changed chan struct{} // closed at the next change
}

func newRoute() *route { return &route{changed: make(chan struct{})} }

// acquire gives the process for one call, which must be released. Without one it waits, or gives nil.
func (r *route) acquire(ctx context.Context, wait bool) (*instance, error) {
	for {
		r.mu.Lock()
		if r.target != nil && !r.held {
			target := r.target
			target.calls++
			r.mu.Unlock()
			return target, nil
		}
		if r.target == nil && !r.held && !wait {
			r.mu.Unlock()
			return nil, nil
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// release ends a call.
func (r *route) release(of *instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of.calls--
	if of.calls == 0 && of.idle != nil {
		close(of.idle)
		of.idle = nil
	}
}

// set changes the target (nil for none) and lets held calls go on.
func (r *route) set(target *instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target, r.held = target, false
	r.notify()
}

// drop removes the target if it still is the given one.
func (r *route) drop(target *instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.target == target {
		r.target = nil
		r.notify()
	}
}

// hold makes new calls wait until set or unhold.
func (r *route) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = true
}

func (r *route) unhold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = false
	r.notify()
}

func (r *route) notify() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// drained waits until the process has no call in flight, and says how many there are if ctx ends before.
func (r *route) drained(ctx context.Context, of *instance) (left int) {
	r.mu.Lock()
	if of.calls == 0 {
		r.mu.Unlock()
		return 0
	}
	if of.idle == nil {
		of.idle = make(chan struct{})
	}
	idle := of.idle
	r.mu.Unlock()
	select {
	case <-idle:
		return 0
	case <-of.exited():
		return 0
	case <-ctx.Done():
		r.mu.Lock()
		defer r.mu.Unlock()
		return of.calls
	}
}
