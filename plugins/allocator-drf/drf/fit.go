package drf

import (
	"strings"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// verdict is what a client can be offered of an agent, or why nothing.
type verdict struct {
	resources resource.Resources   // allocated to nobody; empty when nothing can be offered
	reason    allocator.ReasonCode // why nothing can be offered
	until     time.Time            // when the reason passes by itself, zero when it does not
	capped    bool                 // a quota has cut the resources
}

func no(reason allocator.ReasonCode) verdict { return verdict{reason: reason} }

// fit says what the client can be offered of the agent now.
func (a *Allocator) fit(now time.Time, c *client, ag *agent) verdict {
	if reason := a.barred(c, ag); reason != "" {
		return no(reason)
	}
	free := ag.available()
	if free.IsEmpty() {
		return no(allocator.ReasonNothingFree)
	}
	forRole := free.AllocatableTo(c.role)
	if forRole.IsEmpty() {
		return no(allocator.ReasonReserved)
	}
	usable := understood(&c.framework.Capabilities, forRole)
	if usable.IsEmpty() {
		return no(allocator.ReasonCapability)
	}
	cut, reason, err := a.quotas.fit(a.names, c.role, usable)
	if err != nil {
		// A part of a valid collection is always valid.
		return no(allocator.ReasonNothingFree)
	}
	v := verdict{resources: cut, capped: reason != ""}
	if !enough(a.minimum(c), cut) || cut.IsEmpty() {
		v.resources, v.reason = resource.Resources{}, allocator.ReasonTooSmall
		switch {
		case v.capped:
			v.reason = reason
		case forRole.Len() < free.Len() && enough(a.minimum(c), free):
			v.reason = allocator.ReasonReserved // what is not reserved, ports say, is too little by itself
		}
		return v
	}
	v.resources = withShared(c, ag, cut)
	if until, filtered := ag.filtered(now, c, v.resources); filtered {
		v.resources, v.reason, v.until = resource.Resources{}, allocator.ReasonFiltered, until
	}
	return v
}

// barred says why nothing of the agent may be offered to the client, whatever is free.
func (a *Allocator) barred(c *client, ag *agent) allocator.ReasonCode {
	caps := &c.framework.Capabilities
	switch {
	case !ag.Active:
		return allocator.ReasonAgentInactive
	case ag.Remote && !caps.RegionAware:
		return allocator.ReasonRegion
	case a.settings.filterGPU && ag.hasGPU && !caps.GPUResources,
		caps.MultiRole && !ag.Capabilities.MultiRole,
		!ag.Capabilities.HierarchicalRole && strings.Contains(c.role, "/"):
		return allocator.ReasonCapability
	}
	if constraints, found := c.framework.Constraints[c.role]; found && !constraints.Match(&ag.Agent) {
		return allocator.ReasonConstraint
	}
	return ""
}

// understood is what a framework of these capabilities can be offered.
func understood(caps *allocator.Capabilities, r resource.Resources) resource.Resources {
	if caps.RevocableResources && caps.ReservationRefinement {
		return r
	}
	return r.Filter(func(x resource.Resource) bool {
		return (caps.RevocableResources || !x.Revocable) && (caps.ReservationRefinement || len(x.Reservations) <= 1)
	})
}

// withShared adds the agent's shared volumes that the client may use, in use or not. They are offered
// beside other resources only, or they would be offered for ever.
func withShared(c *client, ag *agent, r resource.Resources) resource.Resources {
	if !c.framework.Capabilities.SharedResources {
		return r
	}
	shared := understood(&c.framework.Capabilities, ag.Total.Shared().AllocatableTo(c.role))
	if shared.IsEmpty() {
		return r
	}
	all, err := r.Add(shared)
	if err != nil {
		return r // too much to count: then without the volumes
	}
	return all
}

// minimum is the least that is worth an offer to the client.
func (a *Allocator) minimum(c *client) []resource.Quantities {
	if own, found := c.framework.MinAllocatable[c.role]; found {
		return own
	}
	return a.settings.minAllocatable
}
