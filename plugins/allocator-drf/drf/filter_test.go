package drf

import (
	"fmt"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// one allocates and expects exactly one allocation.
func (w *world) one() allocator.Allocation {
	w.Helper()
	got := w.allocate()
	if len(got) != 1 {
		w.Fatalf("got %v, want one allocation", got)
	}
	return got[0]
}

func (w *world) none(why string) {
	w.Helper()
	if got := w.tick(); len(got) != 0 {
		w.Fatalf("%s: got %v", why, got)
	}
}

// until lets intervals pass up to so much time after start and returns what is then allocated.
func (w *world) until(after time.Duration) []allocator.Allocation {
	w.Helper()
	w.now = start.Add(after)
	return w.allocate()
}

func TestDeclinedResourcesAreHeldBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", "cpus:1;mem:64")
	w.decline(w.one(), 30*time.Second)
	w.none("declined")
	if got := w.until(30*time.Second - 1); len(got) > 0 {
		t.Fatalf("before the end: %v", got)
	}
	if got := w.until(30 * time.Second); len(got) != 1 {
		t.Fatalf("at the end: %v", got)
	}
}

func TestDecliningForNoTimeLastsOneInterval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", "cpus:1;mem:64")
	w.decline(w.one(), 0)
	if got := w.until(time.Second - 1); len(got) > 0 {
		t.Fatalf("before the interval is over: %v", got)
	}
	if got := w.until(time.Second); len(got) != 1 {
		t.Fatalf("after the interval: %v", got)
	}
}

func TestOthersAreOfferedWhatOneDeclined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.framework("g", "b")
	w.framework("f2", "a")
	w.agent("x", "cpus:1;mem:64")
	got := map[string]bool{}
	p := w.one()
	for range 3 {
		got[p.Framework] = true
		w.decline(p, time.Hour)
		if more := w.tick(); len(more) == 1 {
			p = more[0]
		}
	}
	if len(got) != 3 {
		t.Errorf("offered to %v", got)
	}
}

func TestMoreThanWasDeclinedPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", "cpus:2;mem:64")
	p := w.one()
	// A task takes one cpu, the rest is declined.
	w.recover(p, parse(t, "cpus:1;mem:64"), &allocator.Filter{Refuse: time.Hour})
	w.none("declined")
	// The task ends: two cpus are more than what was declined.
	w.recover(p, parse(t, "cpus:1"), nil)
	if got := w.tick(); len(got) != 1 || got[0].Resources.Amount("cpus") != 2000 {
		t.Errorf("got %v", got)
	}
}

func TestWhatClearsFilters(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(w *world)
		clears bool
	}{
		{"revive", func(w *world) { w.update(allocator.Revived{Framework: "f"}) }, true},
		{"revive of the role", func(w *world) { w.update(allocator.Revived{Framework: "f", Roles: []string{"a"}}) }, true},
		{"revive of another role", func(w *world) { w.update(allocator.Revived{Framework: "f", Roles: []string{"c"}}) }, false},
		{"changed attributes", func(w *world) {
			w.update(allocator.AgentChanged{Agent: w.a.agents["x"].Agent, ClearFilters: true})
		}, true},
		{"changed agent", func(w *world) { w.update(allocator.AgentChanged{Agent: w.a.agents["x"].Agent}) }, false},
		{"unsuppressed", func(w *world) {
			f := scheduler("f", "a", "b")
			f.Suppressed = []string{"a", "b"}
			w.update(allocator.FrameworkChanged{Framework: f})
			f.Suppressed = []string{"b"}
			w.update(allocator.FrameworkChanged{Framework: f})
		}, true},
		{"role given up and taken again", func(w *world) {
			w.update(allocator.FrameworkChanged{Framework: scheduler("f")}, allocator.FrameworkChanged{Framework: scheduler("f", "a")})
		}, true},
		{"agent added anew", func(w *world) {
			a := w.a.agents["x"].Agent
			w.update(allocator.AgentRemoved{ID: "x"}, allocator.AgentAdded{Agent: a})
		}, true},
		{"framework subscribed anew", func(w *world) {
			w.update(allocator.FrameworkRemoved{ID: "f"}, allocator.FrameworkAdded{Framework: scheduler("f", "a")})
		}, true},
		{"another name", func(w *world) {
			f := scheduler("f", "a", "b")
			f.Name = "other"
			w.update(allocator.FrameworkChanged{Framework: f})
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.framework("f", "a", "b")
			w.agent("x", "cpus:1;mem:64")
			for p := w.one(); ; {
				w.decline(p, time.Hour)
				if got := w.tick(); len(got) == 1 {
					p = got[0]
					continue
				}
				break
			}
			tc.change(w)
			if got := w.allocate(); (len(got) == 1) != tc.clears {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestSuppressAndRevive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := scheduler("f", "a", "b")
	f.Suppressed = []string{"a"}
	w.update(allocator.FrameworkAdded{Framework: f})
	w.agent("x", "cpus:1;mem:64")
	p := w.one()
	if p.Role != "b" {
		t.Fatalf("offered in the suppressed role: %v", p)
	}
	f.Suppressed = []string{"a", "b"}
	w.update(allocator.FrameworkChanged{Framework: f})
	w.decline(p, 0)
	w.none("suppressed")
	w.update(allocator.Revived{Framework: "f", Roles: []string{"a"}})
	if p = w.one(); p.Role != "a" {
		t.Fatalf("got %v", p)
	}
	// b is suppressed still.
	w.decline(p, time.Hour)
	w.none("declined in the one role, suppressed in the other")
}

func TestRefusedProposalsAreFreeAgainAndNotRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", "cpus:1;mem:64")
	w.refuseAll()
	if got := w.allocate(); len(got) > 0 {
		t.Fatalf("proposed again at once: %v", got)
	}
	if !w.a.agents["x"].available().Equal(w.a.agents["x"].Total) || w.a.tree.roles["a"].share != 0 {
		t.Error("the refused resources count as allocated")
	}
	if got := w.tick(); len(got) != 1 {
		t.Errorf("an interval later: %v", got)
	}
}

func TestEndsOfFiltersDoNotPileUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", "cpus:1;mem:64")
	for range 10 * leastCompact {
		w.decline(w.one(), 365*24*time.Hour)
		w.update(allocator.Revived{Framework: "f"})
	}
	if n := len(w.a.expiries); n > 2*leastCompact {
		t.Errorf("%d ends are kept for one filter", n)
	}
	if n := len(w.a.agents["x"].filters); n > 1 {
		t.Errorf("%d filters are kept", n)
	}
}

// TestNext says when the allocator asks to be called.
func TestNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	expect := func(what string, want time.Time) {
		t.Helper()
		if got := w.a.next(w.now); !got.Equal(want) {
			t.Errorf("%s: next is %s, want %s", what, got, want)
		}
	}
	expect("nothing known", time.Time{})
	w.framework("f", "a")
	w.agent("x", "cpus:1;mem:64")
	if !w.a.due(w.now) {
		t.Error("a new agent waits")
	}
	p := w.one()
	expect("all allocated", time.Time{})
	w.now = w.now.Add(100 * time.Millisecond)
	w.recover(p, parse(t, "cpus:0.5"), nil)
	if w.a.due(w.now) {
		t.Error("recovered resources do not wait")
	}
	expect("some recovered", start.Add(time.Second))
	p = w.tick()[0]
	w.decline(p, 10*time.Second)
	w.tick()
	expect("declined", start.Add(1100*time.Millisecond+10*time.Second))
}

func TestManyProposalsComeInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	for i := range 100 {
		w.agent(fmt.Sprint("x", i), "cpus:1;mem:64")
	}
	seen := map[string]bool{}
	for _, p := range w.allocate() { // in parts of 7
		seen[p.Agent] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d agents", len(seen))
	}
}

// TestAnUrgentCycleDoesNotCutTheInterval has something new happen at once after resources came back.
func TestAnUrgentCycleDoesNotCutTheInterval(t *testing.T) {
	t.Parallel()
	for name, giveBack := range map[string]func(w *world){
		"declined": func(w *world) { w.decline(w.one(), 0) },
		"refused":  func(w *world) { w.refuseAll() },
	} {
		w := newWorld(t)
		w.framework("f", "a")
		w.agent("x", "cpus:1;mem:64")
		giveBack(w)
		w.agent("y", "cpus:1;mem:64")
		if p := w.one(); p.Agent != "y" {
			t.Errorf("%s: got %v", name, p)
		}
	}
}

func TestRoleGivenUpLosesFiltersThoughTasksRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", "cpus:2;mem:64")
	p := w.one()
	w.recover(p, parse(t, "cpus:1;mem:64"), &allocator.Filter{Refuse: time.Hour})
	w.none("declined")
	w.update(allocator.FrameworkChanged{Framework: scheduler("f")}, allocator.FrameworkChanged{Framework: scheduler("f", "a")})
	if got := w.one().Resources.String(); got != "cpus:1; mem:64" {
		t.Errorf("got %s", got)
	}
}

func TestAClockSetBackDoesNotStopAllocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", "cpus:2;mem:64")
	p := w.one()
	w.now = w.now.Add(-time.Hour)
	w.allocate()
	w.recover(p, parse(t, "cpus:1"), nil)
	if got := w.tick(); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}
