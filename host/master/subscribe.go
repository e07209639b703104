package master

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"google.golang.org/protobuf/proto"
)

// subscribe deals with SUBSCRIBE: a new framework, or one that comes back.
func (m *Master) subscribe(ev Subscribe) {
	id := ev.Info.GetId().GetValue()
	if id == "" {
		m.count(countRegisterFramework)
	} else {
		m.count(countReregisterFramework)
	}
	parts, err := m.checkSubscription(ev)
	if err != nil {
		m.refuse(ev.Stream, err.Error())
		m.info("refused a framework", slog.String("framework", id), slog.String("name", ev.Info.GetName()),
			slog.String("reason", err.Error()))
		return
	}
	if ev.Info.GetPrincipal() == "" && ev.Principal != "" {
		ev.Info.Principal = proto.String(ev.Principal)
	}
	f := m.editFramework(id)
	added := f == nil
	switch {
	case f == nil:
		f = m.addFramework(ev.Info)
		m.info("added a framework", slog.String("framework", f.ID), slog.String("name", ev.Info.GetName()))
	case f.Connected:
		m.info("framework failed over", slog.String("framework", f.ID))
		m.send(f, errorEvent("Framework failed over"))
		m.emit(CloseStream{Stream: f.Stream})
		f.ReregisteredTime = m.now.Wall
	default:
		m.info("framework came back", slog.String("framework", f.ID))
		f.ReregisteredTime = m.now.Wall
	}
	m.returnOffers(m.offersOf[f.ID], false)
	m.describe(f, ev.Info, ev.Suppressed, ev.Constraints, parts)
	m.connect(f, ev.Stream, added)
}

// refuse answers a subscription that cannot be.
func (m *Master) refuse(stream StreamID, why string) {
	m.emit(SendScheduler{Stream: stream, Event: errorEvent(why)})
	m.emit(CloseStream{Stream: stream})
}

func errorEvent(why string) *scheduler.Event {
	return &scheduler.Event{
		Type: scheduler.Event_ERROR.Enum(), Error: &scheduler.Event_Error{Message: proto.String(why)},
	}
}

// addFramework enters a framework that the master does not know, giving it an id if it has none.
func (m *Master) addFramework(info *mesos.FrameworkInfo) *Framework {
	if info.GetId().GetValue() == "" {
		info.Id = &mesos.FrameworkID{Value: proto.String(m.newFrameworkID())}
	}
	f := &Framework{
		rev: m.rev, ID: info.GetId().GetValue(), User: info.GetUser(), Principal: info.GetPrincipal(),
		Checkpoint: info.GetCheckpoint(), RegisteredTime: m.now.Wall,
	}
	m.s.frameworks.set(f.ID, f)
	return f
}

// newFrameworkID returns an id that no framework has or had: one that subscribes may name any id, the next one too.
func (m *Master) newFrameworkID() string {
	for {
		id := fmt.Sprintf("%s-%04d", m.cfg.ID, m.nextFramework)
		m.nextFramework++
		if f, _ := m.s.frameworks.get(id); f == nil && !m.completedFramework(id) {
			return id
		}
	}
}

// describe gives a framework a new description. What cannot change keeps its value.
func (m *Master) describe(f *Framework, info *mesos.FrameworkInfo, suppressed []string,
	constraints *scheduler.OfferConstraints, parts allocatorParts,
) {
	info.Id = &mesos.FrameworkID{Value: proto.String(f.ID)}
	info.User, info.Checkpoint = proto.String(f.User), checkpointOf(info, f.Checkpoint)
	f.Encoded = encode(info)
	f.Name, f.Principal = info.GetName(), info.GetPrincipal()
	f.Capabilities = capabilitiesOf(info)
	f.Roles, f.Suppressed = rolesOf(info), sortedCopy(suppressed)
	f.FailoverTimeout = failoverTimeout(info)
	f.Constraints, f.constraints = constraints, parts
}

// checkpointOf keeps the flag as it was, and unset if it was never set.
func checkpointOf(info *mesos.FrameworkInfo, was bool) *bool {
	if info.Checkpoint == nil && !was {
		return nil
	}
	return proto.Bool(was)
}

// rolesOf is what a framework is subscribed to, in order.
func rolesOf(info *mesos.FrameworkInfo) []string {
	if capabilitiesOf(info).MultiRole() {
		return sortedCopy(info.GetRoles())
	}
	return []string{info.GetRole()} //nolint:staticcheck // what frameworks without MULTI_ROLE have
}

func sortedCopy(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

// connect gives a framework its stream and begins with events.
func (m *Master) connect(f *Framework, stream StreamID, added bool) {
	if !f.Connected && f.failoverAt != 0 {
		m.emit(CancelTimer{ID: TimerID{Kind: TimerFailover, Key: f.ID}})
		f.failoverAt = 0
	}
	if f.Recovered {
		f.Recovered, f.RegisteredTime = false, m.now.Wall
	}
	delete(m.reconciling, f.ID) // asked for on the old stream
	f.Connected, f.Active, f.Stream = true, true, stream
	if added {
		m.updateAllocator(allocator.FrameworkAdded{Framework: f.forAllocator()})
	} else {
		m.updateAllocator(allocator.FrameworkChanged{Framework: f.forAllocator()})
	}
	m.send(f, &scheduler.Event{Type: scheduler.Event_SUBSCRIBED.Enum(), Subscribed: &scheduler.Event_Subscribed{
		FrameworkId:              &mesos.FrameworkID{Value: proto.String(f.ID)},
		HeartbeatIntervalSeconds: proto.Float64(m.cfg.HeartbeatInterval.Seconds()),
		MasterInfo:               forSchedulers(m.cfg.Info),
	}})
	m.heartbeat(f)
	m.tellAgents(f, true)
}

// forSchedulers leaves out the master's capabilities that no scheduler needs: there are clients that reject a
// message with an enum value they do not know.
func forSchedulers(info *mesos.MasterInfo) *mesos.MasterInfo {
	if info == nil {
		return nil
	}
	out := proto.Clone(info).(*mesos.MasterInfo)
	out.Capabilities = slices.DeleteFunc(out.Capabilities, func(c *mesos.MasterInfo_Capability) bool {
		return c.GetType() > mesos.MasterInfo_Capability_AGENT_DRAINING
	})
	return out
}

var heartbeatEvent = &scheduler.Event{Type: scheduler.Event_HEARTBEAT.Enum()}

// heartbeat sends a heartbeat and sees to the next one.
func (m *Master) heartbeat(f *Framework) {
	m.send(f, heartbeatEvent)
	f.heartbeatAt = m.now.Mono + m.cfg.HeartbeatInterval
	m.emit(SetTimer{ID: TimerID{Kind: TimerHeartbeat, Key: f.ID}, After: m.cfg.HeartbeatInterval})
}

// tellAgents tells every agent where the framework has tasks of its new description, and whether it has a new
// stream: then agents send again what may have got lost with the old one.
func (m *Master) tellAgents(f *Framework, subscribed bool) {
	for _, id := range m.agentsOf(f.ID) {
		if a, _ := m.s.agents.get(id); a != nil {
			m.tell(a, updateMessage(f, subscribed))
		}
	}
}

func updateMessage(f *Framework, subscribed bool) *linkv1.ToAgent {
	return &linkv1.ToAgent{Body: &linkv1.ToAgent_UpdateFramework{
		UpdateFramework: &linkv1.UpdateFramework{FrameworkInfo: f.Encoded, Subscribed: subscribed},
	}}
}

// agentsOf returns the agents where a framework has tasks, in order.
func (m *Master) agentsOf(framework string) []string { return sortedKeys(m.agentTasks[framework]) }

// streamClosed deals with the end of a scheduler's stream.
func (m *Master) streamClosed(ev StreamClosed) {
	f := m.editFramework(ev.Framework)
	if f == nil || !f.Connected || f.Stream != ev.Stream {
		return
	}
	m.info("framework disconnected", slog.String("framework", f.ID))
	f.Connected, f.Active, f.Stream = false, false, ""
	f.UnregisteredTime = m.now.Wall
	m.emit(CancelTimer{ID: TimerID{Kind: TimerHeartbeat, Key: f.ID}})
	delete(m.reconciling, f.ID)
	if f.FailoverTimeout <= 0 {
		m.removeFramework(f)
		return
	}
	m.returnOffers(m.offersOf[f.ID], false)
	m.updateAllocator(allocator.FrameworkChanged{Framework: f.forAllocator()})
	f.failoverAt = m.now.Mono + f.FailoverTimeout
	m.emit(SetTimer{ID: TimerID{Kind: TimerFailover, Key: f.ID}, After: f.FailoverTimeout})
}

// failoverTimer removes a framework that has not come back in time.
func (m *Master) failoverTimer(id string) {
	f := m.editFramework(id)
	if f == nil || f.Connected || f.failoverAt == 0 || m.paused || m.now.Mono < f.failoverAt {
		return
	}
	m.info("framework did not come back in time", slog.String("framework", id))
	m.removeFramework(f)
}

// heartbeatTimer sends a connected framework its heartbeat.
func (m *Master) heartbeatTimer(id string) {
	f := m.editFramework(id)
	if f != nil && f.Connected && m.now.Mono >= f.heartbeatAt {
		m.heartbeat(f)
	}
}

// updateFramework deals with UPDATE_FRAMEWORK: all of it, or nothing.
func (m *Master) updateFramework(f *Framework, call *scheduler.Call_UpdateFramework, reply ReplyID) {
	info := call.GetFrameworkInfo()
	parts, err := m.checkUpdate(f, info, call.GetSuppressedRoles(), call.GetOfferConstraints())
	if err != nil {
		m.reply(reply, ReplyInvalid, "'UpdateFramework.framework_info' is not valid: "+err.Error())
		return
	}
	if info.GetPrincipal() == "" && f.Principal != "" {
		info.Principal = proto.String(f.Principal)
	}
	was := f.Roles
	m.describe(f, info, call.GetSuppressedRoles(), call.GetOfferConstraints(), parts)
	for _, role := range was {
		if !f.HasRole(role) {
			m.rescindRole(f, role)
		}
	}
	m.updateAllocator(allocator.FrameworkChanged{Framework: f.forAllocator()})
	m.tellAgents(f, false)
	m.info("updated a framework", slog.String("framework", f.ID))
	m.reply(reply, ReplyOK, "")
}

// rescindRole takes back the offers that a framework has in a role.
func (m *Master) rescindRole(f *Framework, role string) {
	chosen := map[string]struct{}{}
	for id := range m.offersOf[f.ID] {
		if o, _ := m.s.offers.get(id); o != nil && o.Role == role {
			chosen[id] = struct{}{}
		}
	}
	m.returnOffers(chosen, true)
}

// reply answers whoever waits for the outcome of an event.
func (m *Master) reply(id ReplyID, code ReplyCode, message string) {
	if id != 0 {
		m.emit(Reply{ID: id, Code: code, Message: message})
	}
}

// completedFramework tells whether a framework was removed, as far back as is remembered.
func (m *Master) completedFramework(id string) bool { return m.completedFw[id] != "" }
