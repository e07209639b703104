// Package allocatorconv turns the plain types of package allocator into the messages of
// mezzo.allocator.v1 and back, for both ends of a plugin's connection.
//
// What is decoded is checked for form alone: resources that are valid, ids that are there. Whether it is
// true of the cluster, the host judges.
package allocatorconv

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

func agentToProto(a *allocator.Agent) *allocatorv1.Agent {
	return &allocatorv1.Agent{
		Id:         a.ID,
		Hostname:   a.Hostname,
		Region:     a.Region,
		Zone:       a.Zone,
		Remote:     a.Remote,
		Attributes: resourceconv.AttributesToProto(a.Attributes),
		Capabilities: &allocatorv1.AgentCapabilities{
			MultiRole:             a.Capabilities.MultiRole,
			HierarchicalRole:      a.Capabilities.HierarchicalRole,
			ReservationRefinement: a.Capabilities.ReservationRefinement,
		},
		Total:          resourceconv.ToProto(a.Total),
		Active:         a.Active,
		Unavailability: unavailabilityToProto(a.Unavailability),
	}
}

func agentFromProto(p *allocatorv1.Agent) (allocator.Agent, error) {
	total, err := resourceconv.FromProto(p.GetTotal())
	if err != nil {
		return allocator.Agent{}, fmt.Errorf("agent %q: total: %w", p.GetId(), err)
	}
	attributes, err := resourceconv.AttributesFromProto(p.GetAttributes())
	if err != nil {
		return allocator.Agent{}, fmt.Errorf("agent %q: %w", p.GetId(), err)
	}
	return allocator.Agent{
		ID:         p.GetId(),
		Hostname:   p.GetHostname(),
		Region:     p.GetRegion(),
		Zone:       p.GetZone(),
		Remote:     p.GetRemote(),
		Attributes: attributes,
		Capabilities: allocator.AgentCapabilities{
			MultiRole:             p.GetCapabilities().GetMultiRole(),
			HierarchicalRole:      p.GetCapabilities().GetHierarchicalRole(),
			ReservationRefinement: p.GetCapabilities().GetReservationRefinement(),
		},
		Total:          total,
		Active:         p.GetActive(),
		Unavailability: unavailabilityFromProto(p.GetUnavailability()),
	}, nil
}

func unavailabilityToProto(u *allocator.Unavailability) *allocatorv1.Unavailability {
	if u == nil {
		return nil
	}
	out := &allocatorv1.Unavailability{Start: timestamppb.New(u.Start)}
	if u.Duration != 0 {
		out.Duration = durationpb.New(u.Duration)
	}
	return out
}

func unavailabilityFromProto(p *allocatorv1.Unavailability) *allocator.Unavailability {
	if p == nil {
		return nil
	}
	return &allocator.Unavailability{Start: p.GetStart().AsTime(), Duration: p.GetDuration().AsDuration()}
}

func usesToProto(us []allocator.Use) []*allocatorv1.Use {
	var out []*allocatorv1.Use
	for i := range us {
		out = append(out, &allocatorv1.Use{FrameworkId: us[i].Framework, Resources: resourceconv.ToProto(us[i].Resources)})
	}
	return out
}

func usesFromProto(ps []*allocatorv1.Use) ([]allocator.Use, error) {
	var out []allocator.Use
	for _, p := range ps {
		r, err := resourceconv.FromProto(p.GetResources())
		if err != nil {
			return nil, fmt.Errorf("use of framework %q: %w", p.GetFrameworkId(), err)
		}
		out = append(out, allocator.Use{Framework: p.GetFrameworkId(), Resources: r})
	}
	return out, nil
}

func frameworkToProto(f *allocator.Framework) *allocatorv1.Framework {
	out := &allocatorv1.Framework{
		Id:         f.ID,
		Name:       f.Name,
		Roles:      f.Roles,
		Suppressed: f.Suppressed,
		Capabilities: &allocatorv1.FrameworkCapabilities{
			RevocableResources:    f.Capabilities.RevocableResources,
			GpuResources:          f.Capabilities.GPUResources,
			SharedResources:       f.Capabilities.SharedResources,
			RegionAware:           f.Capabilities.RegionAware,
			ReservationRefinement: f.Capabilities.ReservationRefinement,
			MultiRole:             f.Capabilities.MultiRole,
			PartitionAware:        f.Capabilities.PartitionAware,
		},
		Active: f.Active,
	}
	for role, sets := range f.MinAllocatable {
		m := &allocatorv1.MinAllocatable{}
		for _, q := range sets {
			m.AnyOf = append(m.AnyOf, resourceconv.QuantitiesToProto(q))
		}
		put(&out.MinAllocatable, role, m)
	}
	for role, c := range f.Constraints {
		put(&out.Constraints, role, constraintsToProto(c))
	}
	return out
}

func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}

func frameworkFromProto(p *allocatorv1.Framework) (allocator.Framework, error) {
	c := p.GetCapabilities()
	out := allocator.Framework{
		ID:         p.GetId(),
		Name:       p.GetName(),
		Roles:      p.GetRoles(),
		Suppressed: p.GetSuppressed(),
		Capabilities: allocator.Capabilities{
			RevocableResources:    c.GetRevocableResources(),
			GPUResources:          c.GetGpuResources(),
			SharedResources:       c.GetSharedResources(),
			RegionAware:           c.GetRegionAware(),
			ReservationRefinement: c.GetReservationRefinement(),
			MultiRole:             c.GetMultiRole(),
			PartitionAware:        c.GetPartitionAware(),
		},
		Active: p.GetActive(),
	}
	for role, m := range p.GetMinAllocatable() {
		sets, err := quantitySets(m.GetAnyOf())
		if err != nil {
			return allocator.Framework{}, fmt.Errorf("framework %q: least amount for role %q: %w", p.GetId(), role, err)
		}
		put(&out.MinAllocatable, role, sets)
	}
	for role, c := range p.GetConstraints() {
		constraints, err := constraintsFromProto(c)
		if err != nil {
			return allocator.Framework{}, fmt.Errorf("framework %q: constraints of role %q: %w", p.GetId(), role, err)
		}
		put(&out.Constraints, role, constraints)
	}
	return out, nil
}

func quantitySets(ps []*resourcev1.Quantities) ([]resource.Quantities, error) {
	var out []resource.Quantities
	for _, p := range ps {
		q, err := resourceconv.QuantitiesFromProto(p)
		if err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	return out, nil
}

func constraintsToProto(r allocator.RoleConstraints) *allocatorv1.RoleConstraints {
	out := &allocatorv1.RoleConstraints{}
	for _, g := range r.Groups {
		group := &allocatorv1.ConstraintGroup{}
		for _, c := range g.Constraints {
			group.Constraints = append(group.Constraints, &allocatorv1.Constraint{
				Selector:  allocatorv1.Selector(c.Selector()) + 1,
				Attribute: c.Attribute(),
				Predicate: allocatorv1.ConstraintPredicate(c.Predicate()) + 1,
				Text:      c.Text(),
			})
		}
		out.Groups = append(out.Groups, group)
	}
	return out
}

func constraintsFromProto(p *allocatorv1.RoleConstraints) (allocator.RoleConstraints, error) {
	var out allocator.RoleConstraints
	for _, g := range p.GetGroups() {
		var group allocator.ConstraintGroup
		for _, c := range g.GetConstraints() {
			constraint, err := constraintFromProto(c)
			if err != nil {
				return allocator.RoleConstraints{}, err
			}
			group.Constraints = append(group.Constraints, constraint)
		}
		out.Groups = append(out.Groups, group)
	}
	return out, nil
}

func constraintFromProto(p *allocatorv1.Constraint) (allocator.Constraint, error) {
	if _, known := allocatorv1.Selector_name[int32(p.GetSelector())]; !known || p.GetSelector() == 0 {
		return allocator.Constraint{}, fmt.Errorf("unknown selector %d", p.GetSelector())
	}
	if _, known := allocatorv1.ConstraintPredicate_name[int32(p.GetPredicate())]; !known || p.GetPredicate() == 0 {
		return allocator.Constraint{}, fmt.Errorf("unknown predicate %d", p.GetPredicate())
	}
	return allocator.NewConstraint(
		allocator.Selector(p.GetSelector()-1), p.GetAttribute(), //nolint:gosec // a known enum is small
		allocator.Predicate(p.GetPredicate()-1), p.GetText()) //nolint:gosec // as above
}

func filterToProto(f *allocator.Filter) *allocatorv1.Filter {
	if f == nil {
		return nil
	}
	return &allocatorv1.Filter{Refuse: durationpb.New(f.Refuse)}
}

func filterFromProto(p *allocatorv1.Filter) *allocator.Filter {
	if p == nil {
		return nil
	}
	return &allocator.Filter{Refuse: p.GetRefuse().AsDuration()}
}

func timeToProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func timeFromProto(p *timestamppb.Timestamp) time.Time {
	if p == nil {
		return time.Time{}
	}
	return p.AsTime()
}
