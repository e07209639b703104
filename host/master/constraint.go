package master

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// allocatorParts are the parts of a framework's description that matter to the allocator alone, compiled.
type allocatorParts struct {
	least       map[string][]resource.Quantities
	constraints map[string]allocator.RoleConstraints
}

// leastOf reads FrameworkInfo.offer_filters: per role, what is worth an offer.
func leastOf(info *mesos.FrameworkInfo) (map[string][]resource.Quantities, error) {
	if len(info.GetOfferFilters()) == 0 {
		return nil, nil
	}
	out := map[string][]resource.Quantities{}
	for _, role := range slices.Sorted(maps.Keys(info.GetOfferFilters())) {
		if err := resource.ValidateRole(role); err != nil {
			return nil, fmt.Errorf("'FrameworkInfo.offer_filters' contains invalid role %q: %w", role, err)
		}
		least := info.GetOfferFilters()[role].GetMinAllocatableResources()
		if least == nil {
			continue
		}
		sets := []resource.Quantities{}
		for _, q := range least.GetQuantities() {
			set, err := wire.QuantitiesFromMesos(q.GetQuantities())
			if err != nil {
				return nil, fmt.Errorf("'FrameworkInfo.offer_filters' of role %q is invalid: %w", role, err)
			}
			sets = append(sets, set)
		}
		out[role] = sets
	}
	return out, nil
}

// constraintsOf compiles a framework's offer constraints.
func constraintsOf(in *scheduler.OfferConstraints) (map[string]allocator.RoleConstraints, error) {
	if len(in.GetRoleConstraints()) == 0 {
		return nil, nil
	}
	out := map[string]allocator.RoleConstraints{}
	for _, role := range slices.Sorted(maps.Keys(in.GetRoleConstraints())) {
		one, err := roleConstraints(in.GetRoleConstraints()[role])
		if err != nil {
			return nil, fmt.Errorf("offer constraints of role %q are invalid: %w", role, err)
		}
		out[role] = one
	}
	return out, nil
}

func roleConstraints(in *scheduler.OfferConstraints_RoleConstraints) (allocator.RoleConstraints, error) {
	var out allocator.RoleConstraints
	if len(in.GetGroups()) == 0 {
		return out, errors.New("there is no group")
	}
	for _, g := range in.GetGroups() {
		if len(g.GetAttributeConstraints()) == 0 {
			return out, errors.New("a group is empty")
		}
		var group allocator.ConstraintGroup
		for _, c := range g.GetAttributeConstraints() {
			one, err := constraintOf(c)
			if err != nil {
				return out, err
			}
			group.Constraints = append(group.Constraints, one)
		}
		out.Groups = append(out.Groups, group)
	}
	return out, nil
}

func constraintOf(in *scheduler.AttributeConstraint) (allocator.Constraint, error) {
	selector := allocator.SelectAttribute
	switch s := in.GetSelector().GetSelector().(type) {
	case *scheduler.AttributeConstraint_Selector_AttributeName:
		if s.AttributeName == "" {
			return allocator.Constraint{}, errors.New("an attribute name is empty")
		}
	case *scheduler.AttributeConstraint_Selector_PseudoattributeType_:
		switch s.PseudoattributeType {
		case scheduler.AttributeConstraint_Selector_HOSTNAME:
			selector = allocator.SelectHostname
		case scheduler.AttributeConstraint_Selector_REGION:
			selector = allocator.SelectRegion
		case scheduler.AttributeConstraint_Selector_ZONE:
			selector = allocator.SelectZone
		default:
			return allocator.Constraint{}, errors.New("a pseudo attribute is unknown")
		}
	default:
		return allocator.Constraint{}, errors.New("a constraint has no selector")
	}
	predicate, text, err := predicateOf(in.GetPredicate())
	if err != nil {
		return allocator.Constraint{}, err
	}
	return allocator.NewConstraint(selector, in.GetSelector().GetAttributeName(), predicate, text)
}

func predicateOf(in *scheduler.AttributeConstraint_Predicate) (allocator.Predicate, string, error) {
	switch p := in.GetPredicate().(type) {
	case *scheduler.AttributeConstraint_Predicate_Exists_:
		return allocator.Exists, "", nil
	case *scheduler.AttributeConstraint_Predicate_NotExists_:
		return allocator.NotExists, "", nil
	case *scheduler.AttributeConstraint_Predicate_TextEquals_:
		return allocator.TextEquals, p.TextEquals.GetValue(), nil
	case *scheduler.AttributeConstraint_Predicate_TextNotEquals_:
		return allocator.TextNotEquals, p.TextNotEquals.GetValue(), nil
	case *scheduler.AttributeConstraint_Predicate_TextMatches_:
		return allocator.TextMatches, p.TextMatches.GetRegex(), nil
	case *scheduler.AttributeConstraint_Predicate_TextNotMatches_:
		return allocator.TextNotMatches, p.TextNotMatches.GetRegex(), nil
	default:
		return 0, "", errors.New("a constraint has no predicate")
	}
}
