package agent

import (
	"log/slog"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/mutant"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func (a *Agent) addFramework(fi *mesos.FrameworkInfo, encoded []byte) *framework {
	f := &framework{id: fi.GetId().GetValue(), tasks: map[string]*task{}}
	f.describe(fi, encoded)
	a.frameworks[f.id] = f
	a.counts.frameworks++
	a.view.addFramework(f)
	return f
}

func (f *framework) describe(fi *mesos.FrameworkInfo, encoded []byte) {
	f.info = encoded
	f.user = fi.GetUser()
	f.checkpoint = fi.GetCheckpoint()
	f.partitionAware, f.killingState = false, false
	for _, c := range fi.GetCapabilities() {
		switch c.GetType() {
		case mesos.FrameworkInfo_Capability_PARTITION_AWARE:
			f.partitionAware = true
		case mesos.FrameworkInfo_Capability_TASK_KILLING_STATE:
			f.killingState = true
		}
	}
}

func (a *Agent) updateFramework(m *linkv1.UpdateFramework) {
	fi, err := decode[mesos.FrameworkInfo]("framework", "", m.GetFrameworkInfo())
	if err != nil {
		a.log(slog.LevelError, "framework from the master makes no sense", slog.Any("error", err))
		return
	}
	f := a.frameworks[fi.GetId().GetValue()]
	if f == nil {
		return
	}
	f.describe(fi, m.FrameworkInfo)
	a.view.touchFramework(f)
	if f.recorded {
		a.write(record.FrameworkKey(f.id), record.Framework{Info: f.info}.Encode())
	}
	if m.GetSubscribed() && !f.terminating && !mutant.NotResumed {
		a.resumeUpdates(f)
	}
}

// shutdownExecutor ends the task that the executor stands for.
func (a *Agent) shutdownExecutor(m *linkv1.ShutdownExecutor) {
	if t := a.task(m.GetFrameworkId(), m.GetExecutorId()); t != nil {
		a.endTask(t, a.cfg.ShutdownGrace, causeShutdown)
	}
}

// shutdownFramework ends everything of a framework that is no more. Its updates are sent once, for the master's
// books, and nobody acknowledges them.
func (a *Agent) shutdownFramework(id string) {
	f := a.frameworks[id]
	if f == nil || f.terminating {
		return
	}
	a.log(slog.LevelInfo, "framework is shut down", slog.String("framework", id))
	f.terminating = true
	for _, t := range f.sortedTasks() {
		if t.phase == phaseTerminated {
			a.forget(t)
		} else {
			a.endTask(t, a.cfg.ShutdownGrace, causeShutdown)
		}
	}
	a.completeFramework(f)
}

// forget drops a task whose end is known to whom it concerns. Its sandbox stays for a while.
func (a *Agent) forget(t *task) {
	f := t.framework
	a.cancelTimer(t.timer(TimerUpdate))
	a.eraseTask(t)
	delete(f.tasks, t.id)
	if t.container != "" {
		delete(a.byContainer, t.container)
		a.keepSandbox(t)
		a.completeExecutor(t)
	}
	a.completeFramework(f)
}

// eraseTask takes away all that was written of a task.
func (a *Agent) eraseTask(t *task) {
	for n := range t.stream.made {
		a.write(record.UpdateKey(t.framework.id, t.id, n), nil)
	}
	a.write(record.AckKey(t.framework.id, t.id), nil)
	a.write(record.KillKey(t.framework.id, t.id), nil)
	a.write(record.TaskKey(t.framework.id, t.id), nil)
}

// completeFramework drops a framework that has nothing here any more.
func (a *Agent) completeFramework(f *framework) {
	if len(f.tasks) > 0 || a.frameworks[f.id] != f {
		return
	}
	delete(a.frameworks, f.id)
	a.counts.frameworks--
	if f.recorded {
		a.write(record.FrameworkKey(f.id), nil)
	}
	a.view.completeFramework(f)
}
