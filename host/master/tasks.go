package master

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/host/mutant"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"google.golang.org/protobuf/proto"
)

func (t *Task) ref() taskRef { return taskRef{t.Framework, t.ID} }

// addTask enters a task whose resources are on its agent's books already.
func (m *Master) addTask(t *Task) {
	t.rev = m.rev
	m.s.tasks.set(taskKey(t.Framework, t.ID), t)
	addTo(m.tasksOn, t.Agent, t.ref())
	agents := m.agentTasks[t.Framework]
	if agents == nil {
		agents = map[string]int{}
		m.agentTasks[t.Framework] = agents
	}
	agents[t.Agent]++
	if f := m.editFramework(t.Framework); f != nil {
		f.TasksByState[t.State]++
	}
}

// dropTask takes a task out of those that are neither completed nor unreachable. Its resources must have been
// given back.
func (m *Master) dropTask(t *Task) {
	m.s.tasks.remove(taskKey(t.Framework, t.ID))
	dropFrom(m.tasksOn, t.Agent, t.ref())
	agents := m.agentTasks[t.Framework]
	if agents[t.Agent]--; agents[t.Agent] <= 0 {
		delete(agents, t.Agent)
	}
	if len(agents) == 0 {
		delete(m.agentTasks, t.Framework)
	}
}

// setState gives a task, which must be one that may be changed, a newer state because of a status. A task that
// has ended stays as it is. Ending gives the resources back, whether or not the framework has been told yet.
func (m *Master) setState(t *Task, state mesos.TaskState, why *mesos.TaskStatus) {
	if t.freed {
		return
	}
	if f := m.editFramework(t.Framework); f != nil {
		f.TasksByState[t.State]--
		f.TasksByState[state]++
	}
	t.State = state
	if !Terminal(state) {
		return
	}
	m.countEnd(state, why)
	if !mutant.FreedOnAcknowledgement {
		m.freeTask(t)
	}
}

// countEnd counts a task that ended.
func (m *Master) countEnd(state mesos.TaskState, why *mesos.TaskStatus) {
	if c, ok := terminalCounters[state]; ok {
		m.count(c)
	}
	if why.Reason != nil && why.GetState() == state {
		m.counters().addReason(m.rev, why)
	}
}

// freeTask gives a task's resources back.
func (m *Master) freeTask(t *Task) {
	if t.freed {
		return
	}
	t.freed = true
	a := m.editAgent(t.Agent)
	if a == nil {
		return // gone, with all its books
	}
	a.free(t.Framework, t.Resources)
	if !t.Resources.IsEmpty() && !mutant.AllocatorNotTold {
		m.updateAllocator(allocator.Recovered{Framework: t.Framework, Agent: t.Agent, Resources: t.Resources})
	}
}

// completeTask moves a task that has ended to its framework's completed ones.
func (m *Master) completeTask(t *Task) {
	m.freeTask(t)
	m.dropTask(t)
	m.keepCompleted(t)
}

// keepCompleted adds to a framework's completed tasks, forgetting the oldest if there are too many.
func (m *Master) keepCompleted(t *Task) {
	key := fmt.Sprintf("%s%016x", taskPrefix(t.Framework), m.nextCompleted)
	m.nextCompleted++
	t.kill = nil
	m.s.completedT.set(key, t)
	m.completedTask[t.ref()] = key
	m.completedN[t.Framework]++
	for m.completedN[t.Framework] > max(0, m.cfg.MaxCompletedTasks) {
		m.forgetCompleted(t.Framework)
	}
}

// forgetCompleted forgets the oldest of a framework's completed tasks.
func (m *Master) forgetCompleted(framework string) bool {
	key, t, ok := m.s.completedT.first(taskPrefix(framework))
	if !ok {
		delete(m.completedN, framework)
		return false
	}
	m.s.completedT.remove(key)
	if m.completedTask[t.ref()] == key {
		delete(m.completedTask, t.ref())
	}
	m.completedN[framework]--
	return true
}

// completed returns a task among its framework's completed ones, or nil.
func (m *Master) completed(ref taskRef) *Task {
	key, ok := m.completedTask[ref]
	if !ok {
		return nil
	}
	t, _ := m.s.completedT.get(key)
	return t
}

// keepUnreachable moves a task to its framework's unreachable ones, forgetting the oldest if there are too many.
// The agent must be on its way out, with its books.
func (m *Master) keepUnreachable(t *Task) {
	m.dropTask(t)
	m.s.unreachT.set(taskKey(t.Framework, t.ID), t)
	addTo(m.unreachableOn, t.Agent, t.ref())
	m.unreachable[t.Framework] = append(m.unreachable[t.Framework], t.ref())
	for len(m.unreachable[t.Framework]) > max(0, m.cfg.MaxUnreachableTasks) {
		m.takeUnreachable(m.unreachable[t.Framework][0])
	}
}

// takeUnreachable takes a task out of the unreachable ones, and returns it, or nil.
func (m *Master) takeUnreachable(ref taskRef) *Task {
	t, _ := m.s.unreachT.get(taskKey(ref.framework, ref.task))
	if t == nil {
		return nil
	}
	m.s.unreachT.remove(taskKey(ref.framework, ref.task))
	dropFrom(m.unreachableOn, t.Agent, ref)
	refs := m.unreachable[ref.framework]
	if i := slices.Index(refs, ref); i >= 0 {
		m.unreachable[ref.framework] = slices.Delete(refs, i, i+1)
	}
	if f := m.editFramework(ref.framework); f != nil {
		f.TasksByState[t.State]--
	}
	return t
}

// appendStatus adds to a task's statuses, in place of the last one if it has the same state. What the task
// itself tells is left out, and so is data, which readers never see.
func (t *Task) appendStatus(s *mesos.TaskStatus) {
	short := &mesos.TaskStatus{
		State: s.State, Message: s.Message, Source: s.Source, Reason: s.Reason, Timestamp: s.Timestamp,
		Uuid: s.GetUuid(), Healthy: s.Healthy, CheckStatus: s.GetCheckStatus(), Labels: s.GetLabels(),
		ContainerStatus: s.GetContainerStatus(), UnreachableTime: s.GetUnreachableTime(), Limitation: s.GetLimitation(),
	}
	if s.GetExecutorId().GetValue() != t.ID {
		short.ExecutorId = s.GetExecutorId()
	}
	one := encode(short)
	kept := t.statuses
	if at, last := t.lastStatus(); last != nil && last.GetState() == s.GetState() {
		kept = kept[:at]
	}
	buf := make([]byte, 0, len(kept)+len(one)+binary.MaxVarintLen32)
	buf = append(buf, kept...)
	buf = binary.AppendUvarint(buf, uint64(len(one)))
	t.statuses = append(buf, one...)
}

// lastStatus decodes the newest status and says where it begins; nil if there is none.
func (t *Task) lastStatus() (at int, last *mesos.TaskStatus) {
	var one []byte
	for rest := t.statuses; len(rest) > 0; {
		at = len(t.statuses) - len(rest)
		one, rest = nextStatus(rest)
	}
	if one == nil {
		return 0, nil
	}
	last = &mesos.TaskStatus{}
	mustDecodePartial(one, last)
	return at, last
}

// seconds is a time as statuses carry it.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// ownStatus is a status that the master itself makes. It has no uuid, as nobody needs to acknowledge it.
func (m *Master) ownStatus(task, agent string, state mesos.TaskState, reason mesos.TaskStatus_Reason, message string,
) *mesos.TaskStatus {
	s := &mesos.TaskStatus{
		TaskId: &mesos.TaskID{Value: proto.String(task)}, State: state.Enum(), Message: proto.String(message),
		Source: mesos.TaskStatus_SOURCE_MASTER.Enum(), Reason: reason.Enum(), Timestamp: proto.Float64(seconds(m.now.Wall)),
	}
	if agent != "" {
		s.AgentId = &mesos.AgentID{Value: proto.String(agent)}
	}
	return s
}

// sendStatus sends a status to a framework, if it is connected.
func (m *Master) sendStatus(f *Framework, s *mesos.TaskStatus) {
	m.send(f, &scheduler.Event{
		Type: scheduler.Event_UPDATE.Enum(), Update: &scheduler.Event_Update{Status: s},
	})
}

// lostOr is the state for frameworks that are partition aware, and TASK_LOST for the others.
func lostOr(f *Framework, state mesos.TaskState) mesos.TaskState {
	if f.Capabilities.PartitionAware() {
		return state
	}
	return mesos.TaskState_TASK_LOST
}

// endTask ends a task by the master's decision: the framework is told, and the task is completed.
func (m *Master) endTask(f *Framework, t *Task, state mesos.TaskState, reason mesos.TaskStatus_Reason, message string) {
	s := m.ownStatus(t.ID, t.Agent, state, reason, message)
	t.appendStatus(s)
	m.setState(t, state, s)
	m.sendStatus(f, s)
	m.completeTask(t)
}
