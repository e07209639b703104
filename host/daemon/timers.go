package daemon

import (
	"sync"
	"time"

	"github.com/mezzo-cluster/mezzo/host/clock"
)

// now reads both of the machine's clocks. Go's monotonic reading is taken from a fixed origin.
func now() clock.Time {
	t := time.Now()
	return clock.Time{Wall: t.UTC(), Mono: t.Sub(origin)}
}

var origin = time.Now()

// timers are the real timers behind a state machine's. It is safe for concurrent use.
type timers[ID comparable] struct {
	fired func(ID)

	mu      sync.Mutex
	running map[ID]*time.Timer
	stopped bool
}

func newTimers[ID comparable](fired func(ID)) *timers[ID] {
	return &timers[ID]{fired: fired, running: map[ID]*time.Timer{}}
}

// Set starts a timer, in place of the one that has the id already.
func (t *timers[ID]) Set(id ID, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	if old := t.running[id]; old != nil {
		old.Stop()
	}
	var timer *time.Timer
	timer = time.AfterFunc(after, func() {
		t.mu.Lock()
		mine := t.running[id] == timer
		if mine {
			delete(t.running, id)
		}
		t.mu.Unlock()
		if mine {
			t.fired(id)
		}
	})
	t.running[id] = timer
}

// Cancel stops a timer; one that is not running is no error.
func (t *timers[ID]) Cancel(id ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if timer := t.running[id]; timer != nil {
		timer.Stop()
		delete(t.running, id)
	}
}

// stop stops all timers for good.
func (t *timers[ID]) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	for _, timer := range t.running {
		timer.Stop()
	}
	clear(t.running)
}
