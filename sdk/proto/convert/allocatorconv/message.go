package allocatorconv

import (
	"fmt"
	"iter"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Chunks cuts a snapshot into messages of at most maxBytes. A single update that is larger is a chunk by
// itself. There is at least one chunk.
func Chunks(s allocator.Snapshot, maxBytes int) iter.Seq[*allocatorv1.SnapshotChunk] {
	return func(yield func(*allocatorv1.SnapshotChunk) bool) {
		chunk := &allocatorv1.SnapshotChunk{Sequence: s.Sequence, First: true}
		size := 0
		for _, u := range s.Updates {
			p := UpdateToProto(u)
			n := proto.Size(p) + 8 // its tag and length
			if size > 0 && size+n > maxBytes-64 {
				if !yield(chunk) {
					return
				}
				chunk, size = &allocatorv1.SnapshotChunk{Sequence: s.Sequence}, 0
			}
			chunk.Updates = append(chunk.Updates, p)
			size += n
		}
		chunk.Last = true
		yield(chunk)
	}
}

// AnswerToProto encodes an answer.
func AnswerToProto(a allocator.Answer) *allocatorv1.Answer {
	out := &allocatorv1.Answer{Id: a.ID}
	if a.Accepted() {
		out.Outcome = &allocatorv1.Answer_OfferId{OfferId: a.OfferID}
	} else {
		out.Outcome = &allocatorv1.Answer_Refused{Refused: a.Refused}
	}
	return out
}

// AnswerFromProto decodes an answer. One without an outcome is a refusal.
func AnswerFromProto(p *allocatorv1.Answer) allocator.Answer {
	out := allocator.Answer{ID: p.GetId(), OfferID: p.GetOfferId(), Refused: p.GetRefused()}
	if _, accepted := p.GetOutcome().(*allocatorv1.Answer_OfferId); !accepted && out.Refused == "" {
		out.Refused = "refused"
	}
	return out
}

// AllocationToProto encodes a proposal.
func AllocationToProto(a *allocator.Allocation) *allocatorv1.Allocation {
	return &allocatorv1.Allocation{
		Id: a.ID, FrameworkId: a.Framework, Role: a.Role, AgentId: a.Agent, Resources: resourceconv.ToProto(a.Resources),
	}
}

// AllocationFromProto decodes a proposal and checks its form.
func AllocationFromProto(p *allocatorv1.Allocation) (allocator.Allocation, error) {
	r, err := resourceconv.FromProto(p.GetResources())
	if err != nil {
		return allocator.Allocation{}, fmt.Errorf("allocation %d: %w", p.GetId(), err)
	}
	a := allocator.Allocation{ID: p.GetId(), Framework: p.GetFrameworkId(), Role: p.GetRole(), Agent: p.GetAgentId(), Resources: r}
	return a, checkAllocation(&a)
}

// checkAllocation checks what every proposal has to have.
func checkAllocation(a *allocator.Allocation) error {
	switch {
	case a.Framework == "" || a.Agent == "":
		return fmt.Errorf("allocation %d has no framework or no agent", a.ID)
	case a.Resources.IsEmpty():
		return fmt.Errorf("allocation %d has no resources", a.ID)
	}
	if err := resource.ValidateRole(a.Role); err != nil {
		return fmt.Errorf("allocation %d: %w", a.ID, err)
	}
	return nil
}

// InverseOfferToProto encodes an inverse offer.
func InverseOfferToProto(o *allocator.InverseOffer) *allocatorv1.InverseOffer {
	return &allocatorv1.InverseOffer{
		Id: o.ID, FrameworkId: o.Framework, AgentId: o.Agent, Resources: resourceconv.ToProto(o.Resources),
		Unavailability: unavailabilityToProto(&o.Unavailability),
	}
}

// InverseOfferFromProto decodes an inverse offer and checks its form.
func InverseOfferFromProto(p *allocatorv1.InverseOffer) (allocator.InverseOffer, error) {
	r, err := resourceconv.FromProto(p.GetResources())
	if err != nil {
		return allocator.InverseOffer{}, fmt.Errorf("inverse offer %d: %w", p.GetId(), err)
	}
	if p.GetFrameworkId() == "" || p.GetAgentId() == "" || p.GetUnavailability() == nil {
		return allocator.InverseOffer{}, fmt.Errorf("inverse offer %d has no framework, agent or unavailability", p.GetId())
	}
	return allocator.InverseOffer{
		ID: p.GetId(), Framework: p.GetFrameworkId(), Agent: p.GetAgentId(), Resources: r,
		Unavailability: *unavailabilityFromProto(p.GetUnavailability()),
	}, nil
}

// ExplanationToProto encodes an explanation.
func ExplanationToProto(e allocator.Explanation) *allocatorv1.ExplainResponse {
	out := &allocatorv1.ExplainResponse{}
	for _, r := range e.Reasons {
		out.Reasons = append(out.Reasons, &allocatorv1.Reason{
			Code: string(r.Code), Role: r.Role, AgentId: r.Agent, Agents: uint32(max(r.Agents, 0)), //nolint:gosec // a count of agents
			Until: timeToProto(r.Until), Text: r.Text,
		})
	}
	return out
}

// ExplanationFromProto decodes an explanation about the framework.
func ExplanationFromProto(framework string, p *allocatorv1.ExplainResponse) allocator.Explanation {
	out := allocator.Explanation{Framework: framework}
	for _, r := range p.GetReasons() {
		out.Reasons = append(out.Reasons, allocator.Reason{
			Code: allocator.ReasonCode(r.GetCode()), Role: r.GetRole(), Agent: r.GetAgentId(), Agents: int(r.GetAgents()),
			Until: timeFromProto(r.GetUntil()), Text: r.GetText(),
		})
	}
	return out
}
