package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"google.golang.org/protobuf/proto"
)

// client is a scheduler, as people write them. When it crashes it remembers what it has written down: its
// framework's id and its tasks, but not what it was offered, or was about to acknowledge.
type client struct {
	w         *world
	n         int
	principal string

	// What it has written down. A client whose framework was removed begins a new one.
	info  *mesos.FrameworkInfo
	owner *framework
	made  int // frameworks so far
	// alive is not 0 while the process runs; what was planned in another life is void.
	alive, lives int

	streams    []*stream // open ones, and those of which somebody has not heard that they are over
	stream     *stream   // the present one, nil for none
	subscribed bool
	offers     []*mesos.Offer // held, oldest first
	suppressed bool
}

// roleSets are what frameworks may be subscribed to.
var roleSets = [][]string{{"*"}, {"a"}, {"a", "b"}, {"a/x", "*"}, {"b"}}

func newClient(w *world, i int) *client {
	s := &client{w: w, n: i}
	if w.chance(0.3) {
		s.principal = fmt.Sprintf("p%d", i)
	}
	return s
}

// fresh begins a new framework.
func (s *client) fresh() {
	w := s.w
	s.made++
	s.info = &mesos.FrameworkInfo{
		User: proto.String("nobody"), Name: proto.String(fmt.Sprintf("f%d.%d", s.n, s.made)),
		FailoverTimeout: proto.Float64([]float64{0, 3, 20, 3600, 3600}[w.rng.IntN(5)]),
		Checkpoint:      proto.Bool(w.chance(0.75)),
	}
	for _, c := range []mesos.FrameworkInfo_Capability_Type{
		mesos.FrameworkInfo_Capability_PARTITION_AWARE, mesos.FrameworkInfo_Capability_TASK_KILLING_STATE,
		mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT, mesos.FrameworkInfo_Capability_MULTI_ROLE,
	} {
		if w.chance(0.6) {
			s.info.Capabilities = append(s.info.Capabilities, &mesos.FrameworkInfo_Capability{Type: c.Enum()})
		}
	}
	roles := roleSets[w.rng.IntN(len(roleSets))]
	if s.has(mesos.FrameworkInfo_Capability_MULTI_ROLE) {
		s.info.Roles = roles
	} else {
		s.info.Role = proto.String(roles[0]) //nolint:staticcheck // what frameworks without MULTI_ROLE have
	}
	s.owner = w.ledger.framework(s)
}

func (s *client) has(c mesos.FrameworkInfo_Capability_Type) bool {
	return slices.ContainsFunc(s.info.Capabilities, func(x *mesos.FrameworkInfo_Capability) bool {
		return x.GetType() == c
	})
}

func (s *client) name() string { return s.info.GetName() }

// start begins a life of the process.
func (s *client) start() {
	if s.alive != 0 {
		return
	}
	s.lives++
	s.alive = s.lives
	if s.info == nil || s.owner.removed {
		s.fresh()
	}
	s.offers, s.suppressed = nil, false
	s.w.trace.begin(s.name(), "starts").str("id", s.owner.id).end()
	s.subscribe()
	s.soon(200*time.Millisecond, 2*time.Second, s.tick)
}

// crash ends the process. Another is started.
func (s *client) crash() {
	if s.alive == 0 {
		return
	}
	s.w.trace.begin(s.name(), "crashes").end()
	s.alive = 0
	for _, st := range slices.Clone(s.streams) {
		st.sever(0, s.w.soonOrLate())
	}
	s.stream, s.subscribed = nil, false
	s.w.after(s.w.between(10*time.Millisecond, 3*time.Second), s.start)
}

// soon does something in this life, a while from now.
func (s *client) soon(from, to time.Duration, do func()) {
	life := s.alive
	s.w.after(s.w.between(from, to), func() {
		if s.alive == life && life != 0 {
			do()
		}
	})
}

// subscribe opens a stream.
func (s *client) subscribe() {
	if s.stream != nil {
		return
	}
	if s.owner.removed {
		s.fresh()
	}
	l := s.w.found()
	if l == nil {
		s.soon(50*time.Millisecond, 500*time.Millisecond, s.subscribe)
		return
	}
	st := &stream{w: s.w, id: master.StreamID(s.w.id("s")), s: s, l: l, up: lane{w: s.w}, down: lane{w: s.w}}
	s.stream, s.subscribed = st, false
	s.streams = append(s.streams, st)
	sub := &scheduler.Call_Subscribe{FrameworkInfo: s.info}
	if s.suppressed {
		sub.SuppressedRoles = s.roles()
	}
	data := encode(&scheduler.Call{Type: scheduler.Call_SUBSCRIBE.Enum(), FrameworkId: s.info.GetId(), Subscribe: sub})
	denied := ""
	if !s.w.calm && s.w.chance(s.w.plan.sloppy/2) {
		denied = "Not authorized to use roles"
	}
	st.up.send(func() { st.subscribe(data, denied) })
	s.soon(5*time.Second, 6*time.Second, func() {
		if s.stream == st && !s.subscribed {
			st.sever(0, s.w.soonOrLate())
		}
	})
}

func (s *client) roles() []string {
	if s.has(mesos.FrameworkInfo_Capability_MULTI_ROLE) {
		return s.info.GetRoles()
	}
	return []string{s.info.GetRole()} //nolint:staticcheck // as above
}

// ended is the end of a stream, as the client sees it: it opens another.
func (s *client) ended(st *stream) {
	st.clientTold = true
	s.streams = slices.DeleteFunc(s.streams, func(x *stream) bool { return x == st })
	if s.stream != st {
		return
	}
	s.stream, s.subscribed, s.offers = nil, false, nil
	s.soon(10*time.Millisecond, 800*time.Millisecond, s.subscribe)
}

// call makes a call, if there is a subscription.
func (s *client) call(c *scheduler.Call, denied ...master.Denial) bool {
	if s.stream == nil || !s.subscribed {
		return false
	}
	st := s.stream
	c.FrameworkId = s.info.GetId()
	s.w.trace.begin(s.name(), "calls").str("type", c.GetType().String()).message(c).end()
	s.w.cover.hit("call", c.GetType().String())
	data := encode(c)
	var reply master.ReplyID
	if c.GetType() == scheduler.Call_UPDATE_FRAMEWORK {
		s.w.lastID++
		reply = master.ReplyID(s.w.lastID)
	}
	st.up.send(func() { st.call(data, denied, reply) })
	return true
}

// receive takes an event.
func (s *client) receive(st *stream, ev *scheduler.Event) {
	if s.alive == 0 || s.stream != st {
		return
	}
	s.w.trace.begin(s.name(), "hears").str("type", ev.GetType().String()).end()
	s.w.cover.hit("event", "to scheduler "+ev.GetType().String())
	switch ev.GetType() {
	case scheduler.Event_SUBSCRIBED:
		s.subscribed = true
		s.info.Id = ev.GetSubscribed().GetFrameworkId()
		s.w.ledger.subscribed(s.owner, s.info.GetId().GetValue())
		s.soon(0, 200*time.Millisecond, func() { s.reconcile(s.owner.open()) })
	case scheduler.Event_OFFERS:
		s.offered(ev.GetOffers().GetOffers())
	case scheduler.Event_RESCIND:
		s.offers = slices.DeleteFunc(s.offers, func(o *mesos.Offer) bool {
			return o.GetId().GetValue() == ev.GetRescind().GetOfferId().GetValue()
		})
	case scheduler.Event_UPDATE:
		s.update(ev.GetUpdate().GetStatus())
	case scheduler.Event_ERROR:
		if ev.GetError().GetMessage() == "Framework has been removed" {
			s.w.ledger.removed(s.owner)
		}
		st.sever(0, 0)
	}
}
