package agent

import (
	"slices"
	"sync/atomic"
	"time"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
)

// How much is remembered of what is over, as in Mesos. A framework has one task to an executor.
const (
	maxCompletedFrameworks = 50
	maxCompletedExecutors  = 150
)

// view is what readers are shown. Objects are never changed: what has changed is built anew when a step is over.
type view struct {
	state      atomic.Pointer[State]
	fixed      State // what never changes
	frameworks *iradix.Tree[*Framework]
	completed  []*Framework
	sandboxes  *iradix.Tree[*Sandbox]

	dirtyTasks      []*task
	dirtyFrameworks []*framework
}

// frameworkView is what readers are shown of a framework.
type frameworkView struct {
	executors *iradix.Tree[*Executor]
	completed []*Executor
	dirty     bool
}

func (v *view) init(cfg Config, started time.Time) {
	v.fixed = State{
		Instance: cfg.Instance, Version: cfg.Version, Address: cfg.Address, Capabilities: cfg.Capabilities,
		Total: cfg.Resources, Started: started, GCDelay: cfg.GCDelay,
	}
	v.frameworks = iradix.New[*Framework]()
	v.sandboxes = iradix.New[*Sandbox]()
}

// touch has the task shown anew when the step is over.
func (a *Agent) touch(t *task) {
	if !t.dirty {
		t.dirty = true
		a.view.dirtyTasks = append(a.view.dirtyTasks, t)
	}
}

func (v *view) addFramework(f *framework) {
	f.view.executors = iradix.New[*Executor]()
	v.touchFramework(f)
}

func (v *view) touchFramework(f *framework) {
	if !f.view.dirty {
		f.view.dirty = true
		v.dirtyFrameworks = append(v.dirtyFrameworks, f)
	}
}

// completeExecutor moves a task's executor to those that are over.
func (a *Agent) completeExecutor(t *task) {
	f := t.framework
	f.view.executors, _, _ = f.view.executors.Delete([]byte(t.id))
	e := t.executor()
	a.countExecutor(t, e)
	e.Completed, e.Terminated = e.Terminated, nil
	f.view.completed = appendBounded(f.view.completed, e, maxCompletedExecutors)
	a.view.touchFramework(f)
}

func (v *view) completeFramework(f *framework) {
	v.frameworks, _, _ = v.frameworks.Delete([]byte(f.id))
	v.completed = appendBounded(v.completed, f.shown(), maxCompletedFrameworks)
}

// appendBounded copies: readers hold what was there before.
func appendBounded[T any](s []T, x T, limit int) []T {
	return append(slices.Clone(s[max(0, len(s)+1-limit):]), x)
}

// completedTask tells whether a task ended here not too long ago.
func (v *view) completedTask(framework, task string) bool {
	done := func(f *Framework) bool {
		return f.ID == framework && slices.ContainsFunc(f.Completed, func(e *Executor) bool { return e.ID == task })
	}
	f, live := v.frameworks.Get([]byte(framework))
	return live && done(f) || slices.ContainsFunc(v.completed, done)
}

func (v *view) addSandbox(s *Sandbox) {
	v.sandboxes, _, _ = v.sandboxes.Insert([]byte(s.Directory), s)
}

func (v *view) removeSandbox(directory string) (s *Sandbox) {
	v.sandboxes, s, _ = v.sandboxes.Delete([]byte(directory))
	return s
}

// publish shows readers what the step has made of the agent.
func (a *Agent) publish() {
	v := &a.view
	for _, t := range v.dirtyTasks {
		t.dirty = false
		a.show(t)
	}
	for _, f := range v.dirtyFrameworks {
		f.view.dirty = false
		if a.frameworks[f.id] == f {
			v.frameworks, _, _ = v.frameworks.Insert([]byte(f.id), f.shown())
		}
	}
	v.dirtyTasks, v.dirtyFrameworks = nil, nil
	s := v.fixed
	s.AgentID, s.Info, s.Epoch, s.Used = a.agentID, a.info, a.epoch, a.used
	s.Master, s.MasterAddress, s.Registered = a.link.master, a.link.address, a.link.registered
	s.ShuttingDown = a.exit != nil
	s.frameworks, s.completed, s.sandboxes = v.frameworks, v.completed, v.sandboxes
	s.counts = a.counts
	v.state.Store(&s)
}

// show puts the task's executor among its framework's.
func (a *Agent) show(t *task) {
	f := t.framework
	if t.container == "" || f.tasks[t.id] != t {
		a.countExecutor(t, nil)
		return
	}
	e := t.executor()
	a.countExecutor(t, e)
	f.view.executors, _, _ = f.view.executors.Insert([]byte(t.id), e)
	a.view.touchFramework(f)
}

// countExecutor counts a task's executor in its present state, nil if it has none any more.
func (a *Agent) countExecutor(t *task, e *Executor) {
	if t.counted && t.countedAs != ExecutorTerminated {
		a.counts.executors[t.countedAs]--
	}
	if e == nil {
		t.counted = false
		return
	}
	if !t.counted || t.countedAs != ExecutorTerminated || e.State != ExecutorTerminated {
		a.counts.executors[e.State]++
	}
	t.counted, t.countedAs = true, e.State
}

func (f *framework) shown() *Framework {
	return &Framework{ID: f.id, Info: f.info, Completed: f.view.completed, executors: f.view.executors}
}

func (t *task) shown() *Task {
	return &Task{
		ID: t.id, Framework: t.framework.id, Container: t.container, Name: t.facts.name, Info: t.info,
		State: t.state, Statuses: t.statuses, Resources: t.facts.resources,
		StatusUpdateState: t.stream.sentState, StatusUpdateUUID: t.stream.sentUUID,
	}
}

// executor is what readers see in the place of the executor that a command task does not have.
func (t *task) executor() *Executor {
	e := &Executor{
		ID: t.id, Framework: t.framework.id, Name: t.facts.executorName, Source: t.id, Container: t.container,
		Directory: t.directory, Role: t.facts.role, Resources: executorResources(t.facts.role), CommandTask: true,
		Labels: t.facts.labels, State: t.executorState(), Pid: t.pid,
	}
	shown := []*Task{t.shown()}
	switch t.phase {
	case phaseAuthorizing, phaseLaunching:
		e.Queued = shown
	case phaseRunning, phaseEnded:
		e.Tasks = shown
	case phaseTerminated:
		e.Terminated = shown
	}
	return e
}

func (t *task) executorState() ExecutorState {
	switch {
	case t.phase == phaseTerminated:
		return ExecutorTerminated
	case t.phase == phaseEnded || t.kill != nil:
		return ExecutorTerminating
	case t.phase == phaseRunning:
		return ExecutorRunning
	}
	return ExecutorRegistering
}
