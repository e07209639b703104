package record

import (
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 21, 1, 2, 3, 4, time.UTC)

func sample() map[string][]byte {
	return map[string][]byte{
		EpochKey():                    Epoch{Number: 7}.Encode(),
		BootKey():                     Boot{ID: "b"}.Encode(),
		FrameworkKey("f"):             Framework{Info: []byte("fi")}.Encode(),
		TaskKey("f", "t1"):            Task{Container: "c", Directory: "/d", Info: []byte("ti")}.Encode(),
		UpdateKey("f", "t1", 0):       Update{Status: []byte("s0")}.Encode(),
		UpdateKey("f", "t1", 1):       Update{Status: []byte("s1")}.Encode(),
		AckKey("f", "t1"):             Acknowledged{Count: 1}.Encode(),
		KillKey("f", "t1"):            Kill{Cause: 2, Asked: at, Deadline: at.Add(time.Second)}.Encode(),
		TaskKey("f", "t0"):            Task{}.Encode(),
		SandboxKey("c0"):              Sandbox{Framework: "f", Executor: "e", Container: "c0", Directory: "/d0", Ended: at}.Encode(),
		ContainerKey("c"):             []byte("opaque"),
		ContainerKey("with/any/name"): {},
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	got, errs := Read(sample())
	want := Contents{
		Frameworks: map[string]Framework{"f": {Info: []byte("fi")}},
		Tasks: []TaskContents{
			{Framework: "f", ID: "t0"},
			{
				Framework: "f", ID: "t1", Task: Task{Container: "c", Directory: "/d", Info: []byte("ti")},
				Updates: []Update{{Status: []byte("s0")}, {Status: []byte("s1")}}, Acknowledged: 1,
				Kill: &Kill{Cause: 2, Asked: at, Deadline: at.Add(time.Second)},
			},
		},
		Sandboxes:  []Sandbox{{Framework: "f", Executor: "e", Container: "c0", Directory: "/d0", Ended: at}},
		Containers: map[string][]byte{"c": []byte("opaque"), "with/any/name": {}},
		Epoch:      7, Boot: "b",
	}
	if len(errs) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("errors %v\ngot  %+v\nwant %+v", errs, got, want)
	}
}

func TestReadLeavesOutWhatIsNotWhole(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(map[string][]byte)
		tasks  int
		newer  bool
	}{
		"no task":            {change: func(m map[string][]byte) { delete(m, TaskKey("f", "t1")) }, tasks: 1},
		"bad task":           {change: func(m map[string][]byte) { m[TaskKey("f", "t1")] = []byte{1, 0xff} }, tasks: 1},
		"no update":          {change: func(m map[string][]byte) { delete(m, UpdateKey("f", "t1", 0)) }, tasks: 1},
		"too many acks":      {change: func(m map[string][]byte) { m[AckKey("f", "t1")] = Acknowledged{Count: 3}.Encode() }, tasks: 1},
		"ack without number": {change: func(m map[string][]byte) { m[AckKey("f", "t1")] = []byte{1, 0x0a, 0} }, tasks: 2},
		"empty value":        {change: func(m map[string][]byte) { m[FrameworkKey("g")] = nil }, tasks: 2},
		"bad epoch":          {change: func(m map[string][]byte) { m[EpochKey()] = []byte{1, 8} }, tasks: 2},
		"bad key":            {change: func(m map[string][]byte) { m["task/a/b/c"] = Task{}.Encode() }, tasks: 2},
		"newer form":         {change: func(m map[string][]byte) { m[SandboxKey("x")] = []byte{FormatVersion + 1} }, tasks: 2, newer: true},
		"newer kind":         {change: func(m map[string][]byte) { m["volume/x"] = []byte{1} }, tasks: 2, newer: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := sample()
			tt.change(values)
			got, errs := Read(values)
			if len(got.Tasks) != tt.tasks || len(errs) == 0 || len(got.Unread) == 0 {
				t.Fatalf("tasks %+v, errors %v, unread %v", got.Tasks, errs, got.Unread)
			}
			if errors.Is(errs[0], ErrNewerFormat) != tt.newer {
				t.Errorf("errors %v", errs)
			}
			for _, key := range got.Unread {
				delete(values, key)
			}
			if again, errs := Read(values); len(errs) > 0 || len(again.Tasks) != tt.tasks {
				t.Errorf("without the unread: tasks %+v, errors %v", again.Tasks, errs)
			}
		})
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	t.Parallel()
	value := append(newWriter().text(9, "later").number(10, 5), Epoch{Number: 4}.Encode()[1:]...)
	var e Epoch
	if err := read(value, e.fields()); err != nil || e.Number != 4 {
		t.Errorf("epoch %+v, error %v", e, err)
	}
}

func FuzzRead(f *testing.F) {
	for key, value := range sample() {
		f.Add(key, value)
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		values := sample()
		values[key] = value
		got, errs := Read(values)
		if (len(errs) == 0) != (len(got.Unread) == 0) {
			t.Errorf("errors %v, unread %v", errs, got.Unread)
		}
		rest := maps.Clone(values)
		for _, key := range got.Unread {
			delete(rest, key)
		}
		if _, errs := Read(rest); len(errs) > 0 {
			t.Errorf("without %v: %v", got.Unread, errs)
		}
	})
}
