package serve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// ask runs an operation that answers with text, and tells whether it was run.
func ask(t *testing.T, o *operations, id, text string, failure error) (answer string, ran bool, err error) {
	t.Helper()
	r, err := once(t.Context(), o, "Prepare", id, func() (*isolatorv1.PrepareResponse, error) {
		ran = true
		return &isolatorv1.PrepareResponse{Plan: &isolatorv1.Plan{Hostname: text}}, failure
	})
	return r.GetPlan().GetHostname(), ran, err
}

func TestOnceRemembers(t *testing.T) {
	t.Parallel()
	o := newOperations()
	for i, c := range []struct {
		id      string
		failure error
		ran     bool
		answer  string
		code    sdk.Code
	}{
		{"a", nil, true, "0", sdk.Unknown},
		{"a", nil, false, "0", sdk.Unknown},
		{"final", sdk.Errorf(sdk.ResourceExhausted, "full"), true, "2", sdk.ResourceExhausted},
		{"final", nil, false, "", sdk.ResourceExhausted},
		{"passes", sdk.Errorf(sdk.Unavailable, "busy"), true, "4", sdk.Unavailable},
		{"passes", nil, true, "5", sdk.Unknown},
		{"bug", errors.New("a bug"), true, "6", sdk.Unknown},
		{"bug", nil, true, "7", sdk.Unknown},
	} {
		answer, ran, err := ask(t, o, c.id, fmt.Sprint(i), c.failure)
		if ran != c.ran || answer != c.answer || sdk.CodeOf(err) != c.code {
			t.Errorf("%d: ran %v, answered %q, %v", i, ran, answer, err)
		}
	}
}

// The memory of operations is bounded in number and in bytes, and the oldest goes first.
func TestOnceForgets(t *testing.T) {
	t.Parallel()
	o := newOperations()
	for i := range maxOperations + 1 {
		if _, ran, err := ask(t, o, fmt.Sprint(i), "x", nil); !ran || err != nil {
			t.Fatalf("%d: ran %v, %v", i, ran, err)
		}
	}
	if _, ran, _ := ask(t, o, "0", "x", nil); !ran {
		t.Error("the oldest was not forgotten")
	}
	if _, ran, _ := ask(t, o, fmt.Sprint(maxOperations), "x", nil); ran {
		t.Error("the newest was forgotten")
	}
	o = newOperations()
	big := strings.Repeat("x", 1<<20)
	for i := range 20 {
		if _, _, err := ask(t, o, fmt.Sprint(i), big, nil); err != nil {
			t.Fatal(err)
		}
	}
	bytes := 0
	for _, op := range o.all {
		bytes += proto.Size(op.resp)
	}
	if bytes > maxOperationBytes || len(o.all) != len(o.order) || bytes != o.bytes {
		t.Errorf("%d bytes in %d operations, counted as %d in %d", bytes, len(o.all), o.bytes, len(o.order))
	}
}

func TestOnceWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOperations()
		var mu sync.Mutex
		runs := 0
		release := make(chan struct{})
		do := func() (*isolatorv1.IsolateResponse, error) {
			mu.Lock()
			runs++
			first := runs == 1
			mu.Unlock()
			<-release
			if first {
				return nil, sdk.Errorf(sdk.Aborted, "try again")
			}
			return &isolatorv1.IsolateResponse{}, nil
		}
		var errs []error
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, err := once(t.Context(), o, "Isolate", "1", do)
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
		synctest.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := once(gone, o, "Isolate", "1", do); !errors.Is(err, context.Canceled) {
			t.Errorf("who gives up: %v", err)
		}
		if runs != 1 {
			t.Fatalf("%d at once", runs)
		}
		close(release)
		wg.Wait()
		// The first was told to try again; one of the others did, for all of them.
		failed := 0
		for _, err := range errs {
			if err != nil {
				failed++
			}
		}
		if runs != 2 || failed != 1 {
			t.Errorf("%d runs, %d failed", runs, failed)
		}
	})
}

func TestLanes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLanes()
		leave, err := l.enter(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		other, err := l.enter(t.Context(), "d")
		if err != nil {
			t.Fatal(err)
		}
		other()
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error, 1)
		go func() {
			_, err := l.enter(ctx, "c")
			gaveUp <- err
		}()
		entered := make(chan func(), 1)
		go func() {
			leave, err := l.enter(t.Context(), "c")
			if err != nil {
				t.Error(err)
			}
			entered <- leave
		}()
		synctest.Wait()
		cancel()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) {
			t.Errorf("who gives up: %v", err)
		}
		if len(entered) != 0 {
			t.Fatal("two in the lane")
		}
		leave()
		(<-entered)()
		if len(l.all) != 0 {
			t.Errorf("%d lanes are left", len(l.all))
		}
	})
}

func TestWatches(t *testing.T) {
	t.Parallel()
	w := newWatches()
	a, stopA := w.begin(t.Context(), "c")
	b, stopB := w.begin(t.Context(), "c")
	stopA()
	w.end("c")
	if !errors.Is(context.Cause(b), errCleanedUp) || errors.Is(context.Cause(a), errCleanedUp) {
		t.Errorf("causes %v, %v", context.Cause(a), context.Cause(b))
	}
	stopB()
	if len(w.all) != 0 {
		t.Errorf("%d watches are left", len(w.all))
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	var p pending
	one, err := resource.Parse("cpus:1", "*")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if !p.add(&allocator.Allocation{ID: uint64(2*i + 2), Framework: "f", Role: "r", Agent: "a", Resources: one}) {
			t.Fatal("an id that grows was refused")
		}
	}
	if p.add(&allocator.Allocation{ID: 12}) || p.add(&allocator.Allocation{ID: 3}) {
		t.Error("an id that does not grow was taken")
	}
	valid, allocated, err := p.settle([]allocator.Answer{{ID: 1}, {ID: 2}, {ID: 3}})
	if err != nil || len(valid) != 1 || len(allocated) != 0 || p.len() != 5 {
		t.Errorf("%v, %v, %v; %d", valid, allocated, err, p.len())
	}
	if _, _, err := p.settle([]allocator.Answer{{ID: 6}}); err == nil {
		t.Error("4 was left out, and nobody said so")
	}
	p.void()
	if p.len() != 0 {
		t.Errorf("%d after a snapshot", p.len())
	}
	p.add(&allocator.Allocation{ID: 20})
	valid, allocated, err = p.settle([]allocator.Answer{{ID: 8, OfferID: "o"}, {ID: 10, Refused: "no"}, {ID: 20, OfferID: "p"}})
	want := allocator.Allocated{Framework: "f", Agent: "a", Resources: one.Allocate("r")}
	if err != nil || len(valid) != 1 || valid[0].ID != 20 || len(allocated) != 1 || fmt.Sprint(allocated[0]) != fmt.Sprint(want) || p.len() != 0 || len(p.queue) != 0 {
		t.Errorf("%v, %v, %v; %d", valid, allocated, err, p.len())
	}
}
