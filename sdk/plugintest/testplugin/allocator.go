package main

import (
	"context"
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// testAllocator proposes every agent that is free, whole, to the first framework there is, in its first role.
type testAllocator struct {
	mode       string
	config     Config
	next       uint64
	agents     map[string]allocator.Agent
	busy       map[string]bool // agents that somebody uses
	proposed   map[uint64]string
	frameworks []allocator.Framework
}

func newAllocator(mode string) func(context.Context, sdk.Host, Config) (*testAllocator, error) {
	return func(_ context.Context, _ sdk.Host, c Config) (*testAllocator, error) {
		if err := c.check(); err != nil {
			return nil, err
		}
		return &testAllocator{mode: mode, config: c}, start(mode)
	}
}

func (a *testAllocator) Snapshot(now time.Time, s allocator.Snapshot) error {
	a.agents, a.busy, a.proposed, a.frameworks = map[string]allocator.Agent{}, map[string]bool{}, map[uint64]string{}, nil
	return a.Update(now, s.Updates)
}

func (a *testAllocator) Update(_ time.Time, updates []allocator.Update) error {
	misbehave(a.mode)
	for _, u := range updates {
		switch u := u.(type) {
		case allocator.AgentAdded:
			a.agents[u.Agent.ID] = u.Agent
			a.busy[u.Agent.ID] = len(u.Uses) > 0
		case allocator.AgentChanged:
			a.agents[u.Agent.ID] = u.Agent
		case allocator.AgentRemoved:
			delete(a.agents, u.ID)
		case allocator.FrameworkAdded:
			a.frameworks = append(a.frameworks, u.Framework)
		case allocator.FrameworkRemoved:
			a.frameworks = slices.DeleteFunc(a.frameworks, func(f allocator.Framework) bool { return f.ID == u.ID })
		case allocator.Allocated:
			a.busy[u.Agent] = true
		case allocator.Recovered:
			a.busy[u.Agent] = false
		}
	}
	return nil
}

func (a *testAllocator) Answer(_ time.Time, answers []allocator.Answer) error {
	for _, answer := range answers {
		if !answer.Accepted() {
			a.busy[a.proposed[answer.ID]] = false
		}
		delete(a.proposed, answer.ID)
	}
	return nil
}

func (a *testAllocator) Allocate(ctx context.Context, now time.Time, most int) ([]allocator.Allocation, time.Time, error) {
	if len(a.frameworks) == 0 {
		return nil, time.Time{}, nil
	}
	if err := pause(ctx, a.config.Pause); err != nil {
		return nil, time.Time{}, err
	}
	f := a.frameworks[0]
	var out []allocator.Allocation
	for id, agent := range a.agents {
		if a.busy[id] || len(out) == most {
			continue
		}
		a.next++
		a.busy[id], a.proposed[a.next] = true, id
		out = append(out, allocator.Allocation{ID: a.next, Framework: f.ID, Role: f.Roles[0], Agent: id, Resources: agent.Total})
	}
	return out, now.Add(time.Second), nil
}

func (a *testAllocator) Explain(_ time.Time, framework string) (allocator.Explanation, error) {
	misbehave(a.mode)
	if !slices.ContainsFunc(a.frameworks, func(f allocator.Framework) bool { return f.ID == framework }) {
		return allocator.Explanation{Framework: framework, Reasons: []allocator.Reason{{Code: allocator.ReasonUnknownFramework, Text: "there is no such framework"}}}, nil
	}
	return allocator.Explanation{Framework: framework}, nil
}
