package master

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// TestProperties drives a master with agents and frameworks that come, go, repeat themselves and lose messages. After
// each step the books must balance (rig.check); frameworks must hear a task's updates in order, and of exactly one
// end of each task.
func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"":          func(*rapid.T) {},
			"subscribe": w.rarely("again", func(t *rapid.T) { w.subscribe(w.framework(t)) }),
			"unplug":    w.rarely("unplug", func(t *rapid.T) { w.unplug(w.framework(t)) }),
			"teardown":  w.rarely("teardown", w.teardown),
			"register":  w.rarely("again", func(t *rapid.T) { w.register(w.agent(t)) }),
			"return":    func(*rapid.T) { w.comeBack() },
			"cut":       w.rarely("cut", func(t *rapid.T) { w.cutLink(w.agent(t)) }),
			"allocate":  w.allocate,
			"launch":    w.launch,
			"decline":   w.decline,
			"kill":      w.kill,
			"reconcile": w.reconcile,
			"progress":  w.progress,
			"repeat":    w.repeat,
			"to agent":  func(t *rapid.T) { some(t, w.agent(t), w.toAgent) },
			"to master": func(t *rapid.T) { some(t, w.agent(t), w.toMaster) },
			"listen":    func(t *rapid.T) { some(t, w.framework(t), w.listen) },
			"talk":      func(t *rapid.T) { w.talk(rapid.IntRange(1, 5).Draw(t, "rounds")) },
			"wait":      w.wait,
			"hold":      w.rarely("hold", func(*rapid.T) { w.held = true }),
			"commit":    func(*rapid.T) { w.settle() },
			"failover":  w.rarely("failover", w.failover),
		})
		w.settleAll(t)
	})
}

type world struct {
	*rig
	agents     []*fakeAgent
	frameworks []*fakeFramework
	uuid, task int
	epochs     int
}

func newWorld(t *rapid.T) *world {
	w := &world{rig: newRig(t)}
	for i := range 3 {
		w.agents = append(w.agents, &fakeAgent{host: fmt.Sprintf("h%d", i), nextUUID: &w.uuid})
		w.frameworks = append(w.frameworks, &fakeFramework{launched: map[string]string{}, tasks: map[string]*heardTask{}})
	}
	return w
}

func (w *world) agent(t *rapid.T) *fakeAgent { return rapid.SampledFrom(w.agents).Draw(t, "agent") }
func (w *world) framework(t *rapid.T) *fakeFramework {
	return rapid.SampledFrom(w.frameworks).Draw(t, "framework")
}

// rarely makes something that upsets much happen now and then only.
func (w *world) rarely(what string, do func(*rapid.T)) func(*rapid.T) {
	return func(t *rapid.T) {
		if rapid.IntRange(0, 5).Draw(t, what) == 0 {
			do(t)
		}
	}
}

// some does something several times.
func some[T any](t *rapid.T, who T, do func(T) bool) {
	for range rapid.IntRange(1, 6).Draw(t, "times") {
		do(who)
	}
}

// talk lets everybody deal with what has come.
func (w *world) talk(rounds int) {
	for range rounds {
		for _, a := range w.agents {
			w.toMaster(a)
			w.toAgent(a)
		}
		for _, f := range w.frameworks {
			w.listen(f)
		}
	}
}

// comeBack brings back who is away.
func (w *world) comeBack() {
	for _, a := range w.agents {
		if a.conn == "" {
			w.register(a)
		}
	}
	for _, f := range w.frameworks {
		if f.stream == "" {
			w.subscribe(f)
		}
	}
}

// wait lets time pass: mostly a little, with pings answered, sometimes much.
func (w *world) wait(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "long") > 0 {
		w.advance(15 * time.Second)
		w.talk(3)
		return
	}
	w.advance(time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds")) * time.Second)
}

// subscribe connects a framework, again if it is connected already.
func (w *world) subscribe(f *fakeFramework) {
	if f.over {
		return
	}
	info := framework("x", partitionAware)
	if f.id != "" {
		info = withID(info, f.id)
	}
	stream, id := w.rig.subscribe(info)
	if id == "" {
		f.over, f.stream = true, ""
		return
	}
	f.id, f.stream, f.heard, f.offers = id, stream, 0, nil
}

func (w *world) unplug(f *fakeFramework) {
	if f.stream != "" {
		w.step(StreamClosed{Framework: f.id, Stream: f.stream})
		f.stream, f.offers = "", nil
	}
}

func (w *world) teardown(t *rapid.T) {
	f := w.framework(t)
	if w.m.State().Framework(f.id) == nil || rapid.IntRange(0, 2).Draw(t, "really") > 0 {
		return
	}
	w.step(Teardown{Framework: f.id})
	f.over, f.stream = true, ""
}

// register connects an agent anew, whether or not its old connection has ended.
func (w *world) register(a *fakeAgent) {
	a.conn, a.heard, a.says = w.connect("instance-"+a.host), 0, nil
	a.says = append(a.says, a.registering())
}

func (w *world) cutLink(a *fakeAgent) {
	if a.conn != "" {
		c := a.conn
		a.conn, a.says = "", nil
		w.step(AgentGone{Conn: c})
	}
}

func (w *world) allocate(t *rapid.T) {
	f, a := w.framework(t), w.agent(t)
	known := w.m.State().Agent(a.id)
	if known == nil || f.id == "" {
		return
	}
	p := allocator.Allocation{
		Framework: f.id, Role: "*", Agent: a.id,
		Resources: part(known.Total, 1000, 512_000),
	}
	w.offerSeq++
	p.ID = uint64(w.offerSeq)
	w.mirror.proposed[p.ID] = p
	w.step(Allocations{Generation: 1, Batch: []allocator.Allocation{p}})
}

func (w *world) launch(t *rapid.T) {
	f := w.framework(t)
	if f.stream == "" || len(f.offers) == 0 {
		return
	}
	o := f.offers[0]
	f.offers = f.offers[1:]
	var tasks []*mesos.TaskInfo
	for range rapid.IntRange(1, 3).Draw(t, "tasks") {
		w.task++
		id := fmt.Sprintf("t%d", w.task)
		tasks = append(tasks, command(id, o.GetAgentId().GetValue(), "cpus:0.4;mem:100"))
		f.launched[id] = o.GetAgentId().GetValue()
		f.order = append(f.order, id)
	}
	w.call(f.id, f.stream, accepting([]string{o.GetId().GetValue()}, tasks...))
}

func (w *world) decline(t *rapid.T) {
	f := w.framework(t)
	if f.stream != "" && len(f.offers) > 0 {
		id := f.offers[0].GetId().GetValue()
		f.offers = f.offers[1:]
		w.call(f.id, f.stream, &scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{OfferIds: offerIDs(id)}})
	}
}

func (w *world) kill(t *rapid.T) {
	f := w.framework(t)
	if f.stream != "" && len(f.order) > 0 {
		w.killTask(f, rapid.SampledFrom(f.order).Draw(t, "task"))
	}
}

func (w *world) killTask(f *fakeFramework, id string) {
	w.call(f.id, f.stream, &scheduler.Call{Type: scheduler.Call_KILL.Enum(), Kill: &scheduler.Call_Kill{
		TaskId: taskID(id), AgentId: agentID(f.launched[id]),
	}})
}

func (w *world) reconcile(t *rapid.T) {
	if f := w.framework(t); f.stream != "" {
		w.call(f.id, f.stream, &scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: &scheduler.Call_Reconcile{}})
	}
}

// progress moves a task of an agent on.
func (w *world) progress(t *rapid.T) {
	a := w.agent(t)
	if len(a.tasks) == 0 {
		return
	}
	task := rapid.SampledFrom(a.tasks).Draw(t, "task")
	switch task.state {
	case mesos.TaskState_TASK_STARTING:
		a.becomes(task, mesos.TaskState_TASK_RUNNING)
	case mesos.TaskState_TASK_RUNNING:
		a.becomes(task, rapid.SampledFrom([]mesos.TaskState{
			mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FAILED,
		}).Draw(t, "end"))
	}
}

// repeat has an agent send an update again.
func (w *world) repeat(t *rapid.T) {
	if a := w.agent(t); len(a.tasks) > 0 {
		a.resend(rapid.SampledFrom(a.tasks).Draw(t, "task"))
	}
}

// toAgent delivers the next message to an agent, and its connection's end after the last one.
func (w *world) toAgent(a *fakeAgent) bool {
	if a.conn == "" {
		return false
	}
	if msgs := w.links[a.conn]; a.heard < len(msgs) {
		a.heard++
		a.hears(msgs[a.heard-1])
		return true
	}
	if w.cut[a.conn] {
		w.cutLink(a)
		return true
	}
	return false
}

func (w *world) toMaster(a *fakeAgent) bool {
	if a.conn == "" || len(a.says) == 0 {
		return false
	}
	msg := a.says[0]
	a.says = a.says[1:]
	w.say(a.conn, msg)
	return true
}

// listen has a framework deal with its next event.
func (w *world) listen(f *fakeFramework) bool {
	if f.stream == "" || f.heard == len(w.streams[f.stream]) {
		return false
	}
	f.heard++
	for _, c := range f.hears(w.t, w.streams[f.stream][f.heard-1]) {
		w.call(f.id, f.stream, c)
	}
	return true
}

// failover loses the master. Commits under way are lost, or made.
func (w *world) failover(t *rapid.T) {
	if w.epochs >= 2 || rapid.IntRange(0, 2).Draw(t, "really") > 0 {
		return
	}
	w.epochs++
	if rapid.Bool().Draw(t, "commits are made") {
		w.makeCommits()
	}
	w.cfg.ID = fmt.Sprintf("master-%d", w.epochs)
	w.cfg.Epoch++
	w.held = false
	w.elect()
	for _, a := range w.agents {
		a.conn, a.says = "", nil
	}
	for _, f := range w.frameworks {
		f.stream, f.offers = "", nil
	}
}

// settleAll brings everybody back, lets every message through, and kills what still runs. Then each task must have
// ended for its framework, and all must be free.
func (w *world) settleAll(t *rapid.T) {
	w.settle()
	for _, f := range w.frameworks {
		if f.id != "" && f.stream == "" {
			w.subscribe(f)
		}
	}
	for _, a := range w.agents {
		w.register(a)
	}
	w.quiesce()
	for _, f := range w.frameworks {
		// A new master does not know which frameworks were torn down, and finds those of which agents still
		// have tasks. Nobody will come for them but an operator.
		if f.over && w.m.State().Framework(f.id) != nil {
			w.step(Teardown{Framework: f.id})
		}
	}
	w.quiesce()
	for _, f := range w.frameworks {
		if f.stream == "" {
			continue
		}
		for _, id := range f.order {
			w.killTask(f, id)
		}
	}
	w.quiesce()
	for _, f := range w.frameworks {
		if f.stream == "" {
			continue
		}
		for _, o := range f.offers {
			w.call(f.id, f.stream, &scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{OfferIds: []*mesos.OfferID{o.GetId()}}})
		}
		for _, id := range slices.Sorted(maps.Keys(f.launched)) {
			if h := f.tasks[id]; h == nil || !h.final {
				t.Fatalf("task %s of %s never ended: %+v, %+v", id, f.id, h, w.m.State().Task(f.id, id))
			}
		}
	}
	for a := range w.m.State().Agents() {
		if !a.Free.Equal(a.Total) {
			t.Fatalf("agent %s has %s free of %s in the end: %+v", a.ID, a.Free, a.Total, a.Uses)
		}
	}
}

// quiesce lets messages through until there are none.
func (w *world) quiesce() {
	for busy := true; busy; {
		busy = false
		for _, a := range w.agents {
			if a.conn == "" {
				w.register(a)
				busy = true
			}
			for w.toMaster(a) || w.toAgent(a) {
				busy = true
			}
		}
		for _, f := range w.frameworks {
			for w.listen(f) {
				busy = true
			}
		}
	}
}
