package master

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// removeFramework ends a framework: its tasks are killed, its stream is closed, and its id is not used again.
func (m *Master) removeFramework(f *Framework) {
	m.returnOffers(m.offersOf[f.ID], false)
	for _, id := range m.agentsOf(f.ID) {
		if a, _ := m.s.agents.get(id); a != nil {
			m.tell(a, shutdownFramework(f.ID))
		}
	}
	for _, t := range m.s.tasks.collect(taskPrefix(f.ID)) {
		m.killForRemoval(m.editTask(t.ref()))
	}
	if f.Connected {
		m.emit(CloseStream{Stream: f.Stream})
		m.emit(CancelTimer{ID: TimerID{Kind: TimerHeartbeat, Key: f.ID}})
		f.UnregisteredTime = m.now.Wall
	}
	if f.failoverAt != 0 {
		m.emit(CancelTimer{ID: TimerID{Kind: TimerFailover, Key: f.ID}})
	}
	f = m.editFramework(f.ID)
	f.Connected, f.Active, f.Stream, f.failoverAt = false, false, "", 0
	if f.UnregisteredTime.IsZero() {
		f.UnregisteredTime = m.now.Wall
	}
	delete(m.reconciling, f.ID)
	m.s.frameworks.remove(f.ID)
	m.updateAllocator(allocator.FrameworkRemoved{ID: f.ID})
	m.keepFramework(f)
	m.info("removed a framework", slog.String("framework", f.ID))
}

// killForRemoval ends a task whose framework is being removed. Nobody is there to be told.
func (m *Master) killForRemoval(t *Task) {
	if !t.freed {
		s := m.ownStatus(t.ID, t.Agent, mesos.TaskState_TASK_KILLED, mesos.TaskStatus_REASON_FRAMEWORK_REMOVED,
			"Framework "+t.Framework+" removed")
		t.appendStatus(s)
		m.setState(t, mesos.TaskState_TASK_KILLED, s)
	}
	m.completeTask(t)
}

// keepFramework adds to the completed frameworks, forgetting the oldest, with its tasks, if there are too many.
func (m *Master) keepFramework(f *Framework) {
	key := fmt.Sprintf("%016x", m.nextCompleted)
	m.nextCompleted++
	m.s.completed.set(key, f)
	m.completedFw[f.ID] = key
	for len(m.completedFw) > max(0, m.cfg.MaxCompletedFrameworks) {
		oldest, old, ok := m.s.completed.first("")
		if !ok {
			return
		}
		m.s.completed.remove(oldest)
		delete(m.completedFw, old.ID)
		for m.forgetCompleted(old.ID) {
		}
		for _, ref := range slices.Clone(m.unreachable[old.ID]) {
			m.takeUnreachable(ref)
		}
		delete(m.unreachable, old.ID)
	}
}
