package effect

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mezzo-cluster/mezzo/host/clock"
)

// ErrStopped says that a loop takes no more events.
var ErrStopped = errors.New("the event loop has stopped")

// Machine is a state machine: events E, effects F, and an immutable snapshot S of its state.
type Machine[E, F, S any] interface {
	Step(t clock.Time, event E) []F
	State() *S
}

// Loop drives a machine, in one goroutine: it steps it through all the events that are queued, publishes its
// state, and then carries the effects out. Its other methods are safe for concurrent use.
type Loop[E, F, S any] struct {
	machine Machine[E, F, S]
	now     func() clock.Time
	run     func(context.Context, []F) error
	observe func(events int, took time.Duration)
	state   atomic.Pointer[S]

	mu      sync.Mutex
	queue   []E
	limit   int
	stopped bool
	pushed  uint64        // events queued so far
	done    uint64        // events of which the effects have been carried out
	settled chan struct{} // closed and made anew whenever done has grown
	filled  chan struct{} // holds a token while there is something to do
	emptied chan struct{} // closed and made anew whenever the queue has been taken
}

// Limits of one round of the loop.
const (
	defaultQueue = 10_000
	maxRound     = 512
)

// NewLoop returns a loop that has not begun. run carries effects out. observe, which may be nil, is told of each
// round: how many events it had, and how long stepping through them took.
func NewLoop[E, F, S any](m Machine[E, F, S], now func() clock.Time, run func(context.Context, []F) error,
	observe func(events int, took time.Duration),
) *Loop[E, F, S] {
	l := &Loop[E, F, S]{
		machine: m, now: now, run: run, observe: observe, limit: defaultQueue,
		filled: make(chan struct{}, 1), emptied: make(chan struct{}),
		settled: make(chan struct{}),
	}
	l.state.Store(m.State())
	return l
}

// State is the published state: whoever has seen an effect, or something later, sees at least the state that it
// follows from.
func (l *Loop[E, F, S]) State() *S { return l.state.Load() }

// Len is how many events are queued.
func (l *Loop[E, F, S]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// Post queues an event and never waits. It is for the world's answers to effects and for events that come at
// their own bounded pace; an event posted after the loop has stopped is dropped.
func (l *Loop[E, F, S]) Post(event E) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.push(event)
}

// Enqueue queues an event, and waits while too many are queued already. It must not be called while effects are
// carried out, which would wait for itself. It returns ErrStopped, or ctx's error.
func (l *Loop[E, F, S]) Enqueue(ctx context.Context, event E) error {
	for {
		l.mu.Lock()
		if l.stopped {
			l.mu.Unlock()
			return ErrStopped
		}
		if len(l.queue) < l.limit {
			l.push(event)
			l.mu.Unlock()
			return nil
		}
		emptied := l.emptied
		l.mu.Unlock()
		select {
		case <-emptied:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// push adds to the queue, whose lock is held.
func (l *Loop[E, F, S]) push(event E) {
	if l.stopped {
		return
	}
	l.queue = append(l.queue, event)
	l.pushed++
	select {
	case l.filled <- struct{}{}:
	default:
	}
}

// Run drives the machine until ctx ends, which is no error, or an effect cannot be carried out. Run is called
// once.
func (l *Loop[E, F, S]) Run(ctx context.Context) error {
	defer l.stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.filled:
		}
		for events := l.take(); len(events) > 0; {
			round := events[:min(len(events), maxRound)]
			events = events[len(round):]
			if err := l.round(ctx, round); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return nil
			}
		}
	}
}

// round deals with some events.
func (l *Loop[E, F, S]) round(ctx context.Context, events []E) error {
	began := time.Now()
	var effects []F
	for _, event := range events {
		effects = append(effects, l.machine.Step(l.now(), event)...)
	}
	l.state.Store(l.machine.State())
	if l.observe != nil {
		l.observe(len(events), time.Since(began))
	}
	if err := l.run(ctx, effects); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done += uint64(len(events))
	close(l.settled)
	l.settled = make(chan struct{})
	return nil
}

// Settle waits until every event queued before has been dealt with and its effects carried out. It returns
// ErrStopped, or ctx's error. It must not be called while effects are carried out.
func (l *Loop[E, F, S]) Settle(ctx context.Context) error {
	l.mu.Lock()
	until := l.pushed
	for l.done < until {
		if l.stopped {
			l.mu.Unlock()
			return ErrStopped
		}
		settled, emptied := l.settled, l.emptied
		l.mu.Unlock()
		select {
		case <-settled:
		case <-emptied: // or it has stopped
		case <-ctx.Done():
			return ctx.Err()
		}
		l.mu.Lock()
	}
	l.mu.Unlock()
	return nil
}

// take empties the queue.
func (l *Loop[E, F, S]) take() []E {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.queue
	l.queue = nil
	l.wake()
	return events
}

// wake wakes those who wait for room. The lock is held.
func (l *Loop[E, F, S]) wake() {
	close(l.emptied)
	l.emptied = make(chan struct{})
}

func (l *Loop[E, F, S]) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped, l.queue = true, nil
	l.wake()
}
