package effect

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mezzo-cluster/mezzo/host/clock"
)

// adder is a machine whose state is the sum of its events, and whose effects are the sums.
type adder struct{ sum int }

func (a *adder) Step(_ clock.Time, event int) []int {
	a.sum += event
	return []int{a.sum}
}

func (a *adder) State() *int {
	sum := a.sum
	return &sum
}

func noTime() clock.Time { return clock.Time{} }

func TestLoopPublishesBeforeEffects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var loop *Loop[int, int, int]
		var ran []int
		loop = NewLoop(&adder{}, noTime, func(_ context.Context, effects []int) error {
			for _, e := range effects {
				if *loop.State() < e {
					t.Errorf("effect %d is carried out, and the published state is %d", e, *loop.State())
				}
				// The world answers while effects are carried out.
				if e == 6 {
					loop.Post(100)
				}
			}
			ran = append(ran, effects...)
			return nil
		}, nil)
		if *loop.State() != 0 {
			t.Fatalf("state is %d", *loop.State())
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		for _, n := range []int{1, 2, 3} {
			loop.Post(n)
		}
		go func() { done <- loop.Run(ctx) }()
		synctest.Wait()
		if !slices.Equal(ran, []int{1, 3, 6, 106}) || *loop.State() != 106 || loop.Len() != 0 {
			t.Fatalf("ran %v, state %d", ran, *loop.State())
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatalf("run: %v", err)
		}
		if err := loop.Enqueue(t.Context(), 1); !errors.Is(err, ErrStopped) {
			t.Fatalf("a stopped loop says %v", err)
		}
	})
}

func TestLoopHoldsCallersBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		loop := NewLoop(&adder{}, noTime, func(context.Context, []int) error { return nil }, nil)
		loop.limit = 2
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 2 {
			if err := loop.Enqueue(ctx, 1); err != nil {
				t.Fatalf("enqueue: %v", err)
			}
		}
		short, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		if err := loop.Enqueue(short, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a full queue says %v", err)
		}
		loop.Post(1) // is never held back
		waiting := make(chan error)
		go func() { waiting <- loop.Enqueue(ctx, 1) }()
		synctest.Wait()
		go func() { _ = loop.Run(ctx) }()
		if err := <-waiting; err != nil {
			t.Fatalf("enqueue: %v", err)
		}
		synctest.Wait()
		if *loop.State() != 4 {
			t.Fatalf("state is %d", *loop.State())
		}
	})
}

func TestLoopEndsWithItsEffects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		rounds := 0
		loop := NewLoop(&adder{}, noTime, func(context.Context, []int) error { return broken },
			func(events int, _ time.Duration) { rounds += events })
		loop.Post(1)
		if err := loop.Run(t.Context()); !errors.Is(err, broken) || rounds != 1 {
			t.Fatalf("run: %v after %d events", err, rounds)
		}
		loop.Post(2)
		if loop.Len() != 0 {
			t.Fatal("a loop that has ended takes events")
		}
	})
}

func TestLoopTakesLongQueuesInRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		longest := 0
		ctx, cancel := context.WithCancel(t.Context())
		loop := NewLoop(&adder{}, noTime, func(context.Context, []int) error { return nil },
			func(events int, _ time.Duration) { longest = max(longest, events) })
		for range 5 * maxRound {
			loop.Post(1)
		}
		done := make(chan error)
		go func() { done <- loop.Run(ctx) }()
		synctest.Wait()
		if *loop.State() != 5*maxRound || longest != maxRound {
			t.Fatalf("state is %d, the longest round had %d events", *loop.State(), longest)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatalf("run: %v", err)
		}
	})
}
