package drf

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// start is when every test's time begins.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world drives an Allocator as a host would: it accepts all proposals and keeps its own books, with which
// it checks them.
type world struct {
	testing.TB
	a      *Allocator
	now    time.Time
	used   map[string]resource.Resources // by agent, as the host counts it
	total  map[string]resource.Resources
	lastID uint64
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	c := DefaultConfig()
	c.Seed = 1
	for _, f := range change {
		f(&c)
	}
	a, err := NewAllocator(c)
	if err != nil {
		t.Fatal(err)
	}
	return &world{TB: t, a: a, now: start, used: map[string]resource.Resources{}, total: map[string]resource.Resources{}}
}

func (w *world) update(updates ...allocator.Update) {
	w.Helper()
	if err := w.a.Update(w.now, updates); err != nil {
		w.Fatal(err)
	}
}

// agent adds an agent with all capabilities.
func (w *world) agent(id, resources string, change ...func(*allocator.Agent)) {
	w.Helper()
	a := allocator.Agent{
		ID: id, Hostname: id + ".example.com", Total: parse(w, resources), Active: true,
		Capabilities: allocator.AgentCapabilities{MultiRole: true, HierarchicalRole: true, ReservationRefinement: true},
	}
	for _, f := range change {
		f(&a)
	}
	w.total[id] = a.Total
	w.update(allocator.AgentAdded{Agent: a})
}

func scheduler(id string, roles ...string) allocator.Framework {
	return allocator.Framework{
		ID: id, Name: id, Roles: roles, Active: true,
		Capabilities: allocator.Capabilities{MultiRole: true, ReservationRefinement: true},
	}
}

func (w *world) framework(id string, roles ...string) {
	w.Helper()
	w.update(allocator.FrameworkAdded{Framework: scheduler(id, roles...)})
}

// allocate accepts all that is proposed now and checks it against the host's books.
func (w *world) allocate() []allocator.Allocation {
	w.Helper()
	var all []allocator.Allocation
	for {
		proposed, _, err := w.a.Allocate(context.Background(), w.now, 7)
		if err != nil {
			w.Fatal(err)
		}
		var answers []allocator.Answer
		for _, p := range proposed {
			w.accept(p)
			answers = append(answers, allocator.Answer{ID: p.ID, OfferID: fmt.Sprint("o", p.ID)})
		}
		if err := w.a.Answer(w.now, answers); err != nil {
			w.Fatal(err)
		}
		all = append(all, proposed...)
		if len(proposed) < 7 {
			return all
		}
	}
}

func (w *world) accept(p allocator.Allocation) {
	w.Helper()
	if p.ID <= w.lastID {
		w.Fatalf("id %d follows %d", p.ID, w.lastID)
	}
	w.lastID = p.ID
	if p.Resources.IsEmpty() || p.Resources.AllocationRoles()[0] != "" {
		w.Fatalf("proposed %s", p.Resources)
	}
	free := w.total[p.Agent].NonShared().Minus(w.used[p.Agent].NonShared())
	if !free.Contains(p.Resources.NonShared()) || !w.total[p.Agent].Contains(p.Resources) {
		w.Fatalf("proposed %s of agent %s, where %s is free", p.Resources, p.Agent, free)
	}
	w.used[p.Agent] = sum(w, w.used[p.Agent], p.Resources)
}

// recover gives an allocation, or part of it, back.
func (w *world) recover(p allocator.Allocation, part resource.Resources, filter *allocator.Filter) {
	w.Helper()
	used, err := w.used[p.Agent].Sub(part)
	if err != nil {
		w.Fatal(err)
	}
	w.used[p.Agent] = used
	w.update(allocator.Recovered{Framework: p.Framework, Agent: p.Agent, Resources: part.Allocate(p.Role), Filter: filter})
}

// decline gives an allocation back and refuses it for a time.
func (w *world) decline(p allocator.Allocation, refuse time.Duration) {
	w.Helper()
	w.recover(p, p.Resources, &allocator.Filter{Refuse: refuse})
}

// refuseAll lets an interval pass and refuses whatever is proposed.
func (w *world) refuseAll() {
	w.Helper()
	w.now = w.now.Add(time.Second)
	proposed, _, err := w.a.Allocate(context.Background(), w.now, 100)
	if err != nil {
		w.Fatal(err)
	}
	var answers []allocator.Answer
	for _, p := range proposed {
		w.lastID = p.ID
		answers = append(answers, allocator.Answer{ID: p.ID, Refused: "no"})
	}
	if err := w.a.Answer(w.now, answers); err != nil {
		w.Fatal(err)
	}
}

// tick lets an allocation interval pass.
func (w *world) tick() []allocator.Allocation {
	w.Helper()
	w.now = w.now.Add(time.Second)
	return w.allocate()
}

func parse(t testing.TB, text string) resource.Resources {
	t.Helper()
	r, err := resource.Parse(text, "*")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sum(t testing.TB, a, b resource.Resources) resource.Resources {
	t.Helper()
	r, err := a.Add(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
