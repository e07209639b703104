package agent

import (
	"log/slog"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// containerEvent deals with what has happened to a container. What is told of one that belongs to no task is of one
// that was given up: it is being destroyed.
func (a *Agent) containerEvent(ev containerizer.Event) {
	if e, ok := ev.(containerizer.Cleaned); ok && e.Err != nil {
		a.counts.destroyErrors++
	}
	t := a.byContainer[ev.Container()]
	if t == nil {
		if e, ok := ev.(containerizer.Cleaned); ok {
			a.emit(Destroy{Container: e.ID}) // so that the containerizer forgets it
		}
		return
	}
	switch e := ev.(type) {
	case containerizer.Started:
		a.containerStarted(t, e.Pid)
	case containerizer.Failed:
		if t.phase == phaseLaunching {
			t.end.failed = &e
			a.finish(t) // nothing runs; what is left to clean up the containerizer keeps in mind
		}
	case containerizer.Limited:
		if t.phase < phaseTerminated {
			t.end.limitations = append(t.end.limitations, e.Limitation)
		}
	case containerizer.Exited:
		if t.phase == phaseLaunching || t.phase == phaseRunning {
			t.end.waitStatus, t.end.known = e.WaitStatus, e.Known
			a.containerEnded(t)
		}
	case containerizer.Cleaned:
		if e.Err != nil {
			a.log(slog.LevelError, "container not cleaned up; it will be tried again when the agent restarts",
				slog.String("container", e.ID), slog.Any("error", e.Err))
		}
		if t.phase == phaseEnded {
			a.finish(t)
		}
	}
}

// containerStarted tells that the command was let go. A task that is to be killed already says nothing: its
// container is being destroyed.
func (a *Agent) containerStarted(t *task, pid int) {
	if t.phase != phaseLaunching {
		return
	}
	t.phase, t.pid = phaseRunning, pid
	a.touch(t)
	if t.kill != nil {
		return
	}
	a.update(t, a.executorStatus(t, mesos.TaskState_TASK_STARTING, ""))
	a.update(t, a.executorStatus(t, mesos.TaskState_TASK_RUNNING, ""))
	if t.facts.completion >= 0 {
		a.setTimer(t.timer(TimerCompletion), t.facts.completion)
	}
}

// containerEnded waits for the container's remains to be cleaned up before the task's end is told, so that nobody
// is offered what still holds on to something.
func (a *Agent) containerEnded(t *task) {
	t.phase = phaseEnded
	t.end.at = a.now.Wall
	a.touch(t)
	a.cancelTimer(t.timer(TimerKill))
	a.cancelTimer(t.timer(TimerCompletion))
	a.setTimer(t.timer(TimerCleanup), a.cfg.CleanupTimeout)
}

// cleanupLate tells the task's end although something of its container is still there.
func (a *Agent) cleanupLate(t *task) {
	if t.phase != phaseEnded {
		return
	}
	a.log(slog.LevelWarn, "container is not cleaned up yet; its task's end is told all the same",
		slog.String("container", t.container), slog.Duration("waited", a.cfg.CleanupTimeout))
	a.finish(t)
}

// finish tells how a task ended whose container is gone, or never was.
func (a *Agent) finish(t *task) {
	if t.end.failed != nil && t.kill == nil {
		a.counts.launchErrors++
	}
	a.terminate(t, a.terminalStatus(t))
}

// terminate makes a task's terminal update, of which each task has one.
func (a *Agent) terminate(t *task, status *mesos.TaskStatus) {
	for _, kind := range []TimerKind{TimerKill, TimerCompletion, TimerCleanup} {
		a.cancelTimer(t.timer(kind))
	}
	t.phase = phaseTerminated
	if t.end.at.IsZero() {
		t.end.at = a.now.Wall
	}
	a.release(t)
	a.update(t, status)
	if t.container != "" {
		a.emit(Destroy{Container: t.container}) // its end is written down: nobody needs what is left of it
	}
	if t.framework.terminating {
		a.forget(t)
	}
	a.exitIfDone()
}
