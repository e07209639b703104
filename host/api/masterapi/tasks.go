package masterapi

import (
	"cmp"
	"context"
	"iter"
	"math"
	"net/url"
	"slices"
	"strconv"

	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/legacy"
	"github.com/mezzo-cluster/mezzo/host/api/view"
	"github.com/mezzo-cluster/mezzo/host/master"
)

// defaultTasks is how many tasks /tasks gives unless `limit` says other.
const defaultTasks = 100

func writeTaskList(ctx context.Context, doc *document.Writer, v *view.Viewer, key string, all iter.Seq[*master.Task]) {
	doc.BeginList(key)
	for t := range v.Tasks(ctx, all) {
		writeTask(doc, t)
	}
	doc.EndList()
}

func writeTask(doc *document.Writer, t *master.Task) {
	legacy.Task(doc, view.TaskMessage(t), t.Resources)
}

// allTasks yields a framework's tasks, whatever has become of them; the empty framework means all.
func allTasks(s *master.State, framework string) iter.Seq[*master.Task] {
	return func(yield func(*master.Task) bool) {
		for _, seq := range []iter.Seq[*master.Task]{
			s.Tasks(framework), s.UnreachableTasks(framework), s.CompletedTasks(framework),
		} {
			for t := range seq {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// writeTasks writes /tasks: those that task_id and framework_id ask for, in the order of their first update,
// latest first unless `order` is asc, `limit` of them from `offset` on.
func (e *Endpoints) writeTasks(ctx context.Context, doc *document.Writer, v *view.Viewer, q url.Values) {
	type entry struct {
		task  *master.Task
		start float64
	}
	var found []entry
	id := q.Get("task_id")
	for t := range v.Tasks(ctx, allTasks(v.State, q.Get("framework_id"))) {
		if id == "" || id == t.ID {
			found = append(found, entry{task: t, start: startOf(t)})
		}
	}
	ascending := q.Get("order") == "asc"
	slices.SortStableFunc(found, func(a, b entry) int {
		c := cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.task.Framework, b.task.Framework), cmp.Compare(a.task.ID, b.task.ID))
		if ascending {
			return c
		}
		return -c
	})
	found = found[min(number(q, "offset", 0), len(found)):]
	found = found[:min(number(q, "limit", defaultTasks), len(found))]
	doc.Begin("")
	doc.BeginList("tasks")
	for _, f := range found {
		writeTask(doc, f.task)
	}
	doc.EndList()
	doc.End()
}

// startOf is when a task was first heard of, in seconds; tasks that have not been yet come last.
func startOf(t *master.Task) float64 {
	if all := t.Statuses(); len(all) > 0 {
		return all[0].GetTimestamp()
	}
	return math.Inf(1)
}

// number reads a parameter that is a whole number; what is none counts as not given, as in Mesos.
func number(q url.Values, name string, otherwise int) int {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}
