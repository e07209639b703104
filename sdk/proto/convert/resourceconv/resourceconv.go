// Package resourceconv turns resources into the messages of mezzo.resource.v1 and back, for both ends of a
// plugin's connection.
package resourceconv

import (
	"fmt"

	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// ToProto encodes resources; nil for none.
func ToProto(r resource.Resources) *resourcev1.Resources {
	if r.IsEmpty() {
		return nil
	}
	n := r.Len()
	items := make([]*resourcev1.Resource, 0, n)
	block := make([]resourcev1.Resource, n)
	for x := range r.All() {
		p := &block[len(items)]
		fill(p, &x)
		items = append(items, p)
	}
	return &resourcev1.Resources{Items: items}
}

func fill(p *resourcev1.Resource, x *resource.Resource) {
	p.Name = x.Name
	p.Kind = resourcev1.Kind(x.Kind)
	switch x.Kind {
	case resource.KindRanges:
		p.Ranges = rangesToProto(x.Ranges)
	case resource.KindSet:
		p.Set = x.Set
	default:
		p.Scalar = int64(x.Scalar)
	}
	for i := range x.Reservations {
		p.Reservations = append(p.Reservations, reservationToProto(&x.Reservations[i]))
	}
	p.Disk = diskToProto(x.Disk)
	p.Provider = x.Provider
	p.Revocable = x.Revocable
	p.Shared = x.Shared
	p.Role = x.Role
}

// FromProto decodes and validates resources; nil is none.
func FromProto(p *resourcev1.Resources) (resource.Resources, error) {
	if len(p.GetItems()) == 0 {
		return resource.Resources{}, nil
	}
	items := make([]resource.Resource, len(p.GetItems()))
	for i, x := range p.GetItems() {
		if err := read(&items[i], x); err != nil {
			return resource.Resources{}, err
		}
	}
	return resource.New(items...)
}

func read(r *resource.Resource, p *resourcev1.Resource) error {
	if p.GetKind() < 0 || p.GetKind() > resourcev1.Kind_KIND_SET {
		return fmt.Errorf("resource %q: unknown kind %d", p.GetName(), p.GetKind())
	}
	r.Name = p.GetName()
	r.Kind = resource.Kind(p.GetKind()) //nolint:gosec // bounded just above
	var err error
	switch r.Kind {
	case resource.KindRanges:
		r.Ranges, err = rangesFromProto(p.GetRanges())
	case resource.KindSet:
		r.Set = p.GetSet()
	default:
		r.Scalar = resource.Scalar(p.GetScalar())
	}
	if err != nil {
		return fmt.Errorf("resource %q: %w", p.GetName(), err)
	}
	for _, x := range p.GetReservations() {
		r.Reservations = append(r.Reservations, reservationFromProto(x))
	}
	r.Disk = diskFromProto(p.GetDisk())
	r.Provider = p.GetProvider()
	r.Revocable = p.GetRevocable()
	r.Shared = p.GetShared()
	r.Role = p.GetRole()
	return nil
}

func rangesToProto(r resource.Ranges) []uint64 {
	out := make([]uint64, 0, 2*len(r))
	for _, x := range r {
		out = append(out, x.Begin, x.End)
	}
	return out
}

func rangesFromProto(bounds []uint64) (resource.Ranges, error) {
	if len(bounds)%2 != 0 {
		return nil, fmt.Errorf("ranges have an odd number of bounds: %d", len(bounds))
	}
	out := make(resource.Ranges, 0, len(bounds)/2)
	for i := 0; i < len(bounds); i += 2 {
		out = append(out, resource.Range{Begin: bounds[i], End: bounds[i+1]})
	}
	return out, nil
}

// enum is a small enum's number, and 0, which Validate refuses, for one that is unknown.
func enum[E ~int32](e E) uint8 {
	if e < 0 || e > 255 {
		return 0
	}
	return uint8(e)
}

func optional(s string, set bool) *string {
	if !set {
		return nil
	}
	return &s
}

func reservationToProto(r *resource.Reservation) *resourcev1.Reservation {
	return &resourcev1.Reservation{
		Type:      resourcev1.ReservationType(r.Type),
		Role:      r.Role,
		Principal: optional(r.Principal, r.HasPrincipal),
		Labels:    labelsToProto(r.Labels),
	}
}

func reservationFromProto(p *resourcev1.Reservation) resource.Reservation {
	return resource.Reservation{
		Type:         resource.ReservationType(enum(p.GetType())),
		Role:         p.GetRole(),
		Principal:    p.GetPrincipal(),
		HasPrincipal: p.Principal != nil,
		Labels:       labelsFromProto(p.GetLabels()),
	}
}

func labelsToProto(l []resource.Label) []*resourcev1.Label {
	var out []*resourcev1.Label
	for _, x := range l {
		out = append(out, &resourcev1.Label{Key: x.Key, Value: optional(x.Value, x.HasValue)})
	}
	return out
}

func labelsFromProto(p []*resourcev1.Label) []resource.Label {
	var out []resource.Label
	for _, x := range p {
		out = append(out, resource.Label{Key: x.GetKey(), Value: x.GetValue(), HasValue: x.Value != nil})
	}
	return out
}
