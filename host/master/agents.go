package master

import (
	"log/slog"
	"time"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/mutant"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"google.golang.org/protobuf/proto"
)

// agentMessage deals with a message of an agent. A connection that is not open, or not of this epoch, says
// nothing any more.
func (m *Master) agentMessage(ev AgentMessage) {
	c := m.conns[ev.Conn]
	if c == nil || ev.Epoch != m.cfg.Epoch {
		m.count(countDroppedMessages)
		return
	}
	switch body := ev.Msg.GetBody().(type) {
	case *linkv1.ToMaster_Register:
		m.register(c, body.Register)
	default:
		a, _ := m.s.agents.get(c.agent)
		if a == nil || !a.Connected || a.Conn != c.id {
			m.count(countDroppedMessages)
			return
		}
		m.registeredMessage(a, ev.Msg)
	}
}

// registeredMessage deals with a message of a registered agent on its present connection.
func (m *Master) registeredMessage(a *Agent, msg *linkv1.ToMaster) {
	switch body := msg.GetBody().(type) {
	case *linkv1.ToMaster_Pong:
		if body.Pong.GetNumber() == a.ping {
			m.editAgent(a.ID).missed = 0
		}
	case *linkv1.ToMaster_Update:
		m.statusUpdate(a, body.Update)
	case *linkv1.ToMaster_Message:
		m.executorMessage(a, body.Message)
	case *linkv1.ToMaster_ExecutorExited:
		m.executorExited(a, body.ExecutorExited)
	case *linkv1.ToMaster_Unregister:
		m.count(countUnregisterAgent)
		m.leave(a.ID, commitUnregister, registry.RemoveAgent{ID: a.ID})
	default:
		m.count(countDroppedMessages)
	}
}

// agentGone deals with the end of a connection.
func (m *Master) agentGone(id ConnID) {
	c := m.conns[id]
	if c == nil {
		return
	}
	delete(m.conns, id)
	a := m.editAgent(c.agent)
	if a == nil || !a.Connected || a.Conn != id {
		return
	}
	m.disconnect(a)
}

// disconnect deals with an agent whose connection has ended: it cannot be offered, and tasks that do not
// survive it are lost. It may come back for a time.
func (m *Master) disconnect(a *Agent) {
	m.info("agent disconnected", slog.String("agent", a.ID))
	a.Connected, a.Active, a.Conn = false, false, ""
	m.emit(CancelTimer{ID: TimerID{Kind: TimerPing, Key: a.ID}})
	m.returnOffers(m.offersOn[a.ID], !mutant.OfferNotRescinded)
	m.updateAllocator(allocator.AgentChanged{Agent: a.forAllocator(m.s.region)})
	m.loseUncheckpointed(a)
	a.reregisterAt = m.now.Mono + m.cfg.ReregisterTimeout
	m.emit(SetTimer{ID: TimerID{Kind: TimerReregister, Key: a.ID}, After: m.cfg.ReregisterTimeout})
}

// loseUncheckpointed loses the tasks of frameworks that did not ask for checkpoints: TASK_LOST whatever the
// framework knows, as in Mesos. What has ended already, and awaits its acknowledgement, is not lost.
func (m *Master) loseUncheckpointed(a *Agent) {
	for _, ref := range m.tasksOnAgent(a.ID) {
		f, _ := m.s.frameworks.get(ref.framework)
		if f == nil || f.Checkpoint {
			continue
		}
		if t := m.editTask(ref); !t.freed {
			m.endTask(f, t, mesos.TaskState_TASK_LOST, mesos.TaskStatus_REASON_AGENT_DISCONNECTED, "Agent disconnected")
		}
	}
}

// pingTimer pings an agent, or gives it up when it has left too many pings unanswered.
func (m *Master) pingTimer(id string) {
	a := m.editAgent(id)
	if a == nil || !a.Connected || a.leaving != staying || m.now.Mono < a.pingAt {
		return
	}
	if a.missed >= m.cfg.MaxMissedPings {
		m.info("agent does not answer pings", slog.String("agent", id))
		m.markUnreachable(id)
		return
	}
	m.ping(a)
}

// ping pings an agent and counts the ping as unanswered.
func (m *Master) ping(a *Agent) {
	a.missed++
	a.ping++
	m.tell(a, &linkv1.ToAgent{Body: &linkv1.ToAgent_Ping{Ping: &linkv1.Ping{Number: a.ping}}})
	a.pingAt = m.now.Mono + m.cfg.PingInterval
	m.emit(SetTimer{ID: TimerID{Kind: TimerPing, Key: a.ID}, After: m.cfg.PingInterval})
}

// reregisterTimer gives a disconnected agent up that has not come back.
func (m *Master) reregisterTimer(id string) {
	a, _ := m.s.agents.get(id)
	if a == nil || a.Connected || a.reregisterAt == 0 || m.paused || m.now.Mono < a.reregisterAt {
		return
	}
	m.info("agent did not come back in time", slog.String("agent", id))
	m.markUnreachable(id)
}

// markUnreachable begins to give an agent up, registered or recovered.
func (m *Master) markUnreachable(id string) {
	if _, busy := m.busy[id]; busy {
		return
	}
	m.count(countUnreachableScheduled)
	if a := m.editAgent(id); a != nil {
		a.leaving = becomingUnreachable
	}
	at := m.now.Wall
	if mutant.UnreachableBeforeCommit {
		m.becomeUnreachable(id, at)
	}
	m.commit(commit{kind: commitUnreachable, agent: id, at: at}, registry.MarkUnreachable{ID: id, At: at})
}

// leave begins to remove an agent for good.
func (m *Master) leave(id string, kind commitKind, op registry.Op) {
	if _, busy := m.busy[id]; busy {
		return
	}
	m.editAgent(id).leaving = unregistering
	m.commit(commit{kind: kind, agent: id}, op)
}

// becomeUnreachable gives an agent up: its tasks are unreachable, or lost for frameworks that do not know the
// difference, and may come back with it.
func (m *Master) becomeUnreachable(id string, at time.Time) {
	m.s.unreachable.set(id, at)
	m.count(countUnreachableCompleted)
	if _, found := m.s.recovered.get(id); found {
		m.s.recovered.remove(id)
		m.count(countRecoveryRemovals)
		m.agentFailure(id)
		return
	}
	a := m.editAgent(id)
	if a == nil {
		return
	}
	m.count(countAgentRemovals)
	m.count(countRemovedUnhealthy)
	m.forgetAgent(a)
	for _, ref := range m.tasksOnAgent(id) {
		f, _ := m.s.frameworks.get(ref.framework)
		t := m.editTask(ref)
		switch {
		case f == nil, t.freed && mutant.EndForgotten:
			m.completeTask(t)
		case t.freed:
			// Its end is not acknowledged: the agent will tell of it again when it is back.
			m.keepUnreachable(t)
		default:
			m.taskUnreachable(f, t, at)
		}
	}
	m.agentFailure(id)
	m.info("agent is unreachable", slog.String("agent", id))
}

// taskUnreachable moves a task of an agent that was given up to the unreachable ones.
func (m *Master) taskUnreachable(f *Framework, t *Task, at time.Time) {
	state := lostOr(f, mesos.TaskState_TASK_UNREACHABLE)
	s := m.ownStatus(t.ID, t.Agent, state, mesos.TaskStatus_REASON_AGENT_REMOVED, "Agent became unreachable")
	s.UnreachableTime = &mesos.TimeInfo{Nanoseconds: proto.Int64(at.UnixNano())}
	t.appendStatus(s)
	m.moveCount(t, state)
	if state == mesos.TaskState_TASK_LOST {
		m.countEnd(state, s)
	}
	t.UnreachableSince = at
	m.keepUnreachable(t)
	m.sendStatus(f, s)
}

// moveCount gives a task a state without ending it.
func (m *Master) moveCount(t *Task, state mesos.TaskState) {
	if f := m.editFramework(t.Framework); f != nil {
		f.TasksByState[t.State]--
		f.TasksByState[state]++
	}
	t.State = state
}

// removeAgent removes an agent for good, with its tasks.
func (m *Master) removeAgent(id string, kind commitKind) {
	a := m.editAgent(id)
	if a == nil {
		return
	}
	m.count(countAgentRemovals)
	if kind == commitUnregister {
		m.count(countRemovedUnregistered)
	} else {
		m.count(countRemovedRegistered)
	}
	m.forgetAgent(a)
	delete(m.instances, a.Instance)
	for _, ref := range m.tasksOnAgent(id) {
		f, _ := m.s.frameworks.get(ref.framework)
		t := m.editTask(ref)
		if f == nil {
			m.completeTask(t)
			continue
		}
		state := lostOr(f, mesos.TaskState_TASK_GONE)
		if t.freed {
			state = t.State // nobody else will tell of it any more
		}
		m.endTask(f, t, state, mesos.TaskStatus_REASON_AGENT_REMOVED, "Agent was removed")
	}
	m.agentFailure(id)
	m.info("agent was removed", slog.String("agent", id))
}

// forgetAgent takes an agent, and the offers on it, out of the state; its tasks are the caller's.
func (m *Master) forgetAgent(a *Agent) {
	m.returnOffers(m.offersOn[a.ID], true)
	for _, kind := range []TimerKind{TimerPing, TimerReregister} {
		m.emit(CancelTimer{ID: TimerID{Kind: kind, Key: a.ID}})
	}
	if a.Connected {
		m.emit(CloseAgent{Conn: a.Conn})
		if c := m.conns[a.Conn]; c != nil {
			c.agent = ""
		}
	}
	if m.addresses[a.HTTPAddress] == a.ID {
		delete(m.addresses, a.HTTPAddress)
	}
	m.s.agents.remove(a.ID)
	m.updateAllocator(allocator.AgentRemoved{ID: a.ID})
}

// agentFailure tells all frameworks that an agent is lost.
func (m *Master) agentFailure(id string) {
	e := &scheduler.Event{Type: scheduler.Event_FAILURE.Enum(), Failure: &scheduler.Event_Failure{
		AgentId: &mesos.AgentID{Value: proto.String(id)},
	}}
	for f := range m.s.frameworks.below("") {
		m.send(f, e)
	}
}
