package agent

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// TestMachine tries random histories: launches, kills, containers that end, messages and connections that are lost,
// an agent that is killed between any two effects. The world checks each step; when everything has calmed down, each
// task must have come to exactly one end.
func TestMachine(t *testing.T) {
	t.Parallel()
	for n := range 8 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, history)
		})
	}
}

func history(rt *rapid.T) {
	w := newWorld(rt, rapid.Uint64().Draw(rt, "seed"))
	rt.Repeat(map[string]func(*rapid.T){
		"run":     w.run,
		"kill":    w.kill,
		"advance": w.advanceAny,
		"ack": func(rt *rapid.T) {
			if id, ok := w.anyTask(rt); ok {
				w.acknowledge(w.tasks[id])
			}
		},
		"deliver": func(*rapid.T) { w.deliver() },
		"answer":  func(*rapid.T) { w.answer() },
		"calm":    func(*rapid.T) { w.calm() },
		"pass": func(rt *rapid.T) {
			w.pass(time.Duration(rapid.IntRange(0, 10_000).Draw(rt, "ms")) * time.Millisecond)
		},
		"trouble": func(rt *rapid.T) {
			switch rapid.IntRange(0, 9).Draw(rt, "kind") {
			case 0:
				w.cut()
			case 1:
				w.restart()
			case 2:
				w.crashAfter = rapid.IntRange(0, 5).Draw(rt, "effects")
			}
		},
	})
	w.settle()
	w.checkSettled()
}

// TestCrashAtEveryEffect plays one history again and again, and kills the agent one effect later each time.
func TestCrashAtEveryEffect(t *testing.T) {
	t.Parallel()
	for at := 0; ; at++ {
		w := newWorld(t, 1)
		w.calm()
		w.crashAfter = at
		for n := range 3 {
			w.calm()
			id := fmt.Sprint("t", n)
			w.tasks[id] = &simTask{id: id, known: true, grace: 3 * time.Second, timeout: n == 2}
			w.order = append(w.order, id)
			var options []taskOption
			if n == 2 {
				options = append(options, completionTime(time.Second))
			}
			w.say(runMessage("f1", id, options...))
		}
		for range 2 {
			w.progress()
		}
		w.calm()
		if w.a.task("f1", "t1") != nil {
			w.askToEnd(w.tasks["t1"], 2*time.Second, encode(&mesos.KillPolicy{
				GracePeriod: &mesos.DurationInfo{Nanoseconds: proto.Int64(int64(2 * time.Second))},
			}))
		}
		for range 4 {
			w.pass(time.Second)
			w.progress()
		}
		crashed := w.crashes > 0
		w.settle()
		w.checkSettled()
		if !crashed {
			if at < 30 {
				t.Fatalf("only %d effects", at)
			}
			return
		}
	}
}

func (w *world) anyTask(rt *rapid.T) (string, bool) {
	if len(w.order) == 0 {
		return "", false
	}
	return rapid.SampledFrom(w.order).Draw(rt, "task"), true
}

func (w *world) run(rt *rapid.T) {
	if !w.admitted || len(w.order) > 12 {
		return
	}
	t := &simTask{id: fmt.Sprintf("t%d", len(w.order)), known: true, grace: 3 * time.Second}
	options := []taskOption{func(fi *mesos.FrameworkInfo, _ *mesos.TaskInfo) {
		fi.Capabilities = []*mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE.Enum()},
			{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
		}
	}}
	switch rapid.IntRange(0, 3).Draw(rt, "kind") {
	case 0:
		t.grace = time.Duration(rapid.IntRange(0, 30).Draw(rt, "grace")) * time.Second
		options = append(options, killPolicy(t.grace))
	case 1:
		t.timeout = true
		options = append(options, completionTime(time.Duration(rapid.IntRange(0, 30).Draw(rt, "completion"))*time.Second))
	case 2:
		options = append(options, with(func(ti *mesos.TaskInfo) { ti.Check = &mesos.CheckInfo{} }))
	}
	w.tasks[t.id] = t
	w.order = append(w.order, t.id)
	w.say(runMessage("f1", t.id, options...))
}

func (w *world) kill(rt *rapid.T) {
	id, ok := w.anyTask(rt)
	if !ok || !w.admitted {
		return
	}
	t := w.tasks[id]
	if w.over(t) || w.a.task("f1", id) == nil {
		return // the master would not ask, or has been told already
	}
	grace := t.grace
	var policy []byte
	if rapid.Bool().Draw(rt, "override") {
		grace = time.Duration(rapid.IntRange(0, 30).Draw(rt, "grace")) * time.Second
		policy = encode(&mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: proto.Int64(int64(grace))}})
	}
	w.askToEnd(t, grace, policy)
}

func (w *world) askToEnd(t *simTask, grace time.Duration, policy []byte) {
	if t.asked.IsZero() {
		t.asked, t.deadline = w.now.Wall, w.now.Wall.Add(grace)
	}
	if d := t.asked.Add(grace); d.Before(t.deadline) {
		t.deadline = d
	}
	crashes := w.crashes
	w.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_KillTask{KillTask: &linkv1.KillTask{
		FrameworkId: "f1", TaskId: t.id, KillPolicy: policy,
	}}})
	if w.crashes == crashes {
		t.firm = t.deadline
	}
}

func (w *world) advanceAny(rt *rapid.T) {
	if len(w.containers) == 0 {
		return
	}
	id := rapid.SampledFrom(sortedKeys(w.containers)).Draw(rt, "container")
	w.advance(w.containers[id], rapid.SampledFrom([]int{0, 3 << 8, 11}).Draw(rt, "status"))
}

// calm delivers all that is on its way.
func (w *world) calm() {
	w.connect()
	for len(w.sent) > 0 || len(w.pending) > 0 {
		w.deliver()
		w.answer()
	}
}

// settle lets everything go well until nothing happens any more.
func (w *world) settle() {
	w.crashAfter = -1
	for range 200 {
		w.progress()
		w.pass(time.Second)
	}
}

// progress takes every container one step further, and acknowledges what was heard.
func (w *world) progress() {
	w.calm()
	for _, id := range sortedKeys(w.containers) {
		if c := w.containers[id]; c != nil {
			w.advance(c, 0)
		}
	}
	w.calm()
	for _, id := range w.order {
		if t := w.tasks[id]; t.last != "" && !t.lost {
			w.acknowledge(t)
		}
	}
}

func (w *world) checkSettled() {
	for _, id := range w.order {
		t := w.tasks[id]
		if !w.over(t) {
			w.t.Fatalf("task %s has no end: got %v, acknowledged %t", id, t.got, t.acked)
		}
		if !t.lost && !slices.Equal(t.got, t.made) {
			w.t.Fatalf("task %s: got %v of %v", id, t.got, t.made)
		}
		if t.lost && len(t.got) > 0 && terminal(t.got[len(t.got)-1]) {
			w.t.Fatalf("task %s has two ends", id)
		}
	}
	for _, c := range w.containers {
		if !c.ended {
			w.t.Fatalf("container %s runs on", c.id)
		}
	}
	if len(w.a.frameworks) > 0 || len(w.a.byContainer) > 0 || !w.a.free.Equal(w.cfg.Resources) {
		w.t.Fatalf("left: %v, %v, free %v", w.a.frameworks, w.a.byContainer, w.a.free)
	}
	for key := range w.values {
		if !strings.HasPrefix(key, "sandbox/") && key != "boot" && key != "epoch" {
			w.t.Fatalf("record %q is left", key)
		}
	}
	s := w.a.State()
	for f := range s.Frameworks() {
		w.t.Fatalf("framework %s is shown", f.ID)
	}
}
