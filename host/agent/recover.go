package agent

import (
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/mutant"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// Recovered is what an earlier agent left in the same work directory. The zero value is nothing.
type Recovered struct {
	// AgentID is the one that a master gave; empty if none did, and then nothing else counts.
	AgentID string
	// Contents is what was written down. If that was in another run of the machine than Config.Boot, what was
	// written last may be lost, so of the tasks only the terminal updates that nobody acknowledged are kept: the
	// master sees that the others are missing when the agent registers.
	Contents record.Contents
	// Containers are those that the containerizer found.
	Containers []containerizer.Recovered
	// Errors is how many records could not be read.
	Errors int
	// Took is how long it took to find all this.
	Took time.Duration
}

// Validate says what of the records makes no sense, for an agent that would rather not start than leave it out.
func (r Recovered) Validate() error {
	for id, f := range r.Contents.Frameworks {
		if _, err := decode[mesos.FrameworkInfo]("framework", id, f.Info); err != nil {
			return err
		}
	}
	for _, t := range r.Contents.Tasks {
		if _, err := readTask(t); err != nil {
			return err
		}
		if _, known := r.Contents.Frameworks[t.Framework]; !known {
			return fmt.Errorf("task %q: framework %q is not recorded", t.ID, t.Framework)
		}
	}
	return nil
}

// readTask builds a task, but for its framework, from what was written of it.
func readTask(c record.TaskContents) (*task, error) {
	ti, err := decode[mesos.TaskInfo]("task", c.ID, c.Info)
	if err != nil {
		return nil, err
	}
	t := &task{
		id: c.ID, container: c.Container, directory: c.Directory, info: c.Info, state: mesos.TaskState_TASK_STAGING,
		agent: ti.GetAgentId().GetValue(),
	}
	t.facts, _ = readFacts(ti) // a task that was refused for it is here, too
	for i, u := range c.Updates {
		status, err := decode[mesos.TaskStatus]("status of task", c.ID, u.Status)
		if err != nil {
			return nil, err
		}
		t.state = status.GetState()
		t.statuses = append(t.statuses, u.Status)
		t.pid = max(t.pid, int(status.GetContainerStatus().GetExecutorPid()))
		if t.state == mesos.TaskState_TASK_RUNNING && t.runningSince.IsZero() {
			t.runningSince = time.UnixMicro(int64(status.GetTimestamp() * 1e6))
		}
		if terminal(t.state) {
			t.end.at = time.UnixMicro(int64(status.GetTimestamp() * 1e6))
		}
		if i >= c.Acknowledged {
			t.stream.waiting = append(t.stream.waiting, update{state: t.state, uuid: status.GetUuid(), status: u.Status})
		}
	}
	t.stream.made, t.stream.acknowledged = uint64(len(c.Updates)), uint64(c.Acknowledged)
	return t, nil
}

// recover takes over what an earlier agent left. What is to be done about it is done on Started.
func (a *Agent) recover(rec Recovered) {
	a.counts.recoveryErrors = int64(rec.Errors)
	a.counts.recoverySeconds = rec.Took.Seconds()
	containers := map[string]containerizer.Recovered{}
	for _, c := range rec.Containers {
		containers[c.ID] = c
	}
	var tasks, dropped []*task
	for _, c := range rec.Contents.Tasks {
		t, err := a.recoverTask(c, rec)
		switch {
		case err != nil:
			a.counts.recoveryErrors++
			a.onStart = append(a.onStart, func() {
				a.log(slog.LevelError, "task not recovered", slog.String("task", c.ID), slog.Any("error", err))
			})
			fallthrough
		case t == nil:
			dropped = append(dropped, droppedTask(c))
		default:
			if found, ok := containers[t.container]; ok && t.container != "" {
				t.found = &found
				delete(containers, t.container)
			}
			tasks = append(tasks, t)
		}
	}
	for _, s := range rec.Contents.Sandboxes {
		a.onStart = append(a.onStart, func() {
			a.scheduleRemoval(&Sandbox{Framework: s.Framework, Executor: s.Executor, Container: s.Container,
				Directory: s.Directory, Ended: s.Ended})
		})
	}
	a.onStart = append(a.onStart, func() {
		a.dropAll(dropped, rec.Contents)
		a.destroyStrays(rec.Containers, containers)
		for _, t := range tasks {
			a.resume(t)
		}
		if len(tasks) > 0 {
			a.log(slog.LevelInfo, "recovered", slog.Int("tasks", len(tasks)), slog.Int("dropped", len(dropped)))
		}
	})
}

// recoverTask returns nil for a task that is not to be kept.
func (a *Agent) recoverTask(c record.TaskContents, rec Recovered) (*task, error) {
	written, known := rec.Contents.Frameworks[c.Framework]
	if !known {
		return nil, fmt.Errorf("framework %q is not recorded", c.Framework)
	}
	fi, err := decode[mesos.FrameworkInfo]("framework", c.Framework, written.Info)
	if err != nil {
		return nil, err
	}
	t, err := readTask(c)
	if err != nil {
		return nil, err
	}
	over := terminal(t.state)
	rebooted := rec.Contents.Boot != "" && rec.Contents.Boot != a.cfg.Boot
	switch {
	case rec.AgentID == "",
		// It is back from the dead: the agent has left since, and told how its tasks ended, but a reboot lost what it
		// wrote last. Nobody can acknowledge anything to an agent that has left.
		t.agent != rec.AgentID,
		// The master gave such tasks up when the earlier agent's connection broke.
		!fi.GetCheckpoint(),
		rebooted && !over,
		over && len(t.stream.waiting) == 0:
		return nil, nil
	}
	f := a.frameworks[c.Framework]
	if f == nil {
		f = a.addFramework(fi, written.Info)
		f.recorded = true
	}
	t.framework = f
	f.tasks[t.id] = t
	a.counts.tasks[t.state]++
	if t.container != "" {
		a.byContainer[t.container] = t
	}
	if over {
		t.phase = phaseTerminated
	} else {
		t.phase = phaseLaunching
		a.hold(t)
	}
	if c.Kill != nil && !over {
		t.kill = a.recoverKill(*c.Kill)
	}
	a.touch(t)
	return t, nil
}

// recoverKill counts on from where the earlier agent stopped; a clock that was set back adds nothing.
func (a *Agent) recoverKill(k record.Kill) *kill {
	left := min(k.Deadline.Sub(a.now.Wall), k.Deadline.Sub(k.Asked))
	return &kill{cause: cause(k.Cause), asked: k.Asked, deadline: a.now.Mono + max(left, 0)}
}

// droppedTask is just enough of a task to forget it.
func droppedTask(c record.TaskContents) *task {
	return &task{
		framework: &framework{id: c.Framework, tasks: map[string]*task{}}, id: c.ID, container: c.Container,
		directory: c.Directory, stream: stream{made: uint64(len(c.Updates))},
	}
}

// dropAll forgets what is not kept, and notes that the rest agrees with the present run of the machine.
func (a *Agent) dropAll(dropped []*task, contents record.Contents) {
	if contents.Boot != a.cfg.Boot {
		a.write(record.BootKey(), record.Boot{ID: a.cfg.Boot}.Encode())
	}
	for _, key := range contents.Unread {
		a.write(key, nil)
	}
	for _, t := range dropped {
		t.end.at = a.now.Wall
		a.eraseTask(t)
		if t.container != "" {
			a.keepSandbox(t)
		}
	}
	for _, id := range sortedKeys(contents.Frameworks) {
		if a.frameworks[id] == nil {
			a.write(record.FrameworkKey(id), nil)
		}
	}
}

// destroyStrays ends, or forgets, the containers that were found and belong to no task that was kept.
func (a *Agent) destroyStrays(found []containerizer.Recovered, stray map[string]containerizer.Recovered) {
	for _, c := range found {
		if _, is := stray[c.ID]; is {
			a.log(slog.LevelWarn, "container of no task is destroyed", slog.String("container", c.ID),
				slog.String("state", c.State.String()))
			a.emit(Destroy{Container: c.ID})
		}
	}
}

// resume goes on with a task where the earlier agent stopped.
func (a *Agent) resume(t *task) {
	switch {
	case t.phase == phaseTerminated:
		if t.found != nil {
			a.emit(Destroy{Container: t.container})
		}
	case t.found == nil:
		a.resumeWithoutContainer(t)
	case t.found.State == containerizer.Running:
		a.resumeRunning(t)
	case t.found.State == containerizer.Ended:
		if t.stream.made == 0 && t.kill == nil {
			a.containerStarted(t, 0)
		}
		t.end.waitStatus, t.end.known = t.found.WaitStatus, t.found.Known
		a.containerEnded(t)
	default:
		t.end.restarted = t.stream.made == 0
		a.finish(t)
	}
	t.found = nil
}

// resumeWithoutContainer is for a task whose launch was written down and went no further, or one whose container
// nobody knows any more.
func (a *Agent) resumeWithoutContainer(t *task) {
	t.end.restarted = t.stream.made == 0
	a.finish(t)
}

func (a *Agent) resumeRunning(t *task) {
	if mutant.RecoveredForgotten {
		delete(a.byContainer, t.container)
		return
	}
	if t.kill != nil && t.kill.cause == causeLaunching {
		t.phase, t.pid = phaseRunning, t.found.Pid
		a.emit(Destroy{Container: t.container})
		return
	}
	if t.stream.made == 0 && t.kill == nil {
		a.containerStarted(t, t.found.Pid)
		return
	}
	t.phase, t.pid = phaseRunning, t.found.Pid
	a.touch(t)
	left := time.Duration(0)
	if t.kill != nil {
		if left = t.kill.deadline - a.now.Mono; left <= 0 {
			a.forceKill(t)
			return
		}
		// Whether the earlier agent got as far as this nobody knows.
		a.emit(Kill{Container: t.container, Signal: syscall.SIGTERM})
		a.setTimer(t.timer(TimerKill), left)
		return
	}
	if t.facts.completion >= 0 {
		elapsed := max(a.now.Wall.Sub(t.runningSince), 0)
		a.setTimer(t.timer(TimerCompletion), t.facts.completion-elapsed)
	}
}
