package agent

import (
	"log/slog"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// runTask takes a task on: it is authorized if need be, checked, written down, and launched. What the master says
// again of a task that is here already is a repeat.
func (a *Agent) runTask(m *linkv1.RunTask) {
	fi, ti, ok := a.decodeRun(m)
	if !ok {
		return
	}
	f := a.frameworks[fi.GetId().GetValue()]
	if a.exit != nil || (f != nil && f.terminating) {
		a.log(slog.LevelWarn, "task not taken on: the agent or the framework is shutting down",
			slog.String("framework", fi.GetId().GetValue()), slog.String("task", ti.GetTaskId().GetValue()))
		return
	}
	if f == nil {
		f = a.addFramework(fi, m.FrameworkInfo)
	}
	id := ti.GetTaskId().GetValue()
	if f.tasks[id] != nil {
		a.log(slog.LevelInfo, "task is here already", slog.String("framework", f.id), slog.String("task", id))
		return
	}
	t := &task{framework: f, id: id, info: m.TaskInfo, state: mesos.TaskState_TASK_STAGING}
	a.counts.tasks[t.state]++
	f.tasks[id] = t
	a.touch(t)
	facts, err := readFacts(ti)
	t.facts = facts
	if err != nil {
		a.refuse(t, agentStatus(mesos.TaskState_TASK_ERROR, mesos.TaskStatus_REASON_TASK_INVALID, err.Error()))
		return
	}
	if !a.hold(t) {
		a.refuse(t, agentStatus(f.lost(mesos.TaskState_TASK_DROPPED), mesos.TaskStatus_REASON_RESOURCES_UNKNOWN,
			"The task's resources "+facts.resources.String()+" are not among those that are free on the agent"))
		return
	}
	t.container = a.randomID()
	t.directory = a.directory(t)
	a.byContainer[t.container] = t
	if a.cfg.AuthorizeTasks {
		a.emit(Authorize{Container: t.container, Framework: f.info, Task: t.info})
		return
	}
	a.launch(t, ti)
}

// decodeRun leaves out what the agent could not even answer for.
func (a *Agent) decodeRun(m *linkv1.RunTask) (*mesos.FrameworkInfo, *mesos.TaskInfo, bool) {
	fi, err := decode[mesos.FrameworkInfo]("framework", "", m.GetFrameworkInfo())
	if err == nil {
		var ti *mesos.TaskInfo
		ti, err = decode[mesos.TaskInfo]("task", "", m.GetTaskInfo())
		if err == nil && validID(fi.GetId().GetValue()) && validID(ti.GetTaskId().GetValue()) {
			return fi, ti, true
		}
	}
	a.log(slog.LevelError, "task from the master makes no sense", slog.Any("error", err),
		slog.String("framework", fi.GetId().GetValue()))
	return nil, nil, false
}

// validID holds for what can be part of a path and of a key. The master refuses other ids before they get here.
func validID(id string) bool {
	return id != "" && id != "." && id != ".." && utf8.ValidString(id) && !strings.ContainsFunc(id, func(r rune) bool {
		return r == '/' || r == '\\' || r < ' ' || r == 0x7f
	})
}

// authorized launches a task that waited for the word, or refuses it.
func (a *Agent) authorized(e Authorized) {
	t := a.byContainer[e.Container]
	if t == nil || t.phase != phaseAuthorizing {
		return // killed meanwhile
	}
	switch {
	case e.Unavailable != "":
		a.refuse(t, agentStatus(mesos.TaskState_TASK_FAILED, mesos.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED,
			"Failed to launch container: "+e.Unavailable))
	case e.Denied != "":
		a.refuse(t, agentStatus(mesos.TaskState_TASK_ERROR, mesos.TaskStatus_REASON_TASK_UNAUTHORIZED, e.Denied))
	default:
		ti, err := decode[mesos.TaskInfo]("task", t.id, t.info)
		if err != nil {
			a.refuse(t, agentStatus(mesos.TaskState_TASK_ERROR, mesos.TaskStatus_REASON_TASK_INVALID, err.Error()))
			return
		}
		a.launch(t, ti)
	}
}

// adopt writes a task down.
func (a *Agent) adopt(t *task) {
	if !t.framework.recorded {
		t.framework.recorded = true
		a.write(record.FrameworkKey(t.framework.id), record.Framework{Info: t.framework.info}.Encode())
	}
	a.write(record.TaskKey(t.framework.id, t.id), record.Task{
		Container: t.container, Directory: t.directory, Info: t.info,
	}.Encode())
}

func (a *Agent) launch(t *task, ti *mesos.TaskInfo) {
	a.adopt(t)
	t.phase = phaseLaunching
	a.touch(t)
	a.emit(Launch{Spec: a.spec(t, ti)})
}

// refuse ends a task that has no container.
func (a *Agent) refuse(t *task, status *mesos.TaskStatus) {
	a.log(slog.LevelInfo, "task not launched", slog.String("framework", t.framework.id), slog.String("task", t.id),
		slog.String("reason", status.GetMessage()))
	delete(a.byContainer, t.container)
	t.container, t.directory = "", ""
	a.adopt(t)
	a.terminate(t, status)
}

// directory is where the sandbox of a task's container is, as in Mesos.
func (a *Agent) directory(t *task) string {
	return filepath.Join(a.cfg.WorkDir, "slaves", a.agentID, "frameworks", t.framework.id,
		"executors", t.id, "runs", t.container)
}
