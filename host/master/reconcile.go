package master

import (
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"google.golang.org/protobuf/proto"
)

// reconcileBatch is how many tasks an implicit reconciliation tells of at a time, so that the loop goes on.
const reconcileBatch = 500

// reconcile tells a framework how tasks are: those it names, or all if it names none.
func (m *Master) reconcile(f *Framework, tasks []*scheduler.Call_Reconcile_Task) {
	m.count(countReconcileTasks)
	if len(tasks) == 0 {
		m.reconcileAll(f, "")
		return
	}
	for _, t := range tasks {
		if s := m.reconciled(f, t.GetTaskId().GetValue(), t.GetAgentId().GetValue()); s != nil {
			m.sendStatus(f, s)
		}
	}
}

// reconcileAll tells of the framework's tasks whose ids come after one, and sees to the rest.
func (m *Master) reconcileAll(f *Framework, after string) {
	n := 0
	last := ""
	for t := range m.s.tasks.after(taskPrefix(f.ID), taskKey(f.ID, after)) {
		if n == reconcileBatch {
			m.reconciling[f.ID] = last
			m.emit(SetTimer{ID: TimerID{Kind: TimerReconcile, Key: f.ID}})
			return
		}
		m.sendStatus(f, m.latest(t))
		n, last = n+1, t.ID
	}
	delete(m.reconciling, f.ID)
}

// reconcileTimer goes on with an implicit reconciliation.
func (m *Master) reconcileTimer(id string) {
	f, _ := m.s.frameworks.get(id)
	after, ok := m.reconciling[id]
	if f != nil && f.Connected && ok {
		m.reconcileAll(f, after)
	}
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
