package master

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mezzo-cluster/mezzo/host/mutant"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
	"google.golang.org/protobuf/proto"
)

// allocationPart is how many proposals are judged at a time, so that the loop goes on.
const allocationPart = 250

// allocations deals with what the allocator proposes, after what it has proposed before.
func (m *Master) allocations(ev Allocations) {
	if !m.s.allocator.Ready || ev.Generation != m.s.allocator.Generation {
		return
	}
	waiting := len(m.proposed) > 0
	m.proposed = append(m.proposed, ev.Batch...)
	if !waiting {
		m.judge()
	}
}

// allocatorReady begins a new generation: what was proposed before is void.
func (m *Master) allocatorReady(generation uint64) {
	m.s.allocator = AllocatorStatus{Ready: true, Generation: generation}
	m.proposed = nil
}

// judge judges some of what is proposed, makes offers of what can be, and sees to the rest.
func (m *Master) judge() {
	part := m.proposed[:min(len(m.proposed), allocationPart)]
	if m.proposed = m.proposed[len(part):]; len(m.proposed) > 0 {
		m.emit(SetTimer{ID: TimerID{Kind: TimerAllocations}})
	}
	answers := make([]allocator.Answer, 0, len(part))
	batches := map[string][]*mesos.Offer{}
	var order []string
	for i := range part {
		a := &part[i]
		o, refused := m.accept(a)
		if refused != "" {
			answers = append(answers, allocator.Answer{ID: a.ID, Refused: refused})
			continue
		}
		answers = append(answers, allocator.Answer{ID: a.ID, OfferID: o.ID})
		if len(batches[o.Framework]) == 0 {
			order = append(order, o.Framework)
		}
		f, _ := m.s.frameworks.get(o.Framework)
		agent, _ := m.s.agents.get(o.Agent)
		batches[o.Framework] = append(batches[o.Framework], offerMessage(f, agent, o))
	}
	m.emit(AllocatorAnswer{Generation: m.s.allocator.Generation, Answers: answers})
	for _, id := range order {
		f, _ := m.s.frameworks.get(id)
		m.send(f, &scheduler.Event{
			Type: scheduler.Event_OFFERS.Enum(), Offers: &scheduler.Event_Offers{Offers: batches[id]},
		})
	}
}

// accept makes an offer of an allocation, or says why it cannot be.
func (m *Master) accept(p *allocator.Allocation) (o *Offer, refused string) {
	f, _ := m.s.frameworks.get(p.Framework)
	agent, _ := m.s.agents.get(p.Agent)
	if refused := judgeParties(f, agent, p, m.s.region); refused != "" {
		return nil, refused
	}
	if refused := judgeResources(f, agent, p); refused != "" {
		return nil, refused
	}
	agent = m.editAgent(p.Agent)
	o = &Offer{
		ID: fmt.Sprintf("%s-O%d", m.cfg.ID, m.nextOffer), Framework: p.Framework, Agent: p.Agent, Role: p.Role,
		Resources: p.Resources.Allocate(p.Role),
	}
	m.nextOffer++
	agent.offer(o.Framework, o.Resources)
	if mutant.DoubleOffer {
		agent.Free = sumOf(agent.Free, o.Resources.Unallocate())
	}
	m.s.offers.set(o.ID, o)
	addTo(m.offersOn, o.Agent, o.ID)
	addTo(m.offersOf, o.Framework, o.ID)
	if m.cfg.OfferTimeout > 0 {
		o.expires = m.now.Mono + m.cfg.OfferTimeout
		m.emit(SetTimer{ID: TimerID{Kind: TimerOffer, Key: o.ID}, After: m.cfg.OfferTimeout})
	}
	return o, ""
}

func judgeParties(f *Framework, a *Agent, p *allocator.Allocation, region string) (refused string) {
	switch {
	case f == nil:
		return "the framework is not known"
	case !f.Active:
		return "the framework is not connected"
	case !f.HasRole(p.Role):
		return "the framework is not subscribed to the role"
	case f.IsSuppressed(p.Role):
		return "the framework has suppressed the role"
	case a == nil:
		return "the agent is not registered"
	case !a.Active:
		return "the agent is not connected"
	case a.leaving != staying:
		return "the agent is being removed"
	case a.remote(region) && !f.Capabilities.Has(mesos.FrameworkInfo_Capability_REGION_AWARE):
		return "the agent is in another region, and the framework is not region aware"
	case a.Total.Amount("gpus") > 0 && !f.Capabilities.Has(mesos.FrameworkInfo_Capability_GPU_RESOURCES):
		return "the agent has gpus, and the framework does not use them"
	}
	return ""
}

func judgeResources(f *Framework, a *Agent, p *allocator.Allocation) (refused string) {
	if p.Resources.IsEmpty() {
		return "there are no resources"
	}
	for r := range p.Resources.All() {
		switch {
		case r.Role != "":
			return "resources are allocated already: " + r.String()
		case len(r.Reservations) > 0 && !resource.IsSubrole(p.Role, r.ReservationRole()):
			return "resources are reserved for another role: " + r.String()
		case len(r.Reservations) > 1 && !f.Capabilities.RefinedReservations():
			return "the framework does not know refined reservations: " + r.String()
		case r.Revocable && !f.Capabilities.Has(mesos.FrameworkInfo_Capability_REVOCABLE_RESOURCES):
			return "the framework does not use revocable resources: " + r.String()
		case r.Shared && !f.Capabilities.Has(mesos.FrameworkInfo_Capability_SHARED_RESOURCES):
			return "the framework does not use shared resources: " + r.String()
		}
	}
	if !a.Free.Contains(p.Resources) {
		return "resources are not free: the agent has " + a.Free.String()
	}
	return ""
}

// offerMessage is an offer as its framework sees it.
func offerMessage(f *Framework, a *Agent, o *Offer) *mesos.Offer {
	msg := &mesos.Offer{
		Id:          &mesos.OfferID{Value: proto.String(o.ID)},
		FrameworkId: &mesos.FrameworkID{Value: proto.String(o.Framework)},
		Resources: wire.ToMesos(o.Resources, wire.Format{
			RefinedReservations: f.Capabilities.RefinedReservations(), AllocationInfo: f.Capabilities.MultiRole(),
		}),
	}
	if f.Capabilities.MultiRole() {
		msg.AllocationInfo = &mesos.Resource_AllocationInfo{Role: proto.String(o.Role)}
	}
	common := a.offerParts
	msg.AgentId, msg.Hostname, msg.Url = common.GetAgentId(), common.Hostname, common.GetUrl()
	msg.Attributes, msg.Domain = common.GetAttributes(), common.GetDomain()
	return msg
}

// OfferMessage returns an outstanding offer as its framework was sent it, or nil.
func (s *State) OfferMessage(id string) *mesos.Offer {
	o := s.Offer(id)
	if o == nil {
		return nil
	}
	f, a := s.Framework(o.Framework), s.Agent(o.Agent)
	if f == nil || a == nil {
		return nil
	}
	return offerMessage(f, a, o)
}

// dropOffer forgets an offer. Its resources stay as they are.
func (m *Master) dropOffer(o *Offer) {
	m.s.offers.remove(o.ID)
	dropFrom(m.offersOn, o.Agent, o.ID)
	dropFrom(m.offersOf, o.Framework, o.ID)
	if o.expires > 0 {
		m.emit(CancelTimer{ID: TimerID{Kind: TimerOffer, Key: o.ID}})
	}
}

// returnOffers takes offers back, and tells their frameworks where that is asked for.
func (m *Master) returnOffers(ids map[string]struct{}, rescind bool) {
	if len(ids) == 0 {
		return
	}
	for _, id := range slices.SortedFunc(maps.Keys(ids), compareOfferID) {
		if o, _ := m.s.offers.get(id); o != nil {
			m.returnOffer(o, rescind, nil)
		}
	}
}

// compareOfferID orders offers by age: their ids differ in the number at the end only.
func compareOfferID(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// returnOffer takes one offer back.
func (m *Master) returnOffer(o *Offer, rescind bool, filter *allocator.Filter) {
	m.dropOffer(o)
	m.editAgent(o.Agent).unoffer(o.Framework, o.Resources)
	m.updateAllocator(allocator.Recovered{
		Framework: o.Framework, Agent: o.Agent, Resources: o.Resources, Filter: filter,
	})
	if !rescind {
		return
	}
	if f, _ := m.s.frameworks.get(o.Framework); f != nil {
		m.send(f, &scheduler.Event{Type: scheduler.Event_RESCIND.Enum(), Rescind: &scheduler.Event_Rescind{
			OfferId: &mesos.OfferID{Value: proto.String(o.ID)},
		}})
	}
}

// offerTimer takes an offer back that was held too long.
func (m *Master) offerTimer(id string) {
	if o, _ := m.s.offers.get(id); o != nil && o.expires > 0 && m.now.Mono >= o.expires {
		m.returnOffer(o, true, nil)
	}
}
