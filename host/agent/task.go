package agent

import (
	"strings"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/mutant"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// framework is a framework that has something here.
type framework struct {
	id   string
	info []byte

	user           string
	checkpoint     bool
	partitionAware bool
	killingState   bool
	terminating    bool // it was shut down: nobody acknowledges its updates any more
	recorded       bool // it is written down

	tasks map[string]*task
	view  frameworkView
}

// phase is how far the agent has got with a task.
type phase uint8

const (
	phaseAuthorizing phase = iota // nothing is written down yet
	phaseLaunching                // the container is being made
	phaseRunning                  // the command was let go
	phaseEnded                    // the container has ended, or will never start; its remains are being cleaned up
	phaseTerminated               // the terminal update was made
)

// task is a task from RunTask until its terminal update is acknowledged.
type task struct {
	framework *framework
	id        string
	container string // empty for a task that was refused
	directory string
	agent     string // that the task was launched on; of one that is recovered
	info      []byte
	facts     facts
	state     mesos.TaskState
	phase     phase
	held      bool // its resources are taken out of what is free
	pid       int
	statuses  [][]byte
	stream    stream
	kill      *kill
	end       end
	// runningSince and found are known of a task that was recovered, found until it is resumed.
	runningSince time.Time
	found        *containerizer.Recovered
	dirty        bool // readers have not been shown the newest
	counted      bool // in the counts of executors, in this state
	countedAs    ExecutorState
}

// facts is what the agent needs to know of a TaskInfo; the rest stays encoded.
type facts struct {
	name         string
	executorName string
	role         string
	resources    resource.Resources
	labels       *mesos.Labels
	killGrace    time.Duration // negative if the task does not say
	completion   time.Duration // negative if the task does not say
}

// end is how a container ended.
type end struct {
	at          time.Time
	failed      *containerizer.Failed // it never started
	restarted   bool                  // it never started, because the agent was restarted
	waitStatus  int
	known       bool
	limitations []containerizer.Limitation
}

func (t *task) key() string { return t.framework.id + "/" + t.id }

func (t *task) timer(kind TimerKind) TimerID { return TimerID{Kind: kind, Key: t.key()} }

func (a *Agent) taskByKey(key string) *task {
	framework, id, _ := strings.Cut(key, "/")
	return a.task(framework, id)
}

func (a *Agent) task(framework, id string) *task {
	if f := a.frameworks[framework]; f != nil {
		return f.tasks[id]
	}
	return nil
}

// sortedTasks is the tasks in the order of their ids.
func (f *framework) sortedTasks() []*task {
	out := make([]*task, 0, len(f.tasks))
	for _, id := range sortedKeys(f.tasks) {
		out = append(out, f.tasks[id])
	}
	return out
}

// setState counts the task in its new state, and no more in the old one if that was not the end.
func (a *Agent) setState(t *task, s mesos.TaskState) {
	if !terminal(t.state) {
		a.counts.tasks[t.state]--
	}
	t.state = s
	a.counts.tasks[s]++
	a.touch(t)
}

// hold takes the task's resources out of what is free. It does nothing, and says so, if they are not all there.
func (a *Agent) hold(t *task) bool {
	free, err := a.free.Sub(t.facts.resources.Unallocate())
	if err != nil {
		return false
	}
	used, err := a.used.Add(t.facts.resources)
	if err != nil {
		return false
	}
	a.free, a.used, t.held = free, used, true
	return true
}

// release gives back what hold took. Neither operation can fail: it undoes one that did not.
func (a *Agent) release(t *task) {
	if !t.held || mutant.ResourcesKept {
		return
	}
	t.held = false
	if free, err := a.free.Add(t.facts.resources.Unallocate()); err == nil {
		a.free = free
	}
	if used, err := a.used.Sub(t.facts.resources); err == nil {
		a.used = used
	}
}

func terminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FAILED, mesos.TaskState_TASK_KILLED,
		mesos.TaskState_TASK_ERROR, mesos.TaskState_TASK_LOST, mesos.TaskState_TASK_DROPPED,
		mesos.TaskState_TASK_GONE, mesos.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}
