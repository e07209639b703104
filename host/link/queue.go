package link

import (
	"context"
	"errors"
	"sync"
)

// errFinished is pop's answer when the last message has been handed out.
var errFinished = errors.New("nothing more is sent")

// queue hands messages from one who must not wait to one who may. Push never blocks: past the bound it reports
// false, and the connection is given up.
type queue[T any] struct {
	mu       sync.Mutex
	items    []T
	finished bool
	ready    chan struct{}
}

func newQueue[T any]() *queue[T] { return &queue[T]{ready: make(chan struct{}, 1)} }

func (q *queue[T]) push(item T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) >= maxQueued {
		return false
	}
	q.items = append(q.items, item)
	q.wake()
	return true
}

// finish says that nothing more will be pushed.
func (q *queue[T]) finish() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.finished = true
	q.wake()
}

func (q *queue[T]) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// pop returns everything queued, waiting until there is something. Its error is the context's, or errFinished.
func (q *queue[T]) pop(ctx context.Context) ([]T, error) {
	for {
		q.mu.Lock()
		items, finished := q.items, q.finished
		q.items = nil
		q.mu.Unlock()
		if len(items) > 0 {
			return items, nil
		}
		if finished {
			return nil, errFinished
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// drain sends what is queued until the context ends or sending fails.
func drain[T any](ctx context.Context, q *queue[T], send func(T) error) error {
	for {
		items, err := q.pop(ctx)
		if err != nil {
			return err
		}
		for _, item := range items {
			if err := send(item); err != nil {
				return err
			}
		}
	}
}
