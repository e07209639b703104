package masterapi

import (
	"context"
	"maps"
	"slices"

	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/view"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// summarised are the states that a summary counts, in its order.
var summarised = []mesos.TaskState{
	mesos.TaskState_TASK_STAGING, mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING,
	mesos.TaskState_TASK_KILLING, mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_KILLED,
	mesos.TaskState_TASK_FAILED, mesos.TaskState_TASK_LOST, mesos.TaskState_TASK_ERROR,
	mesos.TaskState_TASK_UNREACHABLE,
}

// tally counts the tasks of an agent, or of a framework, and names the frameworks, or agents, they belong to.
type tally struct {
	states map[mesos.TaskState]int64
	with   map[string]bool
}

func (t *tally) write(doc *document.Writer) {
	for _, s := range summarised {
		var n int64
		if t != nil {
			n = t.states[s]
		}
		doc.Int(s.String(), n)
	}
}

func (t *tally) partners() []string {
	if t == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(t.with))
}

// tallies are those of all agents and frameworks.
type tallies struct{ agents, frameworks map[string]*tally }

// countTasks counts the tasks that may be seen, those of frameworks that are not completed.
func countTasks(ctx context.Context, v *view.Viewer) tallies {
	all := tallies{agents: map[string]*tally{}, frameworks: map[string]*tally{}}
	for f := range v.Frameworks(v.State.Frameworks()) {
		for t := range v.Tasks(ctx, allTasks(v.State, f.ID)) {
			add(all.agents, t.Agent, t.State, f.ID)
			add(all.frameworks, f.ID, t.State, t.Agent)
		}
	}
	return all
}

func add(to map[string]*tally, id string, state mesos.TaskState, with string) {
	t, ok := to[id]
	if !ok {
		t = &tally{states: map[mesos.TaskState]int64{}, with: map[string]bool{}}
		to[id] = t
	}
	t.states[state]++
	t.with[with] = true
}
