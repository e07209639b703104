package allocator

import (
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Mesos's default for --min_allocatable_resources: one of these has to be there to be worth an offer.
const (
	leastCPUs = resource.Scalar(10)     // 0.01
	leastMem  = resource.Scalar(32_000) // 32 MB
)

// offerable is what of free the framework may be offered in the role, and why not when that is nothing;
// until is when the reason passes by itself, zero when it does not.
func (m *mirror) offerable(
	now time.Time, a *mirrorAgent, free resource.Resources, f *Framework, role string, quota *consumption,
) (r resource.Resources, why ReasonCode, until time.Time) {
	if why := m.excluded(a, f, role); why != "" {
		return resource.Resources{}, why, time.Time{}
	}
	r = free.AllocatableTo(role)
	if r.IsEmpty() && !free.IsEmpty() {
		return resource.Resources{}, ReasonReserved, time.Time{}
	}
	r, cut := quota.cut(role, capable(r, f.Capabilities))
	switch {
	case r.NonShared().IsEmpty() && cut:
		return resource.Resources{}, ReasonQuotaLimit, time.Time{}
	case r.NonShared().IsEmpty():
		return resource.Resources{}, ReasonNothingFree, time.Time{}
	case !worthwhile(r, f, role):
		return resource.Resources{}, ReasonTooSmall, time.Time{}
	}
	for _, x := range m.live(now, filterKey{f.ID, role, a.ID}) {
		if x.refused.Contains(r) {
			return resource.Resources{}, ReasonFiltered, x.until
		}
	}
	return r, "", time.Time{}
}

// excluded is why nothing at all of the agent may be offered; empty when something may.
func (m *mirror) excluded(a *mirrorAgent, f *Framework, role string) ReasonCode {
	constraints, constrained := f.Constraints[role]
	switch {
	case !f.Active:
		return ReasonInactive
	case slices.Contains(f.Suppressed, role):
		return ReasonSuppressed
	case !a.Active:
		return ReasonAgentInactive
	case a.Remote && !f.Capabilities.RegionAware:
		return ReasonRegion
	case !f.Capabilities.GPUResources && a.Total.Amount("gpus") > 0:
		return ReasonCapability
	case constrained && !constraints.Match(&a.Agent):
		return ReasonConstraint
	default:
		return ""
	}
}

// capable leaves out what a framework without the capability does not understand.
func capable(r resource.Resources, c Capabilities) resource.Resources {
	return r.Filter(func(x resource.Resource) bool {
		return (c.RevocableResources || !x.Revocable) &&
			(c.SharedResources || !x.Shared) &&
			(c.ReservationRefinement || len(x.Reservations) <= 1)
	})
}

func worthwhile(r resource.Resources, f *Framework, role string) bool {
	sets, own := f.MinAllocatable[role]
	if !own {
		return r.Amount("cpus") >= leastCPUs || r.Amount("mem") >= leastMem
	}
	amounts := r.Cardinalities()
	return len(sets) == 0 || slices.ContainsFunc(sets, amounts.Contains)
}

// consumption is what counts against quota: what is allocated without reservation, and all reservations.
type consumption struct {
	quotas map[string]Quota
	used   map[string]resource.Quantities // by role that has a quota
}

func (m *mirror) consumption() *consumption {
	c := &consumption{quotas: m.quotas, used: map[string]resource.Quantities{}}
	if len(m.quotas) == 0 {
		return c
	}
	for _, a := range m.agents {
		for x := range a.Total.Reserved().NonRevocable().All() {
			c.add(x.ReservationRole(), x)
		}
		for _, use := range a.uses {
			for x := range use.Unreserved().NonRevocable().All() {
				c.add(x.Role, x)
			}
		}
	}
	return c
}

// add counts a resource for the role and for those above it.
func (c *consumption) add(role string, x resource.Resource) {
	one, err := resource.NewQuantities(resource.Quantity{Name: x.Name, Amount: x.Quantity()})
	if err != nil {
		return
	}
	for above, ok := role, true; ok; above, ok = resource.ParentRole(above) {
		if _, has := c.quotas[above]; !has {
			continue
		}
		if sum, err := c.used[above].Add(one); err == nil {
			c.used[above] = sum
		}
	}
}

// take counts an offer.
func (c *consumption) take(role string, r resource.Resources) {
	if len(c.quotas) == 0 {
		return
	}
	for x := range r.Unreserved().NonRevocable().All() {
		c.add(role, x)
	}
}

// cut leaves of unreserved resources what the role's limits have room for, and tells whether that was less.
func (c *consumption) cut(role string, r resource.Resources) (left resource.Resources, less bool) {
	if len(c.quotas) == 0 {
		return r, false
	}
	var items []resource.Resource
	for x := range r.All() {
		room := c.room(role, x.Name)
		counts := len(x.Reservations) == 0 && !x.Revocable
		switch {
		case !counts || x.Quantity() <= room:
		case x.Kind != resource.KindScalar || x.IsWhole() || room == 0:
			less = true
			continue
		default:
			x.Scalar, less = room, true
		}
		items = append(items, x)
	}
	left, err := resource.New(items...)
	if err != nil { // parts of what was valid are
		return resource.Resources{}, true
	}
	return left, less
}

// room is how much of a name fits under the limits of the role and those above it.
func (c *consumption) room(role, name string) resource.Scalar {
	room := resource.Limits{}.Room(name, 0)
	for above, ok := role, true; ok; above, ok = resource.ParentRole(above) {
		if q, has := c.quotas[above]; has {
			room = min(room, q.Limits.Room(name, c.used[above].Get(name)))
		}
	}
	return room
}
