package allocatorconv

import (
	"fmt"
	"maps"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
)

// UpdateToProto encodes an update. It panics for a type that is not one of package allocator's.
func UpdateToProto(u allocator.Update) *allocatorv1.Update {
	out := &allocatorv1.Update{}
	switch u := u.(type) {
	case allocator.AgentAdded:
		out.Update = &allocatorv1.Update_AgentAdded{AgentAdded: &allocatorv1.AgentAdded{
			Agent: agentToProto(&u.Agent), Uses: usesToProto(u.Uses)}}
	case allocator.AgentChanged:
		out.Update = &allocatorv1.Update_AgentChanged{AgentChanged: &allocatorv1.AgentChanged{
			Agent: agentToProto(&u.Agent), ClearFilters: u.ClearFilters}}
	case allocator.AgentRemoved:
		out.Update = &allocatorv1.Update_AgentRemoved{AgentRemoved: &allocatorv1.AgentRemoved{AgentId: u.ID}}
	case allocator.FrameworkAdded:
		out.Update = &allocatorv1.Update_FrameworkAdded{FrameworkAdded: &allocatorv1.FrameworkAdded{
			Framework: frameworkToProto(&u.Framework)}}
	case allocator.FrameworkChanged:
		out.Update = &allocatorv1.Update_FrameworkChanged{FrameworkChanged: &allocatorv1.FrameworkChanged{
			Framework: frameworkToProto(&u.Framework)}}
	case allocator.FrameworkRemoved:
		out.Update = &allocatorv1.Update_FrameworkRemoved{FrameworkRemoved: &allocatorv1.FrameworkRemoved{FrameworkId: u.ID}}
	case allocator.Revived:
		out.Update = &allocatorv1.Update_Revived{Revived: &allocatorv1.Revived{FrameworkId: u.Framework, Roles: u.Roles}}
	default:
		resourceUpdateToProto(out, u)
	}
	return out
}

// resourceUpdateToProto encodes the updates about resources and roles.
func resourceUpdateToProto(out *allocatorv1.Update, u allocator.Update) {
	switch u := u.(type) {
	case allocator.Allocated:
		out.Update = &allocatorv1.Update_Allocated{Allocated: &allocatorv1.Allocated{
			FrameworkId: u.Framework, AgentId: u.Agent, Resources: resourceconv.ToProto(u.Resources)}}
	case allocator.Recovered:
		out.Update = &allocatorv1.Update_Recovered{Recovered: &allocatorv1.Recovered{
			FrameworkId: u.Framework, AgentId: u.Agent, Resources: resourceconv.ToProto(u.Resources), Filter: filterToProto(u.Filter)}}
	case allocator.Converted:
		out.Update = &allocatorv1.Update_Converted{Converted: &allocatorv1.Converted{
			FrameworkId: u.Framework, AgentId: u.Agent, From: resourceconv.ToProto(u.From), To: resourceconv.ToProto(u.To)}}
	case allocator.WeightsChanged:
		out.Update = &allocatorv1.Update_WeightsChanged{WeightsChanged: &allocatorv1.WeightsChanged{Weights: u.Weights}}
	case allocator.QuotaChanged:
		out.Update = &allocatorv1.Update_QuotaChanged{QuotaChanged: quotasToProto(u.Quotas)}
	case allocator.Requested:
		out.Update = &allocatorv1.Update_Requested{Requested: &allocatorv1.Requested{
			FrameworkId: u.Framework, AgentId: u.Agent, Resources: resourceconv.ToProto(u.Resources)}}
	case allocator.InverseAnswered:
		out.Update = &allocatorv1.Update_InverseAnswered{InverseAnswered: &allocatorv1.InverseAnswered{
			FrameworkId: u.Framework, AgentId: u.Agent, Accepted: u.Accepted, Filter: filterToProto(u.Filter)}}
	default:
		panic(fmt.Sprintf("allocatorconv: %T is no update", u))
	}
}

func quotasToProto(qs map[string]allocator.Quota) *allocatorv1.QuotaChanged {
	out := &allocatorv1.QuotaChanged{Quotas: map[string]*allocatorv1.Quota{}}
	for role, q := range qs {
		out.Quotas[role] = &allocatorv1.Quota{
			Guarantees: resourceconv.QuantitiesToProto(q.Guarantees),
			Limits:     resourceconv.LimitsToProto(q.Limits),
		}
	}
	return out
}

// UpdateFromProto decodes an update. One of a kind that this version does not know is nil.
func UpdateFromProto(p *allocatorv1.Update) (allocator.Update, error) {
	switch u := p.GetUpdate().(type) {
	case *allocatorv1.Update_AgentAdded:
		agent, err := agentFromProto(u.AgentAdded.GetAgent())
		if err != nil {
			return nil, err
		}
		uses, err := usesFromProto(u.AgentAdded.GetUses())
		if err != nil {
			return nil, fmt.Errorf("agent %q: %w", agent.ID, err)
		}
		return allocator.AgentAdded{Agent: agent, Uses: uses}, nil
	case *allocatorv1.Update_AgentChanged:
		agent, err := agentFromProto(u.AgentChanged.GetAgent())
		return allocator.AgentChanged{Agent: agent, ClearFilters: u.AgentChanged.GetClearFilters()}, err
	case *allocatorv1.Update_AgentRemoved:
		return allocator.AgentRemoved{ID: u.AgentRemoved.GetAgentId()}, nil
	case *allocatorv1.Update_FrameworkAdded:
		f, err := frameworkFromProto(u.FrameworkAdded.GetFramework())
		return allocator.FrameworkAdded{Framework: f}, err
	case *allocatorv1.Update_FrameworkChanged:
		f, err := frameworkFromProto(u.FrameworkChanged.GetFramework())
		return allocator.FrameworkChanged{Framework: f}, err
	case *allocatorv1.Update_FrameworkRemoved:
		return allocator.FrameworkRemoved{ID: u.FrameworkRemoved.GetFrameworkId()}, nil
	case *allocatorv1.Update_Revived:
		return allocator.Revived{Framework: u.Revived.GetFrameworkId(), Roles: u.Revived.GetRoles()}, nil
	default:
		return resourceUpdateFromProto(p)
	}
}

// resourceUpdateFromProto decodes the updates about resources and roles.
func resourceUpdateFromProto(p *allocatorv1.Update) (allocator.Update, error) {
	switch u := p.GetUpdate().(type) {
	case *allocatorv1.Update_Allocated:
		x := u.Allocated
		r, err := resourceconv.FromProto(x.GetResources())
		return allocator.Allocated{Framework: x.GetFrameworkId(), Agent: x.GetAgentId(), Resources: r}, err
	case *allocatorv1.Update_Recovered:
		x := u.Recovered
		r, err := resourceconv.FromProto(x.GetResources())
		return allocator.Recovered{
			Framework: x.GetFrameworkId(), Agent: x.GetAgentId(), Resources: r, Filter: filterFromProto(x.GetFilter()),
		}, err
	case *allocatorv1.Update_Converted:
		return convertedFromProto(u.Converted)
	case *allocatorv1.Update_WeightsChanged:
		return allocator.WeightsChanged{Weights: maps.Clone(u.WeightsChanged.GetWeights())}, nil
	case *allocatorv1.Update_QuotaChanged:
		return quotasFromProto(u.QuotaChanged)
	case *allocatorv1.Update_Requested:
		x := u.Requested
		r, err := resourceconv.FromProto(x.GetResources())
		return allocator.Requested{Framework: x.GetFrameworkId(), Agent: x.GetAgentId(), Resources: r}, err
	case *allocatorv1.Update_InverseAnswered:
		x := u.InverseAnswered
		return allocator.InverseAnswered{
			Framework: x.GetFrameworkId(), Agent: x.GetAgentId(), Accepted: x.GetAccepted(), Filter: filterFromProto(x.GetFilter()),
		}, nil
	default:
		return nil, nil //nolint:nilnil // said above: it is not known
	}
}

func convertedFromProto(p *allocatorv1.Converted) (allocator.Update, error) {
	from, err := resourceconv.FromProto(p.GetFrom())
	if err != nil {
		return nil, fmt.Errorf("operation on agent %q: %w", p.GetAgentId(), err)
	}
	to, err := resourceconv.FromProto(p.GetTo())
	if err != nil {
		return nil, fmt.Errorf("operation on agent %q: %w", p.GetAgentId(), err)
	}
	return allocator.Converted{Framework: p.GetFrameworkId(), Agent: p.GetAgentId(), From: from, To: to}, nil
}

func quotasFromProto(p *allocatorv1.QuotaChanged) (allocator.Update, error) {
	out := allocator.QuotaChanged{Quotas: map[string]allocator.Quota{}}
	for role, q := range p.GetQuotas() {
		var quota allocator.Quota
		var err error
		if quota.Guarantees, err = resourceconv.QuantitiesFromProto(q.GetGuarantees()); err != nil {
			return nil, fmt.Errorf("quota of role %q: %w", role, err)
		}
		if quota.Limits, err = resourceconv.LimitsFromProto(q.GetLimits()); err != nil {
			return nil, fmt.Errorf("quota of role %q: %w", role, err)
		}
		out.Quotas[role] = quota
	}
	return out, nil
}

// UpdatesFromProto decodes updates, leaving out those that this version does not know.
func UpdatesFromProto(ps []*allocatorv1.Update) ([]allocator.Update, error) {
	out := make([]allocator.Update, 0, len(ps))
	for _, p := range ps {
		u, err := UpdateFromProto(p)
		if err != nil {
			return nil, err
		}
		if u != nil {
			out = append(out, u)
		}
	}
	return out, nil
}
