package resource

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Kind says which of a Resource's values counts.
type Kind uint8

const (
	// KindScalar is a quantity: cpus, mem, disk, gpus.
	KindScalar Kind = iota
	// KindRanges is a set of integers: ports.
	KindRanges
	// KindSet is a set of names.
	KindSet
)

// String is the kind's name on the wire.
func (k Kind) String() string {
	switch k {
	case KindScalar:
		return "SCALAR"
	case KindRanges:
		return "RANGES"
	case KindSet:
		return "SET"
	default:
		return "UNKNOWN"
	}
}

// Resource is one entry of a Resources: a value with all that tells it from other resources of its
// name. mem and disk are in MB.
type Resource struct {
	Name         string
	Kind         Kind
	Scalar       Scalar // for KindScalar
	Ranges       Ranges // for KindRanges
	Set          Set    // for KindSet
	Reservations []Reservation
	Disk         *Disk
	Provider     string // the resource provider's id; empty for the agent itself
	Revocable    bool
	Shared       bool
	Role         string // the role it is allocated to (allocation_info.role); empty when it is not
}

// nameRank puts the names that every agent has first and in the order people know.
func nameRank(name string) int {
	switch name {
	case "cpus":
		return 0
	case "gpus":
		return 1
	case "mem":
		return 2
	case "disk":
		return 3
	case "ports":
		return 4
	default:
		return 5
	}
}

func compareName(a, b string) int {
	if a == b {
		return 0
	}
	return cmp.Or(cmp.Compare(nameRank(a), nameRank(b)), cmp.Compare(a, b))
}

// compareIdentity orders resources by everything but their values. Resources that compare equal are
// merged, save for those that can only be taken whole, which must have equal values too.
func compareIdentity(a, b *Resource) int {
	if c := compareName(a.Name, b.Name); c != 0 {
		return c
	}
	if a.Kind != b.Kind {
		return cmp.Compare(a.Kind, b.Kind)
	}
	if c := compareText(a.Role, b.Role); c != 0 {
		return c
	}
	if c := compareText(a.Provider, b.Provider); c != 0 {
		return c
	}
	if len(a.Reservations) > 0 || len(b.Reservations) > 0 {
		if c := slices.CompareFunc(a.Reservations, b.Reservations, compareReservation); c != 0 {
			return c
		}
	}
	if c := compareDisk(a.Disk, b.Disk); c != 0 {
		return c
	}
	if c := compareBool(a.Revocable, b.Revocable); c != 0 {
		return c
	}
	if c := compareBool(a.Shared, b.Shared); c != 0 {
		return c
	}
	if a.IsWhole() {
		return cmp.Compare(a.Scalar, b.Scalar)
	}
	return 0
}

// IsWhole tells whether the resource can only be given out as it is: a persistent volume, a MOUNT or
// BLOCK disk, a piece of RAW storage, anything shared.
func (r *Resource) IsWhole() bool { return r.Shared || r.Disk.whole() }

// IsEmpty tells whether the resource is no quantity at all.
func (r *Resource) IsEmpty() bool {
	switch r.Kind {
	case KindRanges:
		return len(r.Ranges) == 0
	case KindSet:
		return len(r.Set) == 0
	default:
		return r.Scalar == 0
	}
}

// IsPersistentVolume tells whether the resource is a volume that outlives its tasks.
func (r *Resource) IsPersistentVolume() bool { return r.Disk != nil && r.Disk.Persistence != nil }

// ReservationRole is the role the resource is reserved for, "*" when for none. Of a stack of
// reservations it is the innermost.
func (r *Resource) ReservationRole() string {
	if len(r.Reservations) == 0 {
		return DefaultRole
	}
	return r.Reservations[len(r.Reservations)-1].Role
}

// Quantity is the resource's amount: its scalar, or how many integers or names it holds.
func (r *Resource) Quantity() Scalar {
	switch r.Kind {
	case KindRanges:
		return Scalar(r.Ranges.Cardinality() * scalarUnit) // bounded when the value was made
	case KindSet:
		return Scalar(r.Set.Cardinality() * scalarUnit) // a set of 2^53 names fits no memory
	default:
		return r.Scalar
	}
}

// Validate says why the resource cannot be part of a Resources, in Mesos's words where it has some. A
// scalar of zero passes.
func (r *Resource) Validate() error {
	if err := r.validate(); err != nil {
		return fmt.Errorf("Resource '%s' is invalid: %w", *r, err) //nolint:staticcheck // Mesos's words, shown to its clients
	}
	return nil
}

func (r *Resource) validate() error {
	if r.Name == "" {
		return errors.New("Empty resource name") //nolint:staticcheck // Mesos's words
	}
	if err := r.validateValue(); err != nil {
		return err
	}
	if err := validateReservations(r.Reservations); err != nil {
		return err
	}
	if r.Disk != nil {
		if r.Name != "disk" {
			return fmt.Errorf("DiskInfo should not be set for %s resource", r.Name)
		}
		if err := r.Disk.validate(); err != nil {
			return err
		}
	}
	switch {
	case r.Shared && !r.IsPersistentVolume():
		return errors.New("Only persistent volumes can be shared") //nolint:staticcheck // as above
	case r.Revocable && len(r.Reservations) > 0:
		return errors.New("Revocable resources cannot be reserved") //nolint:staticcheck // as above
	case r.Revocable && r.IsPersistentVolume():
		return errors.New("Persistent volumes cannot be revocable") //nolint:staticcheck // as above
	}
	return nil
}

func (r *Resource) validateValue() error {
	switch r.Kind {
	case KindScalar:
		if r.Ranges != nil || r.Set != nil {
			return errors.New("Invalid scalar resource: ranges or set present") //nolint:staticcheck // Mesos's words
		}
		if r.Scalar < 0 {
			return errors.New("Invalid scalar resource: value <= 0") //nolint:staticcheck // as above
		}
		if r.Name == "gpus" && r.Scalar%scalarUnit != 0 {
			return errors.New("The 'gpus' resource must be an unsigned integer") //nolint:staticcheck // as above
		}
	case KindRanges:
		if r.Set != nil || r.Scalar != 0 {
			return errors.New("Invalid ranges resource: scalar or set present") //nolint:staticcheck // as above
		}
	case KindSet:
		if r.Ranges != nil || r.Scalar != 0 {
			return errors.New("Invalid set resource: scalar or ranges present") //nolint:staticcheck // as above
		}
	default:
		return errors.New("Unsupported resource type") //nolint:staticcheck // as above
	}
	return nil
}

// String writes the resource as Mesos does: cpus(allocated: *)(reservations: [(STATIC,ops)]):0.1.
func (r Resource) String() string { return string(r.appendTo(nil)) }

func (r *Resource) appendTo(b []byte) []byte {
	b = append(b, r.Name...)
	if r.Provider != "" {
		b = append(append(append(b, "(provider: "...), r.Provider...), ')')
	}
	if r.Role != "" {
		b = append(append(append(b, "(allocated: "...), r.Role...), ')')
	}
	if len(r.Reservations) > 0 {
		b = appendReservations(b, r.Reservations)
	}
	if r.Disk != nil {
		b = append(r.Disk.appendTo(append(b, '[')), ']')
	}
	if r.Revocable {
		b = append(b, "{REV}"...)
	}
	if r.Shared {
		b = append(b, "<SHARED>"...)
	}
	b = append(b, ':')
	switch r.Kind {
	case KindRanges:
		return r.Ranges.appendTo(b)
	case KindSet:
		return append(b, r.Set.String()...)
	default:
		return r.Scalar.appendTo(b)
	}
}
