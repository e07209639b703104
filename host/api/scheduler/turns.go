package scheduler

import (
	"context"
	"sync"
)

// Turns keeps the order in which calls of one framework arrived, while each waits for its authorization on its
// own: SUPPRESS followed by REVIVE must take effect in that order however long each decision takes.
type Turns struct {
	mu   sync.Mutex
	last map[string]chan struct{}
}

// NewTurns returns Turns with nobody waiting.
func NewTurns() *Turns { return &Turns{last: map[string]chan struct{}{}} }

// Turn is one call's place in its framework's order.
type Turn struct {
	turns  *Turns
	key    string
	before <-chan struct{}
	mine   chan struct{}
}

// Take joins the order of a framework. Done must be called on the Turn. A framework without an id, which is new,
// waits for nobody.
func (t *Turns) Take(framework string) *Turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if framework == "" {
		return &Turn{turns: t, mine: make(chan struct{})}
	}
	turn := &Turn{turns: t, key: framework, before: t.last[framework], mine: make(chan struct{})}
	t.last[framework] = turn.mine
	return turn
}

// Wait returns when all earlier turns are done, or ctx is.
func (t *Turn) Wait(ctx context.Context) error {
	if t.before == nil {
		return ctx.Err()
	}
	select {
	case <-t.before:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Done lets the next turn come, once the earlier ones are done too.
func (t *Turn) Done() {
	if t.before == nil {
		t.finish()
		return
	}
	select {
	case <-t.before:
		t.finish()
	default: // given up before its time: those behind it still wait for those ahead of it
		go func() {
			<-t.before
			t.finish()
		}()
	}
}

func (t *Turn) finish() {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	if t.turns.last[t.key] == t.mine {
		delete(t.turns.last, t.key)
	}
	close(t.mine)
}
