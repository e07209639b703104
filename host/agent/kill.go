package agent

import (
	"log/slog"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/mutant"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// destroyAfter is how long a container has to end after SIGKILL before it is destroyed.
const destroyAfter = 5 * time.Second

// cause is why a task is to end. The numbers are on disk.
type cause uint64

const (
	causeKill       cause = 1 // a scheduler's KILL
	causeShutdown   cause = 2 // its executor, framework or agent is shut down
	causeCompletion cause = 3 // it has had its max_completion_time
	causeLaunching  cause = 4 // any of these, while its container was being made
)

// kill is that a task was asked to end.
type kill struct {
	cause    cause
	asked    time.Time     // by the wall clock, which a restart does not reset
	deadline time.Duration // by the monotonic clock
	forced   int           // steps taken after the deadline
}

// killTask is a scheduler's KILL.
func (a *Agent) killTask(m *linkv1.KillTask) {
	t := a.task(m.GetFrameworkId(), m.GetTaskId())
	if t == nil {
		a.killUnknown(m)
		return
	}
	a.endTask(t, a.killGrace(t, m.GetKillPolicy()), causeKill)
}

// killGrace is the KILL's own grace period, else the task's, else the agent's.
func (a *Agent) killGrace(t *task, encoded []byte) time.Duration {
	var policy mesos.KillPolicy
	if err := proto.Unmarshal(encoded, &policy); err == nil && policy.GracePeriod != nil {
		return time.Duration(policy.GracePeriod.GetNanoseconds())
	}
	if t.facts.killGrace >= 0 {
		return t.facts.killGrace
	}
	return a.cfg.KillGrace
}

// killUnknown answers for a task that is not here, so that the scheduler does not wait for its end for ever. One
// that has ended here a while ago needs no answer: its end was acknowledged. Nor does one of an agent that leaves and
// has forgotten its tasks: it has told how they ended.
func (a *Agent) killUnknown(m *linkv1.KillTask) {
	f := a.frameworks[m.GetFrameworkId()]
	over := a.exit != nil && a.exit.done || a.view.completedTask(m.GetFrameworkId(), m.GetTaskId())
	if f != nil && f.terminating || over && !mutant.EndContradicted || mutant.KillUnanswered {
		return
	}
	a.log(slog.LevelWarn, "asked to kill a task that is not here", slog.String("framework", m.GetFrameworkId()),
		slog.String("task", m.GetTaskId()))
	// Whether the framework knows this state the master knows, and has another word for those that do not.
	u := a.newUpdate(m.GetTaskId(), a.unknownUUID(m.GetFrameworkId(), m.GetTaskId()), agentStatus(mesos.TaskState_TASK_DROPPED,
		mesos.TaskStatus_REASON_EXECUTOR_TERMINATED, "The agent does not know the task"))
	a.sendStatus(m.GetFrameworkId(), m.GetTaskId(), u, u.state)
}

// endTask asks a task to end within a grace period. Asking again can only shorten the time it has.
func (a *Agent) endTask(t *task, grace time.Duration, why cause) {
	switch t.phase {
	case phaseAuthorizing:
		a.refuse(t, agentStatus(mesos.TaskState_TASK_KILLED, mesos.TaskStatus_REASON_TASK_KILLED_DURING_LAUNCH,
			"Killed before the task was launched"))
	case phaseLaunching:
		if t.kill != nil {
			return
		}
		t.kill = &kill{cause: causeLaunching, asked: a.now.Wall, deadline: a.now.Mono}
		a.writeKill(t)
		a.touch(t)
		a.emit(Destroy{Container: t.container})
	case phaseRunning:
		if t.kill != nil {
			a.shortenKill(t, grace)
			return
		}
		a.beginKill(t, max(grace, 0), why)
	}
}

func (a *Agent) beginKill(t *task, grace time.Duration, why cause) {
	t.kill = &kill{cause: why, asked: a.now.Wall, deadline: a.now.Mono + grace}
	a.writeKill(t)
	a.touch(t)
	a.cancelTimer(t.timer(TimerCompletion))
	if t.framework.killingState {
		a.update(t, a.executorStatus(t, mesos.TaskState_TASK_KILLING, ""))
	}
	if grace == 0 {
		a.forceKill(t)
		return
	}
	a.emit(Kill{Container: t.container, Signal: syscall.SIGTERM})
	if mutant.KillNotForced {
		return
	}
	a.setTimer(t.timer(TimerKill), grace)
}

// shortenKill counts the new grace period from when the task was first asked. A longer one changes nothing.
func (a *Agent) shortenKill(t *task, grace time.Duration) {
	elapsed := max(a.now.Wall.Sub(t.kill.asked), 0)
	deadline := a.now.Mono + max(grace-elapsed, 0)
	if t.kill.forced > 0 || deadline >= t.kill.deadline {
		return
	}
	t.kill.deadline = deadline
	a.writeKill(t)
	a.setTimer(t.timer(TimerKill), deadline-a.now.Mono)
}

// forceKill follows upon a deadline: SIGKILL, and if even that does not help, destruction.
func (a *Agent) forceKill(t *task) {
	if t.phase != phaseRunning || t.kill == nil {
		return
	}
	t.kill.forced++
	if t.kill.forced == 1 {
		a.emit(Kill{Container: t.container, Signal: syscall.SIGKILL})
		a.setTimer(t.timer(TimerKill), destroyAfter)
		return
	}
	a.log(slog.LevelWarn, "container outlives SIGKILL; destroying it", slog.String("container", t.container))
	a.emit(Destroy{Container: t.container})
}

func (a *Agent) completionTimeReached(t *task) {
	if t.phase == phaseRunning && t.kill == nil {
		a.beginKill(t, 0, causeCompletion)
	}
}

func (a *Agent) writeKill(t *task) {
	a.write(record.KillKey(t.framework.id, t.id), record.Kill{
		Cause:    uint64(t.kill.cause),
		Asked:    t.kill.asked,
		Deadline: a.now.Wall.Add(t.kill.deadline - a.now.Mono),
	}.Encode())
}
