package scheduler

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTurnsKeepTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns()
		var mu sync.Mutex
		var order []int
		var wait sync.WaitGroup
		for i := range 20 {
			turn := turns.Take("f")
			wait.Go(func() {
				defer turn.Done()
				time.Sleep(time.Duration(20-i) * time.Millisecond) // later ones are decided sooner
				if turn.Wait(t.Context()) == nil {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
				}
			})
		}
		wait.Wait()
		if len(order) != 20 || !slices.IsSorted(order) {
			t.Errorf("order %v", order)
		}
		if len(turns.last) != 0 {
			t.Errorf("%d frameworks are remembered", len(turns.last))
		}
	})
}

func TestAbandonedTurnsDoNotLetOthersOvertake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns()
		first, second, third := turns.Take("f"), turns.Take("f"), turns.Take("f")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if second.Wait(gone) == nil {
			t.Error("an abandoned call had its turn")
		}
		second.Done()
		came := make(chan struct{})
		go func() {
			defer third.Done()
			if err := third.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			close(came)
		}()
		synctest.Wait()
		select {
		case <-came:
			t.Error("the third call overtook the first")
		default:
		}
		first.Done()
		<-came
	})
}

func TestFrameworksDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	turns := NewTurns()
	held := turns.Take("f")
	defer held.Done()
	for _, other := range []string{"g", "", ""} {
		turn := turns.Take(other)
		if err := turn.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		turn.Done()
	}
}
