package drf

import (
	"fmt"
	"slices"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// agent is a machine, with what of it is in use.
type agent struct {
	allocator.Agent
	uses    []use
	used    resource.Resources // all uses together, allocated to nobody
	free    resource.Resources // Total without used and without shared volumes; see available
	fresh   bool               // free is up to date
	hasGPU  bool
	filters map[*client][]filter
	index   int // in Allocator.list

	candidate bool // in Allocator.candidates
	held      bool // in Allocator.held
	gone      bool
}

// Available is what is free on an agent as far as the allocator knows, shared volumes aside, for whoever compares its
// books with the host's. It tells whether the agent is known.
func (a *Allocator) Available(agent string) (free resource.Resources, known bool) {
	ag := a.agents[agent]
	if ag == nil {
		return free, false
	}
	return ag.available(), true
}

// use is what a framework has of an agent in one role.
type use struct {
	client    *client
	resources resource.Resources // allocated to nobody: the client says to whom
}

func newAgent(a allocator.Agent) *agent {
	x := &agent{}
	x.set(a)
	return x
}

// set replaces what is known of the agent, save for its uses.
func (a *agent) set(agent allocator.Agent) {
	a.Agent = agent
	a.fresh = false
	a.hasGPU = agent.Total.Amount("gpus") > 0
}

// available is what nobody uses, shared volumes aside.
func (a *agent) available() resource.Resources {
	if !a.fresh {
		a.free = a.Total.NonShared().Minus(a.used)
		a.fresh = true
	}
	return a.free
}

// take adds resources, allocated to nobody, to what the client uses.
func (a *agent) take(c *client, r resource.Resources) error {
	used, err := a.used.Add(r)
	if err != nil {
		return fmt.Errorf("use %s of agent %s: %w", r, a.ID, err)
	}
	i := a.useOf(c)
	if i < 0 {
		a.uses = append(a.uses, use{client: c})
		i = len(a.uses) - 1
		c.uses++
	}
	sum, err := a.uses[i].resources.Add(r)
	if err != nil {
		return fmt.Errorf("use %s of agent %s: %w", r, a.ID, err)
	}
	a.uses[i].resources, a.used, a.fresh = sum, used, false
	return nil
}

// release takes resources, allocated to nobody, from what the client uses.
func (a *agent) release(c *client, r resource.Resources) error {
	i := a.useOf(c)
	if i < 0 {
		return fmt.Errorf("free %s of agent %s: framework %s has nothing there in role %s", r, a.ID, c.framework.ID, c.role)
	}
	rest, err := a.uses[i].resources.Sub(r)
	if err != nil {
		return fmt.Errorf("free resources of agent %s, framework %s: %w", a.ID, c.framework.ID, err)
	}
	// Minus, since ports that two frameworks were given, by whatever mistake, are in the sum but once.
	a.used, a.fresh = a.used.Minus(r), false
	if a.uses[i].resources = rest; rest.IsEmpty() {
		a.uses = slices.Delete(a.uses, i, i+1)
		c.uses--
	}
	return nil
}

func (a *agent) useOf(c *client) int {
	return slices.IndexFunc(a.uses, func(u use) bool { return u.client == c })
}

// framework is a scheduler, or one of which only uses are known.
type framework struct {
	allocator.Framework
	known   bool // it has subscribed
	clients []*client
}

// client is a framework in a role: what is served.
type client struct {
	framework  *framework
	role       string
	node       *node
	uses       int // on how many agents
	subscribed bool
	suppressed bool
	generation uint64 // filters of an earlier one no longer count
	visit      uint64 // the latest visit of an agent in which the client was asked
}

// wants tells whether offers may go to the client at all.
func (c *client) wants() bool {
	return c.framework.known && c.framework.Active && c.subscribed && !c.suppressed
}

// find returns the framework's client in a role, nil when there is none.
func (f *framework) find(role string) *client {
	for _, c := range f.clients {
		if c.role == role {
			return c
		}
	}
	return nil
}
