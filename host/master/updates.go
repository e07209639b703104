package master

import (
	"log/slog"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"google.golang.org/protobuf/proto"
)

// statusUpdate deals with what an agent says of a task. The agent repeats it until it is acknowledged, so it may
// come again at any time; the framework is told each time.
func (m *Master) statusUpdate(a *Agent, u *linkv1.StatusUpdate) {
	m.count(countStatusUpdates)
	status := &mesos.TaskStatus{}
	if err := proto.Unmarshal(u.GetStatus(), status); err != nil || len(u.GetUuid()) != 16 {
		m.count(countInvalidUpdates)
		m.warn("dropped a malformed status update", slog.String("agent", a.ID))
		return
	}
	f, _ := m.s.frameworks.get(u.GetFrameworkId())
	if f == nil {
		m.orphanUpdate(a, u, status.GetTaskId().GetValue())
		return
	}
	if status.AgentId == nil {
		status.AgentId = &mesos.AgentID{Value: proto.String(a.ID)}
	}
	status.Uuid = u.GetUuid()
	status.State = forFramework(f, status.GetState()).Enum()
	ref := taskRef{f.ID, status.GetTaskId().GetValue()}
	t := m.editTask(ref)
	if t == nil || t.Agent != a.ID {
		if m.completed(ref) != nil || t != nil {
			m.lateUpdate(a, u, status)
			return
		}
		// Nobody remembers such a task. The framework is told all the same, as in Mesos.
		m.count(countValidUpdates)
		m.sendStatus(f, status)
		return
	}
	m.count(countValidUpdates)
	m.takeUpdate(f, t, status, stateOf(u.GetLatestState()))
	m.sendStatus(f, status)
}

// takeUpdate enters an update of a task. latest is the task's newest state, which may be ahead of the update.
func (m *Master) takeUpdate(f *Framework, t *Task, status *mesos.TaskStatus, latest mesos.TaskState) {
	again := [16]byte(status.GetUuid()) == t.UpdateUUID
	t.UpdateState, t.UpdateUUID = status.GetState(), [16]byte(status.GetUuid())
	if !again {
		t.appendStatus(status)
	}
	if Terminal(status.GetState()) || latest == mesos.TaskState_TASK_STARTING {
		latest = status.GetState()
	}
	m.setState(t, forFramework(f, latest), status)
}

// stateOf is a state as agents send it. One that this release does not know is TASK_UNKNOWN.
func stateOf(n int32) mesos.TaskState {
	if _, known := mesos.TaskState_name[n]; known {
		return mesos.TaskState(n)
	}
	return mesos.TaskState_TASK_UNKNOWN
}

// forFramework is a state in words that the framework knows.
func forFramework(f *Framework, s mesos.TaskState) mesos.TaskState {
	switch s {
	case mesos.TaskState_TASK_DROPPED, mesos.TaskState_TASK_UNREACHABLE, mesos.TaskState_TASK_GONE,
		mesos.TaskState_TASK_GONE_BY_OPERATOR, mesos.TaskState_TASK_UNKNOWN:
		return lostOr(f, s)
	default:
		return s
	}
}

// lateUpdate deals with an update of a task that has ended for its framework already: the agent is told not to
// repeat it, and to end the task if it has not.
func (m *Master) lateUpdate(a *Agent, u *linkv1.StatusUpdate, status *mesos.TaskStatus) {
	m.count(countValidUpdates)
	task := status.GetTaskId().GetValue()
	m.tell(a, acknowledgement(u.GetFrameworkId(), task, u.GetUuid()))
	if !Terminal(stateOf(u.GetLatestState())) && !Terminal(status.GetState()) {
		m.tell(a, killMessage(u.GetFrameworkId(), task))
	}
}

// orphanUpdate deals with an update of a framework that the master does not know, or knows to be removed.
func (m *Master) orphanUpdate(a *Agent, u *linkv1.StatusUpdate, task string) {
	m.count(countInvalidUpdates)
	if !m.completedFramework(u.GetFrameworkId()) {
		m.warn("dropped a status update of an unknown framework", slog.String("agent", a.ID),
			slog.String("framework", u.GetFrameworkId()))
		return
	}
	m.tell(a, acknowledgement(u.GetFrameworkId(), task, u.GetUuid()))
	if !Terminal(stateOf(u.GetLatestState())) {
		m.tell(a, shutdownFramework(u.GetFrameworkId()))
	}
}

func acknowledgement(framework, task string, uuid []byte) *linkv1.ToAgent {
	return &linkv1.ToAgent{Body: &linkv1.ToAgent_Acknowledge{Acknowledge: &linkv1.Acknowledge{
		FrameworkId: framework, TaskId: task, Uuid: uuid,
	}}}
}

func killMessage(framework, task string) *linkv1.ToAgent {
	return &linkv1.ToAgent{Body: &linkv1.ToAgent_KillTask{KillTask: &linkv1.KillTask{
		FrameworkId: framework, TaskId: task,
	}}}
}

func shutdownFramework(framework string) *linkv1.ToAgent {
	return &linkv1.ToAgent{Body: &linkv1.ToAgent_ShutdownFramework{ShutdownFramework: &linkv1.ShutdownFramework{
		FrameworkId: framework,
	}}}
}

// acknowledge passes an acknowledgement on to the agent. That of a final update completes the task.
func (m *Master) acknowledge(f *Framework, call *scheduler.Call_Acknowledge) {
	m.count(countAcks)
	ref := taskRef{f.ID, call.GetTaskId().GetValue()}
	a, _ := m.s.agents.get(call.GetAgentId().GetValue())
	if a == nil || !a.Connected || len(call.GetUuid()) != 16 {
		m.count(countInvalidAcks)
		return
	}
	t := m.editTask(ref)
	if t != nil && (t.Agent != a.ID || t.UpdateUUID != [16]byte(call.GetUuid())) {
		m.count(countInvalidAcks)
		m.warn("dropped an acknowledgement that belongs to no update", slog.String("framework", f.ID),
			slog.String("task", ref.task))
		return
	}
	m.count(countValidAcks)
	m.tell(a, acknowledgement(f.ID, ref.task, call.GetUuid()))
	if t != nil && Terminal(t.UpdateState) {
		m.completeTask(t)
	}
}

// executorExited tells a framework that an executor has ended.
func (m *Master) executorExited(a *Agent, e *linkv1.ExecutorExited) {
	m.count(countExitedExecutor)
	if f, _ := m.s.frameworks.get(e.GetFrameworkId()); f != nil {
		m.send(f, &scheduler.Event{Type: scheduler.Event_FAILURE.Enum(), Failure: &scheduler.Event_Failure{
			AgentId:    &mesos.AgentID{Value: proto.String(a.ID)},
			ExecutorId: &mesos.ExecutorID{Value: proto.String(e.GetExecutorId())},
			Status:     proto.Int32(e.GetStatus()),
		}})
	}
}

// executorMessage passes an executor's data on to its framework.
func (m *Master) executorMessage(a *Agent, msg *linkv1.FrameworkMessage) {
	m.count(countExecutorMessages)
	f, _ := m.s.frameworks.get(msg.GetFrameworkId())
	if f == nil || !f.Connected {
		m.count(countInvalidExecutorMessages)
		return
	}
	m.count(countValidExecutorMessages)
	m.send(f, &scheduler.Event{Type: scheduler.Event_MESSAGE.Enum(), Message: &scheduler.Event_Message{
		AgentId:    &mesos.AgentID{Value: proto.String(a.ID)},
		ExecutorId: &mesos.ExecutorID{Value: proto.String(msg.GetExecutorId())},
		Data:       msg.GetData(),
	}})
}
