package drf

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// The clusters that are measured: this many agents, 100 frameworks, 20 roles.
var benchAgents = []int{1_000, 10_000, 50_000}

func benchCluster(b *testing.B, agents int) []allocator.Update {
	b.Helper()
	var us []allocator.Update
	for i := range 100 {
		us = append(us, allocator.FrameworkAdded{Framework: scheduler(fmt.Sprintf("f%03d", i), fmt.Sprintf("role%02d", i%20))})
	}
	for i := range agents {
		total := parse(b, "cpus:24;mem:4096;disk:4096;ports:[31000-32000]")
		us = append(us, allocator.AgentAdded{Agent: allocator.Agent{
			ID: fmt.Sprintf("agent-%06d", i), Hostname: "h", Total: total, Active: true,
			Capabilities: allocator.AgentCapabilities{MultiRole: true, HierarchicalRole: true, ReservationRefinement: true},
		}})
	}
	return us
}

// drain allocates all there is, accepting every proposal.
func drain(b *testing.B, a *Allocator, now time.Time) []allocator.Allocation {
	b.Helper()
	var all []allocator.Allocation
	var answers []allocator.Answer
	for {
		proposed, _, err := a.Allocate(context.Background(), now, 1000)
		if err != nil {
			b.Fatal(err)
		}
		answers = answers[:0]
		for _, p := range proposed {
			answers = append(answers, allocator.Answer{ID: p.ID, OfferID: "o"})
		}
		if err := a.Answer(now, answers); err != nil {
			b.Fatal(err)
		}
		all = append(all, proposed...)
		if len(proposed) < 1000 {
			return all
		}
	}
}

func benchAllocator(b *testing.B) *Allocator {
	b.Helper()
	c := DefaultConfig()
	c.Seed = 1
	a, err := NewAllocator(c)
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// BenchmarkFirstAllocation is from a snapshot of the cluster, nothing of it used, to all of it allocated.
func BenchmarkFirstAllocation(b *testing.B) {
	for _, agents := range benchAgents {
		b.Run(fmt.Sprint(agents), func(b *testing.B) {
			us := benchCluster(b, agents)
			b.ReportAllocs()
			for b.Loop() {
				a := benchAllocator(b)
				if err := a.Update(start, us); err != nil {
					b.Fatal(err)
				}
				if got := len(drain(b, a, start)); got != agents {
					b.Fatalf("%d allocations", got)
				}
			}
		})
	}
}

// BenchmarkCycle is one cycle after 1 % of the agents had a task end: part of what a framework has of each
// comes back and is allocated again.
func BenchmarkCycle(b *testing.B) {
	for _, agents := range benchAgents {
		b.Run(fmt.Sprint(agents), func(b *testing.B) {
			a := benchAllocator(b)
			if err := a.Update(start, benchCluster(b, agents)); err != nil {
				b.Fatal(err)
			}
			now := start
			offers := drain(b, a, now)
			task := parse(b, "cpus:1;mem:128;ports:[31000-31001]")
			b.ReportAllocs()
			for b.Loop() {
				updates := make([]allocator.Update, 0, agents/100)
				for i := range agents / 100 {
					p := offers[i*100]
					updates = append(updates, allocator.Recovered{Framework: p.Framework, Agent: p.Agent, Resources: task.Allocate(p.Role)})
				}
				now = now.Add(time.Second)
				if err := a.Update(now, updates); err != nil {
					b.Fatal(err)
				}
				again := drain(b, a, now)
				if len(again) != agents/100 {
					b.Fatalf("%d allocations", len(again))
				}
				giveBack(b, a, now, offers, again, task)
			}
		})
	}
}

// giveBack makes what was allocated again that of whom it was before, so that every cycle is alike.
func giveBack(b *testing.B, a *Allocator, now time.Time, offers, again []allocator.Allocation, task resource.Resources) {
	b.Helper()
	b.StopTimer()
	defer b.StartTimer()
	owner := make(map[string]allocator.Allocation)
	for i := range len(again) {
		owner[offers[i*100].Agent] = offers[i*100]
	}
	for _, p := range again {
		p0 := owner[p.Agent]
		err := a.Update(now, []allocator.Update{
			allocator.Recovered{Framework: p.Framework, Agent: p.Agent, Resources: p.Resources.Allocate(p.Role)},
			allocator.Allocated{Framework: p0.Framework, Agent: p.Agent, Resources: task.Allocate(p0.Role)},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAllFiltered is a cycle over all agents when every framework has declined each of them.
func BenchmarkAllFiltered(b *testing.B) {
	const agents, frameworks = 1_000, 50
	a := benchAllocator(b)
	if err := a.Update(start, benchCluster(b, agents)); err != nil {
		b.Fatal(err)
	}
	now := start
	for range frameworks * 2 {
		for _, p := range drain(b, a, now) {
			err := a.Update(now, []allocator.Update{allocator.Recovered{
				Framework: p.Framework, Agent: p.Agent, Resources: p.Resources.Allocate(p.Role), Filter: &allocator.Filter{Refuse: 24 * time.Hour},
			}})
			if err != nil {
				b.Fatal(err)
			}
		}
		now = now.Add(time.Second)
	}
	if rest := drain(b, a, now); len(rest) > 0 {
		b.Fatalf("%d allocations in spite of filters", len(rest))
	}
	b.ReportAllocs()
	for b.Loop() {
		a.markAll()
		if rest := drain(b, a, now); len(rest) > 0 {
			b.Fatalf("%d allocations in spite of filters", len(rest))
		}
	}
}
