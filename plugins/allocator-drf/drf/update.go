package drf

import (
	"fmt"
	"math"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Update implements allocator.Allocator.
func (a *Allocator) Update(now time.Time, updates []allocator.Update) error {
	for _, u := range updates {
		if err := a.apply(now, u); err != nil {
			return fmt.Errorf("apply %T: %w", u, err)
		}
	}
	return nil
}

func (a *Allocator) apply(now time.Time, u allocator.Update) error {
	switch u := u.(type) {
	case allocator.AgentAdded:
		return a.addAgent(u)
	case allocator.AgentChanged:
		return a.changeAgent(u)
	case allocator.AgentRemoved:
		a.removeAgent(u.ID)
	case allocator.FrameworkAdded:
		a.setFramework(u.Framework)
	case allocator.FrameworkChanged:
		a.setFramework(u.Framework)
	case allocator.FrameworkRemoved:
		a.removeFramework(u.ID)
	case allocator.Revived:
		a.revive(u)
	case allocator.Allocated:
		return a.allocated(u.Framework, u.Agent, u.Resources)
	case allocator.Recovered:
		return a.recovered(now, u)
	case allocator.Converted:
		return a.converted(u)
	case allocator.WeightsChanged:
		return a.setWeights(u.Weights)
	case allocator.QuotaChanged:
		a.setQuotas(u.Quotas)
	case allocator.Requested, allocator.InverseAnswered:
		// A wish that is not heeded, and an answer to something that is not asked here.
	default:
		return fmt.Errorf("unknown update")
	}
	return nil
}

func (a *Allocator) setWeights(weights map[string]float64) error {
	for role, w := range weights {
		if !(w > 0) || math.IsInf(w, 0) {
			return fmt.Errorf("weight of role %s is %v", role, w)
		}
	}
	a.tree.weigh(weights)
	return nil
}

// setQuotas replaces all quotas and counts what roles consume.
func (a *Allocator) setQuotas(in map[string]allocator.Quota) {
	a.quotas = newQuotas(a.names, in)
	for _, ag := range a.list {
		a.quotas.reserved(a.names, ag.Total, 1)
		for _, u := range ag.uses {
			a.scratch.reset()
			a.scratch.scalars(a.names, u.resources, quotaScalar)
			a.quotas.consume(u.client.role, a.scratch, 1)
		}
	}
	for _, ag := range a.list {
		a.mark(ag)
	}
}

// countTotal adds the agent's total, times sign, to the cluster's.
func (a *Allocator) countTotal(total resource.Resources, sign int64) {
	a.scratch.reset()
	a.scratch.scalars(a.names, total, anyScalar)
	for x := range total.Shared().All() {
		a.scratch.add(a.names.of(x.Name), int64(x.Scalar))
	}
	a.tree.total.addAll(a.scratch, sign)
	a.tree.stale = true
	a.quotas.reserved(a.names, total, sign)
}

func (a *Allocator) addAgent(u allocator.AgentAdded) error {
	a.removeAgent(u.Agent.ID)
	ag := newAgent(u.Agent)
	a.agents[ag.ID] = ag
	ag.index = len(a.list)
	a.list = append(a.list, ag)
	a.countTotal(ag.Total, 1)
	for _, one := range u.Uses {
		if err := a.allocated(one.Framework, ag.ID, one.Resources); err != nil {
			return err
		}
	}
	if err := a.adopt(ag); err != nil {
		return err
	}
	a.urgent = true
	a.mark(ag)
	a.releaseHeld()
	return nil
}

func (a *Allocator) changeAgent(u allocator.AgentChanged) error {
	ag := a.agents[u.Agent.ID]
	if ag == nil {
		return fmt.Errorf("unknown agent %s", u.Agent.ID)
	}
	a.countTotal(ag.Total, -1)
	ag.set(u.Agent)
	a.countTotal(ag.Total, 1)
	if u.ClearFilters {
		ag.filters = nil
	}
	a.urgent = true
	a.mark(ag)
	a.releaseHeld()
	return nil
}

func (a *Allocator) removeAgent(id string) {
	ag := a.agents[id]
	if ag == nil {
		return
	}
	uses := ag.uses
	ag.uses = nil
	for _, u := range uses {
		u.client.uses--
		a.charge(u.client, u.resources, a.sharedUses(ag, u.resources), -1)
		a.drop(u.client)
	}
	a.orphan(ag)
	a.countTotal(ag.Total, -1)
	ag.gone = true
	delete(a.agents, id)
	last := a.list[len(a.list)-1]
	a.list[ag.index], last.index = last, ag.index
	a.list = a.list[:len(a.list)-1]
}

// allocated counts resources, which carry their role, as the framework's.
func (a *Allocator) allocated(framework, agent string, r resource.Resources) error {
	ag := a.agents[agent]
	if ag == nil {
		return fmt.Errorf("unknown agent %s", agent)
	}
	for _, role := range r.AllocationRoles() {
		if role == "" {
			return fmt.Errorf("resources %s of framework %s are allocated to no role", r, framework)
		}
		part := r.AllocatedTo(role).Unallocate()
		if err := a.yield(ag, part); err != nil {
			return err
		}
		if err := a.grant(ag, a.client(framework, role), part); err != nil {
			return err
		}
	}
	return nil
}

func (a *Allocator) recovered(now time.Time, u allocator.Recovered) error {
	ag, f := a.agents[u.Agent], a.frameworks[u.Framework]
	if ag == nil {
		return nil // it went with all its uses
	}
	for _, role := range u.Resources.AllocationRoles() {
		var c *client
		if f != nil {
			c = f.find(role)
		}
		if c == nil {
			return fmt.Errorf("framework %s has nothing in role %q", u.Framework, role)
		}
		part := u.Resources.AllocatedTo(role).Unallocate()
		if err := a.free(ag, c, part); err != nil {
			return err
		}
		if u.Filter != nil && c.subscribed {
			a.filterFor(now, ag, c, part, u.Filter.Refuse)
		}
		a.drop(c)
	}
	a.mark(ag)
	return nil
}

func (a *Allocator) converted(u allocator.Converted) error {
	ag := a.agents[u.Agent]
	if ag == nil {
		return nil
	}
	total, err := ag.Total.Sub(u.From.Unallocate())
	if err != nil {
		return fmt.Errorf("convert resources of agent %s: %w", u.Agent, err)
	}
	if total, err = total.Add(u.To.Unallocate()); err != nil {
		return fmt.Errorf("convert resources of agent %s: %w", u.Agent, err)
	}
	if u.Framework != "" {
		if err := a.convertUse(ag, u); err != nil {
			return err
		}
	}
	changed := ag.Agent
	changed.Total = total
	a.countTotal(ag.Total, -1)
	ag.set(changed)
	a.countTotal(total, 1)
	a.mark(ag)
	return nil
}

// convertUse puts what a framework's resources have become in place of what they were.
func (a *Allocator) convertUse(ag *agent, u allocator.Converted) error {
	f := a.frameworks[u.Framework]
	for _, role := range u.From.AllocationRoles() {
		var c *client
		if f != nil {
			c = f.find(role)
		}
		if c == nil {
			return fmt.Errorf("framework %s has nothing in role %q", u.Framework, role)
		}
		if err := a.free(ag, c, u.From.AllocatedTo(role).Unallocate()); err != nil {
			return err
		}
		defer a.drop(c)
	}
	return a.allocated(u.Framework, u.Agent, u.To)
}
