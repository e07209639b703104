package allocator

import (
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Agent is one machine of the cluster.
type Agent struct {
	ID       string
	Hostname string
	Region   string // the fault domain; empty when it has none
	Zone     string
	// Remote says that the agent is in another region than the masters. Only frameworks with the
	// RegionAware capability may be offered it.
	Remote       bool
	Attributes   []resource.Attribute
	Capabilities AgentCapabilities
	// Total is all that the agent has, reservations and volumes included, allocated to nobody. What is
	// free is Total less what frameworks use.
	Total resource.Resources
	// Active agents may be offered. One that is disconnected, draining or deactivated is not active.
	Active bool
	// Unavailability is a planned maintenance, nil when none is.
	Unavailability *Unavailability
}

// AgentCapabilities are those of AgentInfo.Capability that change what may be offered.
type AgentCapabilities struct {
	MultiRole             bool
	HierarchicalRole      bool
	ReservationRefinement bool
}

// Unavailability is when a machine will be away. A Duration of 0 means for good.
type Unavailability struct {
	Start    time.Time
	Duration time.Duration
}

// Use is what one framework has of an agent: what runs there, and what is offered to it.
type Use struct {
	Framework string
	// Resources carry the role they are allocated to.
	Resources resource.Resources
}

// Framework is a scheduler that may be offered resources.
type Framework struct {
	ID   string
	Name string
	// Roles are those the framework is subscribed to.
	Roles []string
	// Suppressed are those of Roles for which it wants no offers now.
	Suppressed   []string
	Capabilities Capabilities
	// MinAllocatable has, for a role, the least that is worth an offer: one of the sets of quantities must
	// be covered. A role that is not in it has the allocator's own minimum. A role with no set, or with an
	// empty one, takes anything.
	MinAllocatable map[string][]resource.Quantities
	// Constraints has, for a role, which agents its offers may come from. A role that is not in it takes
	// any agent.
	Constraints map[string]RoleConstraints
	// Active frameworks may be offered resources. One that is disconnected is not active; what it uses
	// counts on.
	Active bool
}

// Capabilities are those of FrameworkInfo.Capability that change what may be offered.
type Capabilities struct {
	RevocableResources    bool
	GPUResources          bool
	SharedResources       bool
	RegionAware           bool
	ReservationRefinement bool
	MultiRole             bool
	PartitionAware        bool
}

// Quota is what a role (with the roles below it) is guaranteed and limited to, by resource name.
type Quota struct {
	Guarantees resource.Quantities
	Limits     resource.Limits
}
