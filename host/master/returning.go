package master

import (
	"net"
	"strconv"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/mutant"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"google.golang.org/protobuf/proto"
)

// settleTasks compares the tasks that the master has on a returning agent with those that the agent has.
func (m *Master) settleTasks(a *Agent, r *registration) {
	reported := make(map[taskRef]*linkv1.Task, len(r.tasks))
	for _, lt := range r.tasks {
		info := &mesos.TaskInfo{}
		if proto.Unmarshal(lt.GetTaskInfo(), info) == nil {
			reported[taskRef{lt.GetFrameworkId(), info.GetTaskId().GetValue()}] = lt
		}
	}
	for _, ref := range m.tasksOnAgent(a.ID) {
		f, _ := m.s.frameworks.get(ref.framework)
		t := m.editTask(ref)
		if lt := reported[ref]; lt != nil {
			m.settleTask(a, f, t, lt)
		} else if !mutant.LaunchLost {
			m.missingTask(f, t)
		}
	}
}

// settleTask deals with a task that both have.
func (m *Master) settleTask(a *Agent, f *Framework, t *Task, lt *linkv1.Task) {
	m.takeStatuses(f, t, lt)
	state := forFramework(f, stateOf(lt.GetLatestState()))
	if _, last := t.lastStatus(); last != nil {
		m.setState(t, state, last)
	} else {
		m.setState(t, state, &mesos.TaskStatus{State: state.Enum()})
	}
	if t.kill != nil && !Terminal(t.State) {
		m.tell(a, &linkv1.ToAgent{Body: &linkv1.ToAgent_KillTask{KillTask: t.kill}})
	}
}

// missingTask deals with a task that the agent does not have: it never came there, or was forgotten there. Nobody
// else will tell the framework.
func (m *Master) missingTask(f *Framework, t *Task) {
	state := mesos.TaskState_TASK_GONE
	switch {
	case t.freed:
		state = t.State
	case t.State == mesos.TaskState_TASK_STAGING:
		state = lostOr(f, mesos.TaskState_TASK_DROPPED)
	default:
		state = lostOr(f, state)
	}
	m.endTask(f, t, state, mesos.TaskStatus_REASON_RECONCILIATION, "Reconciliation: Task is unknown to the agent")
}

// endStale deals with a task of a returning agent that has ended for its framework already: the agent is to end
// it, and not to tell of it again.
func (m *Master) endStale(a *Agent, ref taskRef, lt *linkv1.Task) {
	if len(lt.GetStatusUpdateUuid()) == 16 {
		m.tell(a, acknowledgement(ref.framework, ref.task, lt.GetStatusUpdateUuid()))
	}
	if !Terminal(stateOf(lt.GetLatestState())) {
		m.tell(a, killMessage(ref.framework, ref.task))
	}
}

// tellBack tells frameworks of tasks that were unreachable and are back.
func (m *Master) tellBack(refs []taskRef) {
	for _, ref := range refs {
		f, _ := m.s.frameworks.get(ref.framework)
		t, _ := m.s.tasks.get(taskKey(ref.framework, ref.task))
		if f == nil || t == nil {
			continue
		}
		s := m.latest(t)
		s.Reason, s.Message = mesos.TaskStatus_REASON_AGENT_REREGISTERED.Enum(), proto.String("Agent reregistered")
		m.sendStatus(f, s)
	}
}

// loseUnreported deals with tasks that were unreachable and that the agent, which is back, does not have any
// more. Frameworks that are not partition aware have been told TASK_LOST when the agent was given up.
func (m *Master) loseUnreported(agent string) {
	for _, ref := range sortedRefs(m.unreachableOn[agent]) {
		t := m.takeUnreachable(ref)
		f, _ := m.s.frameworks.get(ref.framework)
		if t == nil {
			continue
		}
		c := *t
		c.rev, c.freed = m.rev, true
		switch {
		case f == nil:
		case t.freed:
			// Its framework has not acknowledged how it ended, and nobody else will tell of it any more.
			m.sendStatus(f, m.ownStatus(c.ID, c.Agent, c.State, mesos.TaskStatus_REASON_RECONCILIATION,
				"Reconciliation: Task is unknown to the agent"))
		case !Terminal(c.State):
			s := m.ownStatus(c.ID, c.Agent, mesos.TaskState_TASK_GONE, mesos.TaskStatus_REASON_RECONCILIATION,
				"Reconciliation: Task is unknown to the agent")
			c.appendStatus(s)
			c.State = mesos.TaskState_TASK_GONE
			m.countEnd(c.State, s)
			m.sendStatus(f, s)
		}
		if f = m.editFramework(ref.framework); f != nil {
			f.TasksByState[c.State]++
		}
		m.keepCompleted(&c)
	}
}

func hostPort(address string) (host string, port int32) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return host, 0
	}
	return host, int32(n)
}
