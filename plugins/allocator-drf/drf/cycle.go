package drf

import (
	"context"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// cycle is one pass over the agents that were marked. With guarantees that are not met it has two
// stages: roles with such a guarantee are served first.
type cycle struct {
	agents     []*agent
	at         int
	guarantees bool // the stage of guarantees
}

// checkEvery is after how many agents a cycle looks whether it is to stop.
const checkEvery = 256

// Allocate implements allocator.Allocator.
func (a *Allocator) Allocate(ctx context.Context, now time.Time, most int) ([]allocator.Allocation, time.Time, error) {
	if now.Before(a.lastCycle) {
		a.lastCycle = now // the clock was set back: the next cycle is not to wait until it has caught up
	}
	a.expire(now)
	if a.cycle == nil && a.due(now) {
		a.begin(now)
	}
	var out []allocator.Allocation
	for a.cycle != nil && len(out) < most && ctx.Err() == nil {
		var err error
		if out, err = a.work(now, out, most); err != nil {
			return nil, time.Time{}, err
		}
	}
	return out, a.next(now), nil
}

// due tells whether a cycle has something to do and its time has come.
func (a *Allocator) due(now time.Time) bool {
	return len(a.candidates) > 0 && (a.urgent || !now.Before(a.lastCycle.Add(a.settings.interval)))
}

// next is when there is something to do without anything happening.
func (a *Allocator) next(now time.Time) time.Time {
	cycle := a.lastCycle.Add(a.settings.interval)
	switch {
	case a.cycle != nil:
		return now
	case len(a.candidates) > 0:
		return cycle
	case len(a.expiries) == 0:
		return time.Time{}
	case a.expiries[0].at.Before(cycle):
		return cycle
	default:
		return a.expiries[0].at
	}
}

// begin starts a cycle over what is marked, in random order, so that no agent is always the first.
func (a *Allocator) begin(now time.Time) {
	a.tree.freshen()
	agents := a.candidates
	a.candidates = nil
	for _, ag := range agents {
		ag.candidate = false
	}
	a.random.Shuffle(len(agents), func(i, j int) { agents[i], agents[j] = agents[j], agents[i] })
	a.measureHeadroom()
	a.cycle = &cycle{agents: agents, guarantees: len(a.quotas.guaranteed) > 0}
	a.lastCycle, a.urgent = now, false
}

// measureHeadroom sums what could still be given to roles with a guarantee.
func (a *Allocator) measureHeadroom() {
	a.quotas.headroom.reset()
	if len(a.quotas.guaranteed) == 0 {
		return
	}
	for _, ag := range a.list {
		if ag.Active {
			a.quotas.headroom.scalars(a.names, ag.available(), quotaScalar)
		}
	}
}

// work looks at some agents of the cycle.
func (a *Allocator) work(now time.Time, out []allocator.Allocation, most int) ([]allocator.Allocation, error) {
	c := a.cycle
	for range checkEvery {
		if c.at == len(c.agents) {
			if !c.guarantees {
				a.cycle = nil
				return out, nil
			}
			c.guarantees, c.at = false, 0
			continue
		}
		ag := c.agents[c.at]
		if !ag.gone && ag.Active && !ag.available().IsEmpty() {
			var err error
			var done bool
			if out, done, err = a.visit(now, ag, out, most); err != nil {
				return nil, err
			}
			if !done {
				return out, nil // visited again with the next call
			}
		}
		c.at++
	}
	return out, nil
}

// visit offers what is free on the agent, first to who is to be served first. It is done when nobody is
// left to ask; otherwise there are as many allocations as the caller wants.
func (a *Allocator) visit(now time.Time, ag *agent, out []allocator.Allocation, most int) ([]allocator.Allocation, bool, error) {
	a.visits++
	for {
		if len(out) >= most {
			return out, false, nil
		}
		c, v := a.choose(now, ag)
		if c == nil {
			return out, true, nil
		}
		if err := a.grant(ag, c, v.resources); err != nil {
			return nil, false, err
		}
		a.useHeadroom(v)
		a.lastID++
		a.proposed[a.lastID] = proposal{agent: ag, client: c, resources: v.resources}
		out = append(out, allocator.Allocation{
			ID: a.lastID, Framework: c.framework.ID, Role: c.role, Agent: ag.ID, Resources: v.resources,
		})
		if ag.available().IsEmpty() {
			return out, true, nil
		}
	}
}

// useHeadroom takes what is given out from what is there for guarantees.
func (a *Allocator) useHeadroom(v verdict) {
	if len(a.quotas.guaranteed) == 0 {
		return
	}
	a.scratch.reset()
	a.scratch.scalars(a.names, v.resources, quotaScalar)
	a.quotas.headroom.addAll(a.scratch, -1)
}

// choose finds the client that is to be served next with something of the agent, and was not asked in
// this visit yet.
func (a *Allocator) choose(now time.Time, ag *agent) (*client, verdict) {
	var chosen *client
	var what verdict
	a.tree.root.each(func(c *client) bool {
		if c.visit == a.visits {
			return true
		}
		c.visit = a.visits
		if a.cycle.guarantees && !a.quotas.unmet(c.role) {
			return true
		}
		v := a.fit(now, c, ag)
		if v.capped {
			a.hold(ag)
		}
		if v.resources.IsEmpty() || (a.cycle.guarantees && !a.quotas.contributes(a.names, c.role, v.resources)) {
			return true
		}
		chosen, what = c, v
		return false
	})
	return chosen, what
}
