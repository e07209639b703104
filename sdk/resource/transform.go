package resource

import (
	"errors"
	"fmt"
	"slices"
)

// Filter keeps what the predicate accepts. It is asked once for a resource held several times.
func (r Resources) Filter(keep func(Resource) bool) Resources {
	return r.filter(func(x *Resource) bool { return keep(*x) })
}

// filter returns r itself, without allocating, when everything is kept.
func (r Resources) filter(keep func(*Resource) bool) Resources {
	first := 0
	for first < len(r.items) && keep(&r.items[first].Resource) {
		first++
	}
	if first == len(r.items) {
		return r
	}
	var out []item
	out = append(out, r.items[:first]...)
	for i := first + 1; i < len(r.items); i++ {
		if keep(&r.items[i].Resource) {
			out = append(out, r.items[i])
		}
	}
	return Resources{items: out}
}

func (r Resources) any(is func(*Resource) bool) bool {
	for i := range r.items {
		if is(&r.items[i].Resource) {
			return true
		}
	}
	return false
}

// Unreserved keeps what is reserved for nobody.
func (r Resources) Unreserved() Resources {
	return r.filter(func(x *Resource) bool { return len(x.Reservations) == 0 })
}

// Reserved keeps what is reserved for some role.
func (r Resources) Reserved() Resources {
	return r.filter(func(x *Resource) bool { return len(x.Reservations) > 0 })
}

// ReservedTo keeps what is reserved for exactly this role.
func (r Resources) ReservedTo(role string) Resources {
	return r.filter(func(x *Resource) bool { return len(x.Reservations) > 0 && x.ReservationRole() == role })
}

// AllocatableTo keeps what may be allocated to the role: what is unreserved, and what is reserved for
// the role or one above it.
func (r Resources) AllocatableTo(role string) Resources {
	return r.filter(func(x *Resource) bool {
		return len(x.Reservations) == 0 || IsSubrole(role, x.ReservationRole())
	})
}

// AllocatedTo keeps what is allocated to exactly this role.
func (r Resources) AllocatedTo(role string) Resources {
	return r.filter(func(x *Resource) bool { return x.Role == role })
}

// Revocable keeps what may be taken back at any time.
func (r Resources) Revocable() Resources {
	return r.filter(func(x *Resource) bool { return x.Revocable })
}

// NonRevocable keeps what stays with whom it is given to.
func (r Resources) NonRevocable() Resources {
	return r.filter(func(x *Resource) bool { return !x.Revocable })
}

// Shared keeps the volumes that several tasks may use at once.
func (r Resources) Shared() Resources { return r.filter(func(x *Resource) bool { return x.Shared }) }

// NonShared keeps what one task alone may use.
func (r Resources) NonShared() Resources {
	return r.filter(func(x *Resource) bool { return !x.Shared })
}

// PersistentVolumes keeps the volumes that outlive their tasks.
func (r Resources) PersistentVolumes() Resources { return r.filter((*Resource).IsPersistentVolume) }

// Roles is the roles that resources of the collection are reserved for, in order, each once.
func (r Resources) Roles() []string {
	var roles []string
	for i := range r.items {
		if len(r.items[i].Reservations) > 0 {
			roles = append(roles, r.items[i].ReservationRole())
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// AllocationRoles is the roles that resources of the collection are allocated to, in order, each once.
// What is allocated to nobody counts as the empty role.
func (r Resources) AllocationRoles() []string {
	var roles []string
	for i := range r.items {
		if role := r.items[i].Role; len(roles) == 0 || roles[len(roles)-1] != role {
			roles = append(roles, role)
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// mapped is the collection with every resource changed, which must not make a name's sum larger.
func (r Resources) mapped(change func(*Resource)) Resources {
	if len(r.items) == 0 {
		return r
	}
	items := slices.Clone(r.items)
	for i := range items {
		change(&items[i].Resource)
	}
	out, err := collect(items)
	if err != nil {
		// The change keeps every quantity, and the sums fitted before; only copies could overflow, and
		// a collection of 2^31 volumes does not fit into memory.
		panic(fmt.Sprintf("resource: relabel %s: %v", r, err))
	}
	return out
}

// Allocate is the collection with every resource allocated to the role.
func (r Resources) Allocate(role string) Resources {
	if !r.any(func(x *Resource) bool { return x.Role != role }) {
		return r
	}
	return r.mapped(func(x *Resource) { x.Role = role })
}

// Unallocate is the collection with no resource allocated to a role.
func (r Resources) Unallocate() Resources { return r.Allocate("") }

// Flatten is the collection with no reservations.
func (r Resources) Flatten() Resources {
	if !r.any(func(x *Resource) bool { return len(x.Reservations) > 0 }) {
		return r
	}
	return r.mapped(func(x *Resource) { x.Reservations = nil })
}

// PushReservation is the collection with one more reservation upon every resource. It must be dynamic
// and for a role strictly below that of the reservation it refines.
func (r Resources) PushReservation(reservation Reservation) (Resources, error) {
	items := slices.Clone(r.items)
	for i := range items {
		x := &items[i].Resource
		x.Reservations = append(slices.Clone(x.Reservations), reservation)
		if err := x.Validate(); err != nil {
			return Resources{}, err
		}
	}
	return collect(items)
}

// PopReservation is the collection with the innermost reservation of every resource undone. It is an
// error for resources that are not reserved.
func (r Resources) PopReservation() (Resources, error) {
	items := slices.Clone(r.items)
	for i := range items {
		x := &items[i].Resource
		n := len(x.Reservations)
		if n == 0 {
			return Resources{}, fmt.Errorf("unreserve %s: %w", *x, errUnreserved)
		}
		x.Reservations = slices.Clone(x.Reservations[:n-1])
	}
	return collect(items)
}

var errUnreserved = errors.New("resource is not reserved")
