package allocator

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// DefaultInterval is how long a Cycler is left alone at most: Mesos's default allocation_interval.
	DefaultInterval = time.Second
	// shortest is how long it is left alone at least, so that a burst of events costs one cycle.
	shortest = 100 * time.Millisecond
)

// FromCycler makes an Allocator that keeps a copy of the cluster and lets c decide over it, once an
// interval at least.
func FromCycler(c Cycler, interval time.Duration) Allocator {
	return &cycling{
		cycler: c, interval: interval, mirror: newMirror(), proposed: map[uint64]Offer{}, orphans: map[uint64]Offer{},
	}
}

// cycling is an Allocator around a Cycler.
type cycling struct {
	cycler   Cycler
	interval time.Duration
	mirror   *mirror
	changed  bool
	last     time.Time // of the last cycle
	id       uint64
	proposed map[uint64]Offer // without an answer
	orphans  map[uint64]Offer // without an answer, and not in the copy: their agent went
	rest     []Offer          // decided upon, and more than Allocate could return
}

// Reset begins anew.
func (c *cycling) Reset() {
	c.mirror, c.changed = newMirror(), true
	c.rest = nil
	clear(c.proposed)
	clear(c.orphans)
}

// Update keeps the copy true.
func (c *cycling) Update(now time.Time, updates []Update) error {
	c.changed = true
	for _, u := range updates {
		if err := c.mirror.apply(now, u); err != nil {
			return err
		}
		if gone, ok := u.(AgentRemoved); ok { // what was proposed of it went with it
			maps.DeleteFunc(c.proposed, func(id uint64, o Offer) bool {
				if o.Agent == gone.ID {
					c.orphans[id] = o
				}
				return o.Agent == gone.ID
			})
		}
	}
	return nil
}

// answerOrphan deals with the answer to a proposal whose agent went: should it be accepted all the same, the agent
// is back, and does not have it in the copy.
func (c *cycling) answerOrphan(a Answer) error {
	o, found := c.orphans[a.ID]
	delete(c.orphans, a.ID)
	if _, back := c.mirror.agents[o.Agent]; !found || !back || !a.Accepted() {
		return nil
	}
	return c.mirror.allocate(o.Framework, o.Agent, o.Resources.Allocate(o.Role))
}

// Answer takes back what was refused.
func (c *cycling) Answer(now time.Time, answers []Answer) error {
	for _, a := range answers {
		o, found := c.proposed[a.ID]
		delete(c.proposed, a.ID)
		if !found {
			if err := c.answerOrphan(a); err != nil {
				return err
			}
			continue
		}
		if a.Accepted() {
			continue
		}
		c.changed = true
		back := Recovered{Framework: o.Framework, Agent: o.Agent, Resources: o.Resources.Allocate(o.Role)}
		if err := c.mirror.apply(now, back); err != nil {
			return err
		}
	}
	return nil
}

// Allocate runs a cycle when it is time for one.
func (c *cycling) Allocate(ctx context.Context, now time.Time, limit int) ([]Allocation, time.Time, error) {
	if len(c.rest) == 0 {
		wait := c.interval
		if c.changed {
			wait = min(wait, shortest)
		}
		if due := c.last.Add(wait); due.After(now) {
			return nil, due, nil
		}
		offers, err := c.cycler.Allocate(ctx, c.mirror.cycle(now))
		c.last, c.changed = now, false
		if err != nil {
			return nil, time.Time{}, err
		}
		c.rest = offers
	}
	out, err := c.propose(limit)
	return out, now.Add(c.interval), err
}

// Deferred tells whether something happened since the last cycle.
func (c *cycling) Deferred() bool { return c.changed || len(c.rest) > 0 }

// propose makes allocations of the offers that were decided upon.
func (c *cycling) propose(limit int) ([]Allocation, error) {
	n := min(limit, len(c.rest))
	out := make([]Allocation, 0, n)
	for _, o := range c.rest[:n] {
		a, found := c.mirror.agents[o.Agent]
		if !found || !a.free.Contains(o.Resources) {
			continue // something happened since it was decided
		}
		if err := c.mirror.allocate(o.Framework, o.Agent, o.Resources.Allocate(o.Role)); err != nil {
			return nil, err
		}
		c.id++
		c.proposed[c.id] = o
		out = append(out, Allocation{ID: c.id, Framework: o.Framework, Role: o.Role, Agent: o.Agent, Resources: o.Resources})
	}
	c.rest = c.rest[n:]
	return out, nil
}

// Explain says what stands between the framework and the agents, over the copy of the cluster. What the
// Cycler itself has against an agent is asked of an Explainer; of another it is ReasonShare.
func (c *cycling) Explain(now time.Time, framework string) (Explanation, error) {
	e := Explanation{Framework: framework}
	f, found := c.mirror.frameworks[framework]
	if !found {
		e.Reasons = []Reason{{Code: ReasonUnknownFramework, Text: "The allocator does not know the framework."}}
		return e, nil
	}
	if len(c.mirror.agents) == 0 {
		e.Reasons = []Reason{{Code: ReasonNoAgents, Text: "There are no agents."}}
		return e, nil
	}
	passed := c.passedOver(now, f)
	for _, role := range f.Roles {
		e.Reasons = append(e.Reasons, c.explainRole(now, f, role, passed)...)
	}
	slices.SortStableFunc(e.Reasons, func(a, b Reason) int { return cmp.Compare(b.Agents, a.Agents) })
	return e, nil
}

// cause is a kind of reason with its words.
type cause struct {
	code ReasonCode
	text string
}

// passedOver is what an Explainer has against agents that the framework could be offered, by role and agent.
func (c *cycling) passedOver(now time.Time, f *Framework) map[[2]string]cause {
	explainer, ok := c.cycler.(Explainer)
	if !ok {
		return nil
	}
	out := map[[2]string]cause{}
	in := c.mirror.cycle(now)
	for _, x := range in.Frameworks {
		if x.ID != f.ID {
			continue
		}
		for _, a := range in.Agents {
			if code, text := explainer.Explain(in, a, x); code != "" {
				out[[2]string{x.Role, a.ID}] = cause{code, text}
			}
		}
	}
	return out
}

func (c *cycling) explainRole(now time.Time, f *Framework, role string, passed map[[2]string]cause) []Reason {
	quota := c.mirror.consumption()
	byCause := map[cause]*Reason{}
	for _, a := range c.mirror.agents {
		_, code, until := c.mirror.offerable(now, a, a.free, f, role, quota)
		why := cause{code, codeTexts[code]}
		if code == "" {
			var found bool
			if why, found = passed[[2]string{role, a.ID}]; !found {
				why = cause{ReasonShare, codeTexts[ReasonShare]}
			}
		}
		r := byCause[why]
		if r == nil {
			r = &Reason{Code: why.code, Role: role}
			byCause[why] = r
		}
		r.Agents++
		if r.Until.Before(until) {
			r.Until = until
		}
	}
	causes := slices.SortedFunc(maps.Keys(byCause), func(a, b cause) int {
		return cmp.Or(cmp.Compare(rank(a.code), rank(b.code)), cmp.Compare(a.code, b.code), cmp.Compare(a.text, b.text))
	})
	out := make([]Reason, 0, len(causes))
	for _, why := range causes {
		r := byCause[why]
		r.Text = fmt.Sprintf("%s (role %q, agents: %d)", why.text, role, r.Agents)
		out = append(out, *r)
	}
	return out
}

// rank is a code's place among the reasons; a Cycler's own come last.
func rank(code ReasonCode) int {
	if i := slices.Index(codeOrder, code); i >= 0 {
		return i
	}
	return len(codeOrder)
}

var codeOrder = []ReasonCode{
	ReasonInactive, ReasonSuppressed, ReasonQuotaLimit, ReasonFiltered, ReasonConstraint, ReasonCapability, ReasonRegion,
	ReasonReserved, ReasonTooSmall, ReasonNothingFree, ReasonAgentInactive, ReasonShare,
}

var codeTexts = map[ReasonCode]string{
	ReasonInactive:      "The framework is not connected",
	ReasonSuppressed:    "The framework has suppressed offers",
	ReasonQuotaLimit:    "The quota limit is reached",
	ReasonFiltered:      "The framework has declined what is free",
	ReasonConstraint:    "The framework's offer constraints are not met",
	ReasonCapability:    "The agent has GPUs, and the framework lacks GPU_RESOURCES",
	ReasonRegion:        "The agent is in another region, and the framework lacks REGION_AWARE",
	ReasonReserved:      "What is free is reserved for other roles",
	ReasonTooSmall:      "What is free is too little for an offer",
	ReasonNothingFree:   "Nothing is free",
	ReasonAgentInactive: "The agent is not active",
	ReasonShare:         "Something is free, and the allocator has not chosen the framework for it",
}
