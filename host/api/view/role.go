package view

import (
	"context"

	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Role is a role, with what its frameworks have.
type Role struct {
	Name string
	// Frameworks are the ids of those frameworks subscribed to it that may be seen.
	Frameworks []string
	// Allocated is used by tasks, Offered is on offer, Reserved is reserved for the role.
	Allocated, Offered, Reserved resource.Quantities
}

// Roles returns the roles that may be seen, by name: those of frameworks with the roles above them, those that
// resources are reserved for, and the default role.
func (v *Viewer) Roles(ctx context.Context) []*Role {
	byName := map[string]*Role{}
	role := func(name string) *Role {
		if byName[name] == nil {
			byName[name] = &Role{Name: name}
		}
		return byName[name]
	}
	role(resource.DefaultRole)
	for f := range v.Frameworks(v.State.Frameworks()) {
		for _, name := range f.Roles {
			role(name).Frameworks = append(role(name).Frameworks, f.ID)
			for above, ok := resource.ParentRole(name); ok; above, ok = resource.ParentRole(above) {
				role(above)
			}
		}
	}
	for a := range v.State.Agents() {
		addAgent(a, role)
	}
	var out []*Role
	for _, name := range sorted(byName) {
		if v.Role(ctx, name) {
			out = append(out, byName[name])
		}
	}
	return out
}

func addAgent(a *master.Agent, role func(string) *Role) {
	for _, name := range a.Total.Roles() {
		r := role(name)
		r.Reserved = sum(r.Reserved, a.Total.ReservedTo(name))
	}
	for _, u := range a.Uses {
		for _, name := range u.Used.AllocationRoles() {
			r := role(name)
			r.Allocated = sum(r.Allocated, u.Used.AllocatedTo(name))
		}
		for _, name := range u.Offered.AllocationRoles() {
			r := role(name)
			r.Offered = sum(r.Offered, u.Offered.AllocatedTo(name))
		}
	}
}

// sum adds for display: what does not fit is left as it was.
func sum(q resource.Quantities, more resource.Resources) resource.Quantities {
	if all, err := q.Add(more.Scalars()); err == nil {
		return all
	}
	return q
}
