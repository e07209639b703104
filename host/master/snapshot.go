package master

import (
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// AllocatorSnapshot returns all that an allocator needs to know, to begin with; updates with a greater Seq than
// the snapshot's Sequence continue it. It goes through all frameworks and agents.
func (s *State) AllocatorSnapshot() allocator.Snapshot {
	updates := make([]allocator.Update, 0, s.frameworks.len()+s.agents.len())
	for f := range s.Frameworks() {
		updates = append(updates, allocator.FrameworkAdded{Framework: f.forAllocator()})
	}
	for a := range s.Agents() {
		updates = append(updates, allocator.AgentAdded{Agent: a.forAllocator(s.region), Uses: a.usesForAllocator()})
	}
	return allocator.Snapshot{Sequence: s.sequence, Updates: updates}
}

// forAllocator is what the allocator is told of a framework.
func (f *Framework) forAllocator() allocator.Framework {
	return allocator.Framework{
		ID: f.ID, Name: f.Name, Roles: f.Roles, Suppressed: f.Suppressed, Active: f.Active,
		MinAllocatable: f.constraints.least,
		Constraints:    f.constraints.constraints,
		Capabilities: allocator.Capabilities{
			RevocableResources:    f.Capabilities.Has(mesos.FrameworkInfo_Capability_REVOCABLE_RESOURCES),
			GPUResources:          f.Capabilities.Has(mesos.FrameworkInfo_Capability_GPU_RESOURCES),
			SharedResources:       f.Capabilities.Has(mesos.FrameworkInfo_Capability_SHARED_RESOURCES),
			RegionAware:           f.Capabilities.Has(mesos.FrameworkInfo_Capability_REGION_AWARE),
			ReservationRefinement: f.Capabilities.RefinedReservations(),
			MultiRole:             f.Capabilities.MultiRole(),
			PartitionAware:        f.Capabilities.PartitionAware(),
		},
	}
}

// forAllocator is what the allocator is told of an agent.
func (a *Agent) forAllocator(region string) allocator.Agent {
	out := allocator.Agent{
		ID: a.ID, Hostname: a.Hostname, Region: a.Region, Zone: a.Zone, Remote: a.remote(region),
		Attributes: a.Attributes, Total: a.Total, Active: a.Active,
	}
	for _, c := range a.Capabilities {
		switch c {
		case mesos.AgentInfo_Capability_MULTI_ROLE:
			out.Capabilities.MultiRole = true
		case mesos.AgentInfo_Capability_HIERARCHICAL_ROLE:
			out.Capabilities.HierarchicalRole = true
		case mesos.AgentInfo_Capability_RESERVATION_REFINEMENT:
			out.Capabilities.ReservationRefinement = true
		}
	}
	return out
}

// remote tells whether the agent is in another region than the masters. Without domains, none is.
func (a *Agent) remote(region string) bool {
	return a.Region != "" && region != "" && a.Region != region
}

func (a *Agent) usesForAllocator() []allocator.Use {
	var uses []allocator.Use
	for i := range a.Uses {
		if all := sumOf(a.Uses[i].Used, a.Uses[i].Offered); !all.IsEmpty() {
			uses = append(uses, allocator.Use{Framework: a.Uses[i].Framework, Resources: all})
		}
	}
	return uses
}

// sumOf adds two parts of one agent's resources, whose sum fits since the agent's total does.
func sumOf(a, b resource.Resources) resource.Resources {
	sum, err := a.Add(b)
	if err != nil {
		panic("resources of one agent do not add up: " + err.Error())
	}
	return sum
}
