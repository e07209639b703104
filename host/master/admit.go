package master

import (
	"bytes"
	"log/slog"
	"slices"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
	"google.golang.org/protobuf/proto"
)

// admit enters an agent that the registry has as admitted, with what it said runs there. It may have gone again
// while the registry was being changed; then it has some time to come back.
func (m *Master) admit(id string, r *registration) {
	fresh := len(r.tasks) == 0 && !m.knownAgent(id)
	m.s.recovered.remove(id)
	m.s.unreachable.remove(id)
	a := &Agent{rev: m.rev, ID: id, RegisteredTime: m.now.Wall}
	m.s.agents.set(id, a)
	m.describeAgent(a, r)
	m.recoverFrameworks(a, r)
	m.connectAgent(a, r.conn, !fresh)
	if fresh {
		m.count(countAgentRegistrations)
	} else {
		m.count(countAgentReregistrations)
		a.ReregisteredTime = m.now.Wall
	}
	back := m.adoptTasks(a, r, false)
	a.settle()
	m.updateAllocator(allocator.AgentAdded{Agent: a.forAllocator(m.s.region), Uses: a.usesForAllocator()})
	m.tellBack(back)
	m.loseUnreported(id)
	m.info("agent registered", slog.String("agent", id), slog.String("hostname", a.Hostname),
		slog.Int("tasks", len(r.tasks)))
}

// knownAgent tells whether the agent was known before: it has come back.
func (m *Master) knownAgent(id string) bool {
	_, recovered := m.s.recovered.get(id)
	_, unreachable := m.s.unreachable.get(id)
	return recovered || unreachable
}

// readmit takes back an agent that was disconnected, and sets its tasks right: it may not have got to know of
// the latest ones.
func (m *Master) readmit(a *Agent, r *registration) {
	m.count(countAgentReregistrations)
	attributes := a.offerParts.GetAttributes()
	m.describeAgent(a, r)
	a.settle()
	a.ReregisteredTime = m.now.Wall
	m.recoverFrameworks(a, r)
	m.connectAgent(a, r.conn, true)
	changed := !slices.EqualFunc(attributes, a.offerParts.GetAttributes(), func(x, y *mesos.Attribute) bool {
		return proto.Equal(x, y)
	})
	m.updateAllocator(allocator.AgentChanged{Agent: a.forAllocator(m.s.region), ClearFilters: changed})
	m.settleTasks(a, r)
	m.adoptTasks(a, r, true)
	m.info("agent reregistered", slog.String("agent", a.ID), slog.Int("tasks", len(r.tasks)))
}

// describeAgent gives an agent a new description.
func (m *Master) describeAgent(a *Agent, r *registration) {
	info := r.info
	if m.addresses[a.HTTPAddress] == a.ID {
		delete(m.addresses, a.HTTPAddress)
	}
	a.Encoded, a.Hostname, a.Port = r.encoded, info.GetHostname(), info.GetPort()
	a.Version, a.Instance, a.Principal = r.version, r.instance, r.principal
	a.HTTPAddress, a.Capabilities, a.Total = r.http, r.caps, r.resources
	if a.Instance != "" {
		m.instances[a.Instance] = a.ID
	}
	if r.http != "" {
		m.addresses[r.http] = a.ID
	}
	a.Attributes, _ = wire.AttributesFromMesos(info.GetAttributes()) // judged when the registration came
	fault := info.GetDomain().GetFaultDomain()
	a.Region, a.Zone = fault.GetRegion().GetName(), fault.GetZone().GetName()
	a.offerParts = offerParts(a.ID, r)
}

// connectAgent gives an agent its connection, if that is still open, and tells it that it is registered.
func (m *Master) connectAgent(a *Agent, id ConnID, again bool) {
	c := m.conns[id]
	if c == nil {
		a.reregisterAt = m.now.Mono + m.cfg.ReregisterTimeout
		m.emit(SetTimer{ID: TimerID{Kind: TimerReregister, Key: a.ID}, After: m.cfg.ReregisterTimeout})
		return
	}
	c.agent = a.ID
	if a.reregisterAt != 0 {
		a.reregisterAt = 0
		m.emit(CancelTimer{ID: TimerID{Kind: TimerReregister, Key: a.ID}})
	}
	a.Connected, a.Active, a.Conn, a.missed, a.leaving = true, true, id, 0, staying
	m.welcomeBack(a, again)
	m.ping(a)
}

// recoverFrameworks takes over frameworks that the agent knows and the master does not, and sees to it that the
// agent's knowledge is up to date.
func (m *Master) recoverFrameworks(a *Agent, r *registration) {
	for _, data := range r.frameworks {
		info := &mesos.FrameworkInfo{}
		if proto.Unmarshal(data, info) != nil || validateID(info.GetId().GetValue()) != nil {
			m.warn("ignored a malformed framework of an agent", slog.String("agent", a.ID))
			continue
		}
		id := info.GetId().GetValue()
		if f, _ := m.s.frameworks.get(id); f != nil || m.completedFramework(id) {
			continue
		}
		parts, err := m.checkInfo(info, nil, nil)
		if err != nil {
			m.warn("ignored a framework of an agent", slog.String("agent", a.ID), slog.String("framework", id),
				slog.String("reason", err.Error()))
			continue
		}
		f := m.addFramework(info)
		f.Recovered = true
		m.describe(f, info, nil, nil, parts)
		m.updateAllocator(allocator.FrameworkAdded{Framework: f.forAllocator()})
		m.info("recovered a framework", slog.String("framework", id), slog.String("agent", a.ID))
	}
}

// tellFrameworks tells a returning agent which of its frameworks are over, and how the others are now.
func (m *Master) tellFrameworks(a *Agent, r *registration) {
	for _, data := range r.frameworks {
		info := &mesos.FrameworkInfo{}
		if proto.Unmarshal(data, info) != nil {
			continue
		}
		id := info.GetId().GetValue()
		if m.completedFramework(id) {
			m.tell(a, shutdownFramework(id))
			continue
		}
		if f, _ := m.s.frameworks.get(id); f != nil && !f.Recovered && !bytes.Equal(f.Encoded, data) {
			m.tell(a, updateMessage(f, false))
		}
	}
}

// adoptTasks enters the tasks of a returning agent that the master does not have, and returns those that were
// unreachable. The allocator is told of each where that is asked for.
func (m *Master) adoptTasks(a *Agent, r *registration, tellAllocator bool) (back []taskRef) {
	m.tellFrameworks(a, r)
	for _, lt := range r.tasks {
		info := &mesos.TaskInfo{}
		if proto.Unmarshal(lt.GetTaskInfo(), info) != nil {
			m.warn("ignored a malformed task of an agent", slog.String("agent", a.ID))
			continue
		}
		f, _ := m.s.frameworks.get(lt.GetFrameworkId())
		ref := taskRef{lt.GetFrameworkId(), info.GetTaskId().GetValue()}
		if f == nil || validateID(ref.task) != nil {
			continue
		}
		if t, _ := m.s.tasks.get(taskKey(ref.framework, ref.task)); t != nil && t.Agent == a.ID {
			continue
		} else if t != nil || m.completed(ref) != nil {
			m.endStale(a, ref, lt)
			continue
		}
		was := m.takeUnreachable(ref)
		t := m.adoptTask(a, f, ref, lt, info, tellAllocator)
		if was != nil && !t.freed {
			back = append(back, ref)
		}
	}
	return back
}

// adoptTask enters one task as the agent has it.
func (m *Master) adoptTask(a *Agent, f *Framework, ref taskRef, lt *linkv1.Task, info *mesos.TaskInfo, tellAllocator bool,
) *Task {
	t := &Task{
		rev: m.rev, Framework: ref.framework, ID: ref.task, Agent: a.ID, Encoded: lt.GetTaskInfo(),
		State: forFramework(f, stateOf(lt.GetLatestState())), UpdateState: mesos.TaskState_TASK_STAGING,
	}
	resources, err := wire.FromMesos(info.GetResources())
	if err != nil {
		m.warn("a task of an agent has malformed resources", slog.String("agent", a.ID), slog.String("task", ref.task))
	}
	t.Resources = m.intern(resources)
	t.freed = Terminal(t.State)
	if !t.freed {
		t.Resources = a.adopt(ref.framework, t.Resources)
		if tellAllocator && !t.Resources.IsEmpty() {
			m.updateAllocator(allocator.Allocated{Framework: ref.framework, Agent: a.ID, Resources: t.Resources})
		}
	}
	m.takeStatuses(f, t, lt)
	m.addTask(t)
	return t
}

// takeStatuses enters what an agent tells of a task's past.
func (m *Master) takeStatuses(f *Framework, t *Task, lt *linkv1.Task) {
	t.statuses = nil
	for _, data := range lt.GetStatuses() {
		s := &mesos.TaskStatus{}
		if proto.Unmarshal(data, s) == nil {
			s.State = forFramework(f, s.GetState()).Enum()
			t.appendStatus(s)
		}
	}
	if len(lt.GetStatusUpdateUuid()) == 16 {
		t.UpdateUUID = [16]byte(lt.GetStatusUpdateUuid())
		t.UpdateState = forFramework(f, stateOf(lt.GetStatusUpdateState()))
	}
}

// offerParts are what all offers of an agent have in common.
func offerParts(id string, r *registration) *mesos.Offer {
	host, port := hostPort(r.http)
	if host == "" {
		host = r.info.GetHostname()
	}
	if port == 0 {
		port = r.info.GetPort()
	}
	return &mesos.Offer{
		AgentId: &mesos.AgentID{Value: proto.String(id)}, Hostname: proto.String(r.info.GetHostname()),
		Url: &mesos.URL{
			Scheme: proto.String("http"), Path: proto.String("/slave(1)"),
			Address: &mesos.Address{
				Hostname: proto.String(r.info.GetHostname()), Ip: proto.String(host), Port: proto.Int32(port),
			},
		},
		Attributes: r.info.GetAttributes(), Domain: r.info.GetDomain(),
	}
}
