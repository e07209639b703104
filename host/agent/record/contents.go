package record

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Contents is everything that an agent had written down.
type Contents struct {
	Frameworks map[string]Framework
	// Tasks are in the order of their frameworks' ids and their own.
	Tasks []TaskContents
	// Sandboxes are in the order of their containers' ids.
	Sandboxes []Sandbox
	// Containers are the containerizer's records by container.
	Containers map[string][]byte
	Epoch      uint64
	// Boot is the run of the machine in which it was written; empty if nothing was.
	Boot string
	// Unread are the keys of what could not be read, in order.
	Unread []string
}

// TaskContents is everything that was written of one task.
type TaskContents struct {
	Framework, ID string
	Task
	// Updates are the oldest first.
	Updates []Update
	// Acknowledged is how many of them are.
	Acknowledged int
	// Kill is nil if the task was not asked to end.
	Kill *Kill
}

type taskKey struct{ framework, id string }

// pieces is what there is of a task, before it is known to be whole.
type pieces struct {
	TaskContents
	keys  []string
	there bool // the Task itself is
}

// reading is Contents in the making.
type reading struct {
	contents Contents
	tasks    map[taskKey]*pieces
	errs     []error
}

// value is one of the types of value.go.
type value interface {
	fields() map[protowire.Number]any
}

// Read puts together what was written. What cannot be read, or belongs to a task that is not there or not whole, is
// left out and told as errors, one or more for each of Contents.Unread; what remains is good.
func Read(values map[string][]byte) (Contents, []error) {
	r := reading{
		contents: Contents{Frameworks: map[string]Framework{}, Containers: map[string][]byte{}},
		tasks:    map[taskKey]*pieces{},
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := r.add(key, values[key]); err != nil {
			r.bad(err, key)
		}
	}
	for _, t := range slices.SortedFunc(maps.Values(r.tasks), func(a, b *pieces) int {
		return cmp.Or(cmp.Compare(a.Framework, b.Framework), cmp.Compare(a.ID, b.ID))
	}) {
		switch {
		case !t.there:
			r.bad(fmt.Errorf("task %q of framework %q itself is missing", t.ID, t.Framework), t.keys...)
		case t.Acknowledged > len(t.Updates):
			r.bad(fmt.Errorf("task %q of framework %q: %d updates acknowledged of %d", t.ID, t.Framework,
				t.Acknowledged, len(t.Updates)), t.keys...)
		default:
			r.contents.Tasks = append(r.contents.Tasks, t.TaskContents)
		}
	}
	slices.Sort(r.contents.Unread)
	return r.contents, r.errs
}

func (r *reading) bad(err error, keys ...string) {
	r.errs = append(r.errs, fmt.Errorf("record %q: %w", keys[0], err))
	r.contents.Unread = append(r.contents.Unread, keys...)
}

func (r *reading) add(key string, data []byte) error {
	var epoch Epoch
	var boot Boot
	switch prefix, id, _ := strings.Cut(key, "/"); {
	case key == epochKey:
		err := read(data, epoch.fields())
		r.contents.Epoch = epoch.Number
		return err
	case key == bootKey:
		err := read(data, boot.fields())
		r.contents.Boot = boot.ID
		return err
	case prefix+"/" == frameworkPrefix:
		var f Framework
		if err := read(data, f.fields()); err != nil {
			return err
		}
		r.contents.Frameworks[id] = f
	case prefix+"/" == sandboxPrefix:
		var s Sandbox
		if err := read(data, s.fields()); err != nil {
			return err
		}
		r.contents.Sandboxes = append(r.contents.Sandboxes, s)
	case prefix+"/" == containerPrefix:
		r.contents.Containers[id] = data
	default:
		return r.addToTask(key, prefix+"/", data)
	}
	return nil
}

func (r *reading) addToTask(key, prefix string, data []byte) error {
	var (
		task   Task
		update Update
		ack    Acknowledged
		kill   Kill
	)
	target, known := map[string]value{
		taskPrefix: &task, updatePrefix: &update, ackPrefix: &ack, killPrefix: &kill,
	}[prefix]
	if !known {
		return fmt.Errorf("unknown kind of record: %w", ErrNewerFormat)
	}
	ids := strings.Split(strings.TrimPrefix(key, prefix), "/")
	if len(ids) != 2 && (len(ids) != 3 || prefix != updatePrefix) {
		return fmt.Errorf("key has %d ids", len(ids))
	}
	t := r.tasks[taskKey{ids[0], ids[1]}]
	if t == nil {
		t = &pieces{TaskContents: TaskContents{Framework: ids[0], ID: ids[1]}}
		r.tasks[taskKey{ids[0], ids[1]}] = t
	}
	t.keys = append(t.keys, key)
	if err := read(data, target.fields()); err != nil {
		return err
	}
	switch prefix {
	case taskPrefix:
		t.Task, t.there = task, true
	case updatePrefix:
		if key != UpdateKey(t.Framework, t.ID, uint64(len(t.Updates))) {
			return fmt.Errorf("update out of turn: %d came before", len(t.Updates))
		}
		t.Updates = append(t.Updates, update)
	case ackPrefix:
		t.Acknowledged = int(min(ack.Count, 1<<31))
	case killPrefix:
		t.Kill = &kill
	}
	return nil
}
