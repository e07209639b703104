package allocator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Cycler decides by looking at the cluster as it is: the short way to write an allocator. It is called soon
// after something has changed, and once a DefaultInterval else; one call comes after the other. in and
// its slices are the callee's to sort and cut. What they point to is not.
//
// Cycle.OfferAll and Cycle.Offerable heed all that keeps an offer from being made: filters, suppression,
// capabilities, regions, constraints, least amounts and quota limits. They do not hold resources back for
// other roles' quota guarantees. An offer of more than is free is dropped.
type Cycler interface {
	Allocate(ctx context.Context, in Cycle) ([]Offer, error)
}

// Explainer is a Cycler that says why it passes over agents. What all allocators have in common (filters,
// suppression, quota limits and all else that Cycle.Offerable heeds) it is not asked about: FromCycler tells of that.
// A Cycler shows that it is one by
//
//	var _ allocator.Explainer = (*binpack)(nil)
type Explainer interface {
	// Explain says what the Cycler has against offering the agent, or more of it, to the framework: a code that
	// programs compare, one of the Reason constants or its own, and a phrase for people, the same for all agents that
	// it is true of. An empty code says that there is nothing against it but who is served first. It changes nothing.
	Explain(in Cycle, a CycleAgent, f CycleFramework) (ReasonCode, string)
}

// Offer is a Cycler's decision: these resources of an agent to that framework, in that role. The resources
// are not allocated to anybody.
type Offer struct {
	Framework string
	Role      string
	Agent     string
	Resources resource.Resources
}

// CycleAgent is an agent with something free.
type CycleAgent struct {
	*Agent
	// Free is what nobody has: neither offered nor used.
	Free resource.Resources
	// Used is how full the agent is, from 0 to 1: of cpus, mem and disk the one that is used most.
	Used float64
}

// CycleFramework is a framework that takes offers in a role.
type CycleFramework struct {
	*Framework
	Role string
	// Share is the largest of its shares of the cluster's scalar resources in that role, from 0 to 1, divided
	// by the role's weight.
	Share float64
}

// Cycle is the cluster at one moment, as a Cycler sees it.
type Cycle struct {
	Now time.Time
	// Agents are those that are active and have something free, by ID.
	Agents []CycleAgent
	// Frameworks has an entry for each role of each active framework that is not suppressed there, the
	// smallest Share first.
	Frameworks []CycleFramework
	// Weights has the weight of every role whose weight is not 1.
	Weights map[string]float64
	// Quotas has the quota of every role that has one.
	Quotas map[string]Quota

	state *cycleState
}

// cycleState is what offers of this cycle have changed.
type cycleState struct {
	mirror *mirror
	quota  *consumption
	total  resource.Quantities            // of the cluster
	free   map[string]resource.Resources  // by agent
	held   map[holder]resource.Quantities // by framework and role
}

type holder struct{ framework, role string }

// Offerable is what of an agent the framework may be offered in the role, after the offers that OfferAll
// and Offerable's callers have taken with Take; empty when nothing.
func (c Cycle) Offerable(agent, framework, role string) resource.Resources {
	a, f := c.state.mirror.agents[agent], c.state.mirror.frameworks[framework]
	if a == nil || f == nil {
		return resource.Resources{}
	}
	r, _, _ := c.state.mirror.offerable(c.Now, a, c.state.free[agent], f, role, c.state.quota)
	return r
}

// Take counts an offer, so that Offerable and OfferAll see what it leaves. An offer that is not covered by
// what is free is not counted, and false.
func (c Cycle) Take(o Offer) bool {
	left, err := c.state.free[o.Agent].Sub(o.Resources)
	if err != nil {
		return false
	}
	// What is shared can be offered again.
	if left, err = left.Add(o.Resources.Shared()); err != nil {
		return false
	}
	c.state.free[o.Agent] = left
	c.state.quota.take(o.Role, o.Resources)
	key := holder{o.Framework, o.Role}
	if sum, err := c.state.held[key].Add(o.Resources.Scalars()); err == nil {
		c.state.held[key] = sum
	}
	return true
}

// OfferAll offers all that is free of the agents, in their order: each as a whole to the framework with the
// smallest share that may have it, and what is left of it (such as reservations of others) to the next.
func (c Cycle) OfferAll(agents []CycleAgent) []Offer {
	var offers []Offer
	frameworks := slices.Clone(c.Frameworks)
	for _, a := range agents {
		for i := 0; i < len(frameworks); i++ {
			f := &frameworks[i]
			r := c.Offerable(a.ID, f.ID, f.Role)
			if r.IsEmpty() {
				continue
			}
			o := Offer{Framework: f.ID, Role: f.Role, Agent: a.ID, Resources: r}
			if !c.Take(o) {
				continue
			}
			offers = append(offers, o)
			f.Share = c.state.share(holder{f.ID, f.Role})
			if c.state.free[a.ID].NonShared().IsEmpty() {
				break
			}
		}
		sortFrameworks(frameworks)
	}
	return offers
}

func sortFrameworks(fs []CycleFramework) {
	slices.SortFunc(fs, func(x, y CycleFramework) int {
		return cmp.Or(cmp.Compare(x.Share, y.Share), cmp.Compare(x.ID, y.ID), cmp.Compare(x.Role, y.Role))
	})
}

// share is a framework's dominant share in a role, divided by the role's weight.
func (s *cycleState) share(h holder) float64 {
	share := 0.0
	for name, amount := range s.held[h].All() {
		if total := s.total.Get(name); total > 0 {
			share = max(share, amount.Float()/total.Float())
		}
	}
	if w := s.mirror.weights[h.role]; w > 0 {
		share /= w
	}
	return share
}

// cycle is the cluster as the mirror has it.
func (m *mirror) cycle(now time.Time) Cycle {
	s := &cycleState{
		mirror: m, quota: m.consumption(), free: make(map[string]resource.Resources, len(m.agents)),
		held: map[holder]resource.Quantities{},
	}
	c := Cycle{Now: now, Weights: m.weights, Quotas: m.quotas, state: s}
	for _, a := range m.agents {
		s.count(a)
		if a.Active && !a.free.NonShared().IsEmpty() {
			s.free[a.ID] = a.free
			c.Agents = append(c.Agents, CycleAgent{Agent: &a.Agent, Free: a.free, Used: fullness(a)})
		}
	}
	slices.SortFunc(c.Agents, func(x, y CycleAgent) int { return cmp.Compare(x.ID, y.ID) })
	for _, f := range m.frameworks {
		for _, role := range f.Roles {
			if f.Active && !slices.Contains(f.Suppressed, role) {
				c.Frameworks = append(c.Frameworks, CycleFramework{Framework: f, Role: role, Share: s.share(holder{f.ID, role})})
			}
		}
	}
	sortFrameworks(c.Frameworks)
	return c
}

// count adds an agent to the sums that shares are made of. Sums that do not fit are left as they are: they
// only order frameworks.
func (s *cycleState) count(a *mirrorAgent) {
	if sum, err := s.total.Add(a.Total.Scalars()); err == nil {
		s.total = sum
	}
	for framework, use := range a.uses {
		for _, role := range use.AllocationRoles() {
			key := holder{framework, role}
			if sum, err := s.held[key].Add(use.AllocatedTo(role).Scalars()); err == nil {
				s.held[key] = sum
			}
		}
	}
}

// fullness is the part of cpus, mem or disk that is used, of the one that is used most.
func fullness(a *mirrorAgent) float64 {
	used := 0.0
	for _, name := range []string{"cpus", "mem", "disk"} {
		if total := a.Total.Amount(name); total > 0 {
			used = max(used, 1-a.free.Amount(name).Float()/total.Float())
		}
	}
	return used
}
