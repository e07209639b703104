package allocator

import (
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Update is one thing that happened in the cluster. It is one of the types of this file: AgentAdded,
// AgentChanged, AgentRemoved, FrameworkAdded, FrameworkChanged, FrameworkRemoved, Revived, Allocated,
// Recovered, Converted, WeightsChanged, QuotaChanged, Requested or InverseAnswered, as a value and not a
// pointer. An Update and all that it refers to is not changed once made.
//
// Updates come in order, and each is true when it is made: an Allocated follows the AgentAdded and the
// FrameworkAdded of its parties. Two may have become one on the way (an agent that changed twice).
type Update interface{ update() }

// AgentAdded says that an agent has registered, with what already runs there. Those frameworks may be
// unknown still, after a failover of the master; what they use counts all the same.
type AgentAdded struct {
	Agent Agent
	Uses  []Use
}

// AgentChanged says that something of the agent has another value: resources, attributes, activity,
// maintenance. Uses stay as they were.
type AgentChanged struct {
	Agent Agent
	// ClearFilters says that frameworks which declined the agent may want it now: its attributes changed.
	ClearFilters bool
}

// AgentRemoved says that the agent is gone, with its uses and filters. What was proposed of it is answered still, and
// the agent may be back by then.
type AgentRemoved struct{ ID string }

// FrameworkAdded says that a framework has subscribed for the first time, or came back to this master.
type FrameworkAdded struct{ Framework Framework }

// FrameworkChanged says that something of the framework has another value. A role that is no longer
// suppressed, and a role that it no longer has, loses the framework's filters.
type FrameworkChanged struct{ Framework Framework }

// FrameworkRemoved says that the framework is gone with its filters. What it still uses is given back by
// Recovered updates before or after.
type FrameworkRemoved struct{ ID string }

// Revived says that the framework wants offers again: its filters go, and the roles are not suppressed any
// more. No roles means all of its roles.
type Revived struct {
	Framework string
	Roles     []string
}

// Allocated says that a framework has resources which the plugin did not propose, or proposed before the
// latest Reset: a task found again, an operator's doing, a shared volume used once more.
type Allocated struct {
	Framework string
	Agent     string
	Resources resource.Resources // with the role they are allocated to
}

// Recovered says that a framework has given resources back: declined, unused, rescinded or freed by a task
// that ended.
type Recovered struct {
	Framework string
	Agent     string
	Resources resource.Resources // with the role they were allocated to
	// Filter says that the framework does not want them again for a time; nil says nothing.
	Filter *Filter
}

// Filter keeps resources of an agent from being offered again to the framework, in the role they were
// allocated to: offers whose resources are part of the refused ones. Something more on the agent makes an
// offer that passes.
type Filter struct {
	// Refuse is how long, at least one cycle. The host has put Mesos's default in and has capped it.
	Refuse time.Duration
}

// Converted says that an operation was applied to resources which a framework has been offered or uses:
// RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME and their kin. Both the agent's Total and the use change:
// From is taken out of each, and To is put in. Framework is empty when an operator did it: then only the
// Total changes.
type Converted struct {
	Framework string
	Agent     string
	From      resource.Resources
	To        resource.Resources
}

// WeightsChanged has the weight of every role whose weight is not 1.
type WeightsChanged struct{ Weights map[string]float64 }

// QuotaChanged has the quota of every role that has one.
type QuotaChanged struct{ Quotas map[string]Quota }

// Requested is a scheduler's REQUEST call: a wish, which most allocators do not heed.
type Requested struct {
	Framework string
	Agent     string // empty for any
	Resources resource.Resources
}

// InverseAnswered is what a framework says to an inverse offer.
type InverseAnswered struct {
	Framework string
	Agent     string
	Accepted  bool
	Filter    *Filter // how long no other is wanted; nil says nothing
}

func (AgentAdded) update()       {}
func (AgentChanged) update()     {}
func (AgentRemoved) update()     {}
func (FrameworkAdded) update()   {}
func (FrameworkChanged) update() {}
func (FrameworkRemoved) update() {}
func (Revived) update()          {}
func (Allocated) update()        {}
func (Recovered) update()        {}
func (Converted) update()        {}
func (WeightsChanged) update()   {}
func (QuotaChanged) update()     {}
func (Requested) update()        {}
func (InverseAnswered) update()  {}

// Snapshot is the whole cluster as the host has it. An Allocator is told of it by Reset and Update. Its updates
// are in an order in which they can be applied to an empty allocator: weights and quota, frameworks, agents with
// their uses. Filters are not part of it; they are forgotten with the allocator that held them.
type Snapshot struct {
	// Sequence is that of the last update which is contained in it.
	Sequence uint64
	Updates  []Update
}
