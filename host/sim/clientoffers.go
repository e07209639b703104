package sim

import (
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
	"google.golang.org/protobuf/proto"
)

// mostTasks is how many tasks a framework wants at once.
const mostTasks = 6

// offered looks at offers, sooner or later.
func (s *client) offered(offers []*mesos.Offer) {
	s.offers = append(s.offers, offers...)
	for _, o := range offers {
		s.w.ledger.checkOffer(s, o)
	}
	switch {
	case s.w.calm || !s.w.chance(s.w.plan.lazy):
		s.soon(0, 30*time.Millisecond, s.decide)
	case s.w.chance(0.5):
		s.soon(200*time.Millisecond, 6*time.Second, s.decide)
	default: // forgets about them until the next offers come
	}
}

// decide does something about the offers it holds.
func (s *client) decide() {
	if !s.subscribed {
		return
	}
	for len(s.offers) > 0 {
		group := s.take()
		switch {
		case s.w.calm:
			s.decline(group, 3600)
		case s.owner.running() >= mostTasks || s.w.chance(0.25):
			s.decline(group, []float64{0, 0.5, 2, 5, 30}[s.w.rng.IntN(5)])
		default:
			s.accept(group)
		}
	}
}

// take takes the oldest offer, and at times others of the same agent and role with it.
func (s *client) take() []*mesos.Offer {
	group := s.offers[:1:1]
	rest := s.offers[1:]
	s.offers = nil
	together := s.w.chance(0.5)
	for _, o := range rest {
		if together && proto.Equal(o.GetAgentId(), group[0].GetAgentId()) &&
			proto.Equal(o.GetAllocationInfo(), group[0].GetAllocationInfo()) {
			group = append(group, o)
		} else {
			s.offers = append(s.offers, o)
		}
	}
	return group
}

func ids(offers []*mesos.Offer) []*mesos.OfferID {
	var out []*mesos.OfferID
	for _, o := range offers {
		out = append(out, o.GetId())
	}
	return out
}

func filters(seconds float64) *mesos.Filters {
	if seconds == 5 {
		return nil // the default
	}
	return &mesos.Filters{RefuseSeconds: proto.Float64(seconds)}
}

func (s *client) decline(group []*mesos.Offer, seconds float64) {
	s.call(&scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{
		OfferIds: ids(group), Filters: filters(seconds),
	}})
}

// accept launches some tasks on offers.
func (s *client) accept(group []*mesos.Offer) {
	var left resource.Resources
	for _, o := range group {
		r, err := wire.FromMesos(o.GetResources())
		if err == nil {
			left, err = left.Add(r)
		}
		if err != nil {
			s.w.violate("%s cannot read its offer: %v", s.name(), err)
			return
		}
	}
	offerIDs := ids(group)
	if s.w.chance(s.w.plan.sloppy / 2) {
		offerIDs = append(offerIDs, &mesos.OfferID{Value: proto.String("no-such-offer")})
	}
	var tasks []*mesos.TaskInfo
	for range s.w.rng.IntN(4) {
		need := s.carve(left)
		if need.IsEmpty() || s.owner.running()+len(tasks) >= mostTasks {
			break
		}
		left = left.Minus(need)
		if s.w.chance(s.w.plan.sloppy) {
			need = s.exceed(need)
		}
		tasks = append(tasks, s.task(group[0].GetAgentId(), need))
	}
	accept := &scheduler.Call_Accept{OfferIds: offerIDs, Filters: filters([]float64{0, 1, 5}[s.w.rng.IntN(3)])}
	if s.w.chance(s.w.plan.sloppy / 2) {
		accept.Operations = append(accept.Operations, &mesos.Offer_Operation{
			Id: &mesos.OperationID{Value: proto.String(s.w.id("op"))}, Type: mesos.Offer_Operation_RESERVE.Enum(),
			Reserve: &mesos.Offer_Operation_Reserve{},
		})
	}
	launch := &mesos.Offer_Operation{
		Type: mesos.Offer_Operation_LAUNCH.Enum(), Launch: &mesos.Offer_Operation_Launch{TaskInfos: tasks},
	}
	at := len(accept.Operations)
	if len(tasks) > 0 || s.w.chance(0.5) {
		accept.Operations = append(accept.Operations, launch)
	}
	var denied []master.Denial
	if len(tasks) > 0 && s.w.chance(s.w.plan.sloppy) {
		denied = append(denied, master.Denial{Operation: at, Task: s.w.rng.IntN(len(tasks)), Reason: "Not authorized to launch"})
	}
	if s.call(&scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: accept}, denied...) {
		for _, t := range tasks {
			s.w.ledger.asked(s.owner, t)
		}
	}
}

// carve cuts what one task wants out of resources.
func (s *client) carve(left resource.Resources) resource.Resources {
	want := map[string]resource.Scalar{
		"cpus": resource.Scalar(100 * (1 + s.w.rng.IntN(12))), "mem": resource.Scalar(32000 * (1 + s.w.rng.IntN(10))),
	}
	port := s.w.chance(0.3)
	var parts []resource.Resource
	for r := range left.All() {
		if n := min(want[r.Name], r.Scalar); r.Kind == resource.KindScalar && n > 0 {
			want[r.Name] -= n
			r.Scalar = n
			parts = append(parts, r)
		}
		if r.Kind == resource.KindRanges && port {
			if one, err := resource.NewRanges(resource.Range{Begin: r.Ranges[0].Begin, End: r.Ranges[0].Begin}); err == nil {
				r.Ranges = one
				parts = append(parts, r)
			}
		}
	}
	need, err := resource.New(parts...)
	if err != nil {
		s.w.violate("%s cannot cut its offer: %v", s.name(), err)
	}
	if need.Amount("cpus") == 0 || need.Amount("mem") == 0 {
		return resource.Resources{}
	}
	return need
}

// exceed asks for more than anybody has.
func (s *client) exceed(r resource.Resources) resource.Resources {
	more, err := r.Add(r)
	if err == nil {
		var huge resource.Resources
		if huge, err = resource.New(resource.Resource{Name: "cpus", Scalar: 1_000_000}); err == nil {
			more, err = more.Add(huge)
		}
	}
	if err != nil {
		return r
	}
	return more
}

// task describes a task.
func (s *client) task(agent *mesos.AgentID, need resource.Resources) *mesos.TaskInfo {
	id := s.w.id("t")
	t := &mesos.TaskInfo{
		Name: proto.String("task " + id), TaskId: &mesos.TaskID{Value: proto.String(id)}, AgentId: agent,
		Resources: wire.ToMesos(need, wire.Format{
			RefinedReservations: s.has(mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT),
			AllocationInfo:      s.has(mesos.FrameworkInfo_Capability_MULTI_ROLE) && s.w.chance(0.5),
		}),
		Command: &mesos.CommandInfo{Value: proto.String("sleep 1000")},
	}
	if s.w.chance(0.2) {
		t.KillPolicy = killPolicy(s.w.between(0, 3*time.Second))
	}
	if s.w.chance(0.1) {
		t.MaxCompletionTime = &mesos.DurationInfo{
			Nanoseconds: proto.Int64(int64(s.w.between(100*time.Millisecond, 5*time.Second))),
		}
	}
	if s.w.chance(s.w.plan.sloppy / 2) {
		t.HealthCheck = &mesos.HealthCheck{
			Type: mesos.HealthCheck_COMMAND.Enum(), Command: &mesos.CommandInfo{Value: proto.String("true")},
		}
	}
	return t
}

func killPolicy(grace time.Duration) *mesos.KillPolicy {
	return &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: proto.Int64(int64(grace))}}
}

// holds tells whether the client holds an offer.
func (s *client) holds(id string) bool {
	return slices.ContainsFunc(s.offers, func(o *mesos.Offer) bool { return o.GetId().GetValue() == id })
}
