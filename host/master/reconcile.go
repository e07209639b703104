package master

import (
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"google.golang.org/protobuf/proto"
)

// reconcileBatch is how many tasks a framework is told of at a time, so that the loop goes on.
const reconcileBatch = 500

// reconciliation is what a framework is still to be told: the tasks it has named, and then, where it asked for
// all, those whose ids come after one.
type reconciliation struct {
	named []*scheduler.Call_Reconcile_Task
	all   bool
	after string
}

// reconcile tells a framework how tasks are: those it names, or all if it names none.
func (m *Master) reconcile(f *Framework, tasks []*scheduler.Call_Reconcile_Task) {
	m.count(countReconcileTasks)
	r, waiting := m.reconciling[f.ID]
	r.named = append(r.named, tasks...)
	if len(tasks) == 0 {
		r.all, r.after = true, ""
	}
	m.reconciling[f.ID] = r
	if !waiting {
		m.reconcileSome(f)
	}
}

// reconcileTimer goes on with a reconciliation.
func (m *Master) reconcileTimer(id string) {
	f, _ := m.s.frameworks.get(id)
	if _, waiting := m.reconciling[id]; f != nil && f.Connected && waiting {
		m.reconcileSome(f)
	}
}

// reconcileSome tells of some tasks, and sees to the rest.
func (m *Master) reconcileSome(f *Framework) {
	r := m.reconciling[f.ID]
	n := min(len(r.named), reconcileBatch)
	for _, t := range r.named[:n] {
		if s := m.reconciled(f, t.GetTaskId().GetValue(), t.GetAgentId().GetValue()); s != nil {
			m.sendStatus(f, s)
		}
	}
	r.named = r.named[n:]
	done := len(r.named) == 0
	if done && r.all {
		r.after, done = m.reconcileAll(f, r.after, reconcileBatch-n)
	}
	if done {
		delete(m.reconciling, f.ID)
		return
	}
	m.reconciling[f.ID] = r
	m.emit(SetTimer{ID: TimerID{Kind: TimerReconcile, Key: f.ID}})
}

// reconcileAll tells of at most so many of the framework's tasks whose ids come after one. It returns the last
// of them, and whether it was the last of all.
func (m *Master) reconcileAll(f *Framework, after string, most int) (last string, done bool) {
	last = after
	for t := range m.s.tasks.after(taskPrefix(f.ID), taskKey(f.ID, after)) {
		if most == 0 {
			return last, false
		}
		m.sendStatus(f, m.latest(t))
		most, last = most-1, t.ID
	}
	return last, true
}

// latest is a task's state as far as its framework has been told, as a status.
func (m *Master) latest(t *Task) *mesos.TaskStatus {
	state := t.UpdateState
	if t.UpdateUUID == [16]byte{} {
		state = t.State
	}
	s := m.ownStatus(t.ID, t.Agent, state, mesos.TaskStatus_REASON_RECONCILIATION, "Reconciliation: Latest task state")
	if _, last := t.lastStatus(); last != nil {
		s.ContainerStatus, s.CheckStatus, s.Healthy = last.GetContainerStatus(), last.GetCheckStatus(), last.Healthy
	}
	return s
}

// reconciled is what can be said of a task that a framework asks for, or nil if that is not known yet.
func (m *Master) reconciled(f *Framework, task, agent string) *mesos.TaskStatus {
	if t, _ := m.s.tasks.get(taskKey(f.ID, task)); t != nil {
		return m.latest(t)
	}
	if t, _ := m.s.unreachT.get(taskKey(f.ID, task)); t != nil {
		agent = t.Agent
	}
	state, message := m.missing(agent)
	if state == mesos.TaskState_TASK_STAGING {
		return nil
	}
	s := m.ownStatus(task, agent, lostOr(f, state), mesos.TaskStatus_REASON_RECONCILIATION, "Reconciliation: "+message)
	if state == mesos.TaskState_TASK_UNREACHABLE {
		since, _ := m.s.unreachable.get(agent)
		s.UnreachableTime = &mesos.TimeInfo{Nanoseconds: proto.Int64(since.UnixNano())}
	}
	return s
}

// missing says what has become of a task that is not known, by its agent, which may be empty. TASK_STAGING
// means that it cannot be said yet.
func (m *Master) missing(agent string) (state mesos.TaskState, message string) {
	_, recovered := m.s.recovered.get(agent)
	_, registered := m.s.agents.get(agent)
	_, unreachable := m.s.unreachable.get(agent)
	_, gone := m.s.gone.get(agent)
	_, busy := m.busy[agent]
	switch {
	case recovered, busy, agent == "" && m.s.recovered.len() > 0:
		return mesos.TaskState_TASK_STAGING, ""
	case registered:
		return mesos.TaskState_TASK_GONE, "Task is unknown to the agent"
	case unreachable:
		return mesos.TaskState_TASK_UNREACHABLE, "Task is unreachable"
	case gone:
		return mesos.TaskState_TASK_GONE_BY_OPERATOR, "Task is gone"
	default:
		return mesos.TaskState_TASK_UNKNOWN, "Task is unknown"
	}
}

// operationStates are what operations are in, by what tasks of the same agent would be in.
var operationStates = map[mesos.TaskState]mesos.OperationState{
	mesos.TaskState_TASK_STAGING:          mesos.OperationState_OPERATION_RECOVERING,
	mesos.TaskState_TASK_GONE:             mesos.OperationState_OPERATION_UNKNOWN,
	mesos.TaskState_TASK_UNREACHABLE:      mesos.OperationState_OPERATION_UNREACHABLE,
	mesos.TaskState_TASK_GONE_BY_OPERATOR: mesos.OperationState_OPERATION_GONE_BY_OPERATOR,
	mesos.TaskState_TASK_UNKNOWN:          mesos.OperationState_OPERATION_UNKNOWN,
}

var operationMessages = map[mesos.OperationState]string{
	mesos.OperationState_OPERATION_RECOVERING:       "Agent is recovering",
	mesos.OperationState_OPERATION_UNKNOWN:          "Operation is unknown",
	mesos.OperationState_OPERATION_UNREACHABLE:      "Agent is unreachable",
	mesos.OperationState_OPERATION_GONE_BY_OPERATOR: "Agent is gone",
}

// reconcileOperations tells a framework how operations are. There are none, so all depends on the agents.
func (m *Master) reconcileOperations(f *Framework, ops []*scheduler.Call_ReconcileOperations_Operation) {
	m.count(countReconcileOperations)
	for _, op := range ops {
		agent := op.GetAgentId().GetValue()
		missing, _ := m.missing(agent)
		state := operationStates[missing]
		m.send(f, &scheduler.Event{
			Type: scheduler.Event_UPDATE_OPERATION_STATUS.Enum(),
			UpdateOperationStatus: &scheduler.Event_UpdateOperationStatus{Status: &mesos.OperationStatus{
				OperationId: op.GetOperationId(), State: state.Enum(),
				Message: proto.String("Reconciliation: " + operationMessages[state]),
				AgentId: op.GetAgentId(), ResourceProviderId: op.GetResourceProviderId(),
			}},
		})
	}
}
