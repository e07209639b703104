package agent

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/clock"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// world is everything around an Agent: its disk, its containers, a master and a scheduler that check what they are
// told. The agent may be killed between any two effects.
type world struct {
	t      failer
	a      *Agent
	cfg    Config
	now    clock.Time
	values map[string][]byte
	id     string // what was synced

	containers map[string]*simContainer
	statuses   map[string]int // wait statuses of those that have ended
	pending    []Event        // answers on their way

	conns     int
	connected bool // the agent's connection is up
	admitted  bool // the master has answered its registration
	conn      ConnID
	sent      []*linkv1.ToMaster // on their way to the master
	tasks     map[string]*simTask
	order     []string // of the tasks' ids

	crashAfter int // effects until the agent is killed, if not negative
	crashes    int
	updates    int // that were checked
}

// simContainer is a container, which outlives the agent.
type simContainer struct {
	id       string
	state    containerizer.State
	ended    bool
	cleaned  bool
	status   int
	signaled []syscall.Signal
	doomed   bool
	// dismissed is set once the agent has taken note of the end.
	dismissed bool
}

// simTask is what the master and the scheduler know of a task, and what must be true of it.
type simTask struct {
	id        string
	container string
	grace     time.Duration // of the task's own kill policy
	known     bool          // to the master as running here
	lost      bool          // the master said so, for the agent did not know it
	got       []mesos.TaskState
	last      string // uuid of the newest update
	acked     bool   // it was acknowledged
	asked     time.Time
	deadline  time.Time         // before which nothing may be forced; zero if not asked
	firm      time.Time         // after which it must be forced; zero if the agent may not know of it
	made      []mesos.TaskState // the updates that were written down
	timeout   bool              // it has a max_completion_time
}

func newWorld(t failer, seed uint64) *world {
	w := &world{
		t: t, cfg: testConfig(t), now: clock.Time{Wall: testStart, Mono: time.Hour}, values: map[string][]byte{},
		containers: map[string]*simContainer{}, statuses: map[string]int{}, tasks: map[string]*simTask{}, crashAfter: -1,
	}
	w.cfg.Random = rand.New(rand.NewPCG(seed, 1))
	w.restart()
	return w
}

// restart kills the agent and starts another upon what is on disk.
func (w *world) restart() {
	w.crashAfter = -1
	w.connected, w.admitted, w.sent, w.pending = false, false, nil, nil
	w.a = nil
	contents, errs := record.Read(w.values)
	if len(errs) > 0 {
		w.t.Fatalf("records: %v", errs)
	}
	var found []containerizer.Recovered
	var events []Event
	for _, id := range sortedKeys(w.containers) {
		c := w.containers[id]
		c.dismissed = false
		r := containerizer.Recovered{ID: id, State: c.state, WaitStatus: c.status, Known: true}
		if c.ended && c.state == containerizer.Running {
			r.State = containerizer.Ended
		}
		if c.ended || c.state == containerizer.Unstarted {
			if c.ended = true; c.state == containerizer.Unstarted {
				events = append(events, ContainerEvent{Event: containerizer.Failed{ID: id, Message: "interrupted"}})
			}
			events = append(events, ContainerEvent{Event: containerizer.Cleaned{ID: id}})
			c.cleaned = true
		}
		found = append(found, r)
	}
	rec := Recovered{AgentID: w.id, Contents: contents, Containers: found}
	if err := rec.Validate(); err != nil {
		w.t.Fatalf("recovered: %v", err)
	}
	w.a = New(w.cfg, rec, w.now)
	w.pending = events
	w.step(Started{})
}

func (w *world) step(ev Event) {
	a := w.a
	for _, e := range a.Step(w.now, ev) {
		if w.crashAfter == 0 {
			w.crashes++
			w.restart()
			return
		}
		if w.crashAfter > 0 {
			w.crashAfter--
		}
		w.do(e)
	}
	w.checkBooks()
}

func (w *world) do(effect Effect) {
	switch e := effect.(type) {
	case Append:
		for _, op := range e.Ops {
			w.write(op)
		}
	case Sync:
		if s, ok := e.Op.(SaveAgent); ok {
			w.id = s.AgentID
		}
		w.pending = append(w.pending, Synced{ID: e.ID})
	case SendMaster:
		if w.connected && e.Conn == w.conn {
			w.checkWritten(e.Msg)
			w.sent = append(w.sent, e.Msg)
		}
	case Reconnect:
		w.connected, w.admitted, w.sent = false, false, nil
	case Launch:
		w.launch(e.Spec)
	case Kill:
		w.signal(w.containers[e.Container], e.Signal)
	case Destroy:
		switch c := w.containers[e.Container]; {
		case c == nil:
		case c.ended:
			c.dismissed = true
			w.forget(c)
		default:
			c.doomed = true
		}
	}
}

// forget drops a container that is cleaned up and that nobody will ask for any more.
func (w *world) forget(c *simContainer) {
	if c.cleaned && c.dismissed {
		delete(w.containers, c.id)
	}
}

func (w *world) write(op record.Op) {
	if op.Value == nil {
		delete(w.values, op.Key)
		return
	}
	w.values[op.Key] = op.Value
	if id, is := strings.CutPrefix(op.Key, "update/f1/"); is {
		contents, _ := record.Read(w.values)
		id, _, _ = strings.Cut(id, "/")
		for _, t := range contents.Tasks {
			if t.ID == id {
				s, err := decode[mesos.TaskStatus]("status", id, t.Updates[len(t.Updates)-1].Status)
				if err != nil {
					w.t.Fatalf("%v", err)
				}
				w.tasks[id].made = append(w.tasks[id].made, s.GetState())
			}
		}
	}
}

func (w *world) launch(s containerizer.Spec) {
	if _, written := w.values[record.TaskKey(s.Framework, s.Task)]; !written {
		w.t.Fatalf("task %s is launched before it is written down", s.Task)
	}
	if w.containers[s.ID] != nil {
		w.t.Fatalf("container %s is launched twice", s.ID)
	}
	if w.tasks[s.Task].container != "" {
		w.t.Fatalf("task %s has two containers", s.Task)
	}
	w.tasks[s.Task].container = s.ID
	w.containers[s.ID] = &simContainer{id: s.ID}
}

// signal checks that no force is used before its time.
func (w *world) signal(c *simContainer, sig syscall.Signal) {
	if c == nil || c.ended {
		return
	}
	c.signaled = append(c.signaled, sig)
	if sig != syscall.SIGKILL {
		return
	}
	for _, id := range w.order {
		if t := w.tasks[id]; t.container == c.id && !t.timeout && (t.deadline.IsZero() || w.now.Wall.Before(t.deadline)) {
			w.t.Fatalf("task %s is killed by force at %s, it had time until %s", t.id, w.now.Wall, t.deadline)
		}
	}
}

// checkWritten sees to it that nobody is told what is not on disk.
func (w *world) checkWritten(m *linkv1.ToMaster) {
	u := m.GetUpdate()
	if u == nil {
		return
	}
	s := statusIn(SendMaster{Msg: m})
	for n := range uint64(8) {
		v := w.values[record.UpdateKey(u.FrameworkId, s.GetTaskId().GetValue(), n)]
		if v != nil && strings.Contains(string(v), string(u.Uuid)) {
			return
		}
	}
	w.t.Fatalf("update %v is sent before it is written down", s)
}

// checkForce sees to it that a task that was asked to end does not live beyond its time.
func (w *world) checkForce() {
	for _, id := range w.order {
		t := w.tasks[id]
		c := w.containers[t.container]
		if c == nil || c.ended || c.doomed || c.state != containerizer.Running || t.firm.IsZero() || w.now.Wall.Before(t.firm) {
			continue
		}
		if !slices.Contains(c.signaled, syscall.SIGKILL) {
			w.t.Fatalf("task %s should have been killed by force at %s, it is %s", id, t.firm, w.now.Wall)
		}
	}
}

// checkBooks compares what is held with the tasks that hold it.
func (w *world) checkBooks() {
	if w.a == nil {
		return
	}
	want := w.cfg.Resources
	for _, f := range w.a.sortedFrameworks() {
		for _, t := range f.sortedTasks() {
			if terminal(t.state) {
				continue
			}
			var err error
			if want, err = want.Sub(t.facts.resources.Unallocate()); err != nil {
				w.t.Fatalf("tasks hold more than there is: %v", err)
			}
		}
	}
	if !w.a.free.Equal(want) {
		w.t.Fatalf("free %v, want %v", w.a.free, want)
	}
}

// deliver hands the agent's oldest message to the master.
func (w *world) deliver() {
	if len(w.sent) == 0 {
		return
	}
	m := w.sent[0]
	w.sent = w.sent[1:]
	switch b := m.Body.(type) {
	case *linkv1.ToMaster_Register:
		w.registered(b.Register)
	case *linkv1.ToMaster_Update:
		w.updated(b.Update)
	}
}

func (w *world) say(m *linkv1.ToAgent) {
	if !w.connected {
		return
	}
	m.Epoch = testEpoch
	w.step(MasterMessage{Conn: w.conn, Msg: m})
}

// registered reconciles: what the agent does not have it will never have.
func (w *world) registered(m *linkv1.Register) {
	here := map[string]bool{}
	for _, t := range m.Tasks {
		ti, err := decode[mesos.TaskInfo]("task", "", t.TaskInfo)
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		here[ti.GetTaskId().GetValue()] = true
		if w.tasks[ti.GetTaskId().GetValue()].lost {
			w.t.Fatalf("task %s is back after it was lost", ti.GetTaskId().GetValue())
		}
	}
	for _, id := range w.order {
		if t := w.tasks[id]; t.known && !here[id] && !w.over(t) {
			t.lost = true
		}
	}
	w.admitted = true
	w.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_Registered{Registered: &linkv1.Registered{AgentId: testAgent, Reregistered: w.id != ""}}})
}

func (w *world) over(t *simTask) bool {
	return t.lost || len(t.got) > 0 && terminal(t.got[len(t.got)-1]) && t.acked
}

// updated is the scheduler's: it checks the order of what it is told.
func (w *world) updated(u *linkv1.StatusUpdate) {
	s := &mesos.TaskStatus{}
	if err := proto.Unmarshal(u.Status, s); err != nil {
		w.t.Fatalf("%v", err)
	}
	w.updates++
	t := w.tasks[s.GetTaskId().GetValue()]
	switch {
	case t.lost:
		w.t.Fatalf("task %s is heard of after it was lost: %v", t.id, s)
	case t.last == string(u.Uuid):
		return // a repeat
	case t.last != "" && !t.acked:
		w.t.Fatalf("task %s: update %v before the last was acknowledged", t.id, s.GetState())
	case len(t.got) > 0 && terminal(t.got[len(t.got)-1]):
		w.t.Fatalf("task %s: update %v after its end", t.id, s.GetState())
	case len(t.got) > 0 && rank(s.GetState()) <= rank(t.got[len(t.got)-1]):
		w.t.Fatalf("task %s: %v after %v", t.id, s.GetState(), t.got)
	}
	t.got, t.last, t.acked = append(t.got, s.GetState()), string(u.Uuid), false
	w.checkEnd(t, s)
}

func rank(s mesos.TaskState) int {
	switch s {
	case mesos.TaskState_TASK_STARTING:
		return 1
	case mesos.TaskState_TASK_RUNNING:
		return 2
	case mesos.TaskState_TASK_KILLING:
		return 3
	}
	return 4
}

// checkEnd compares a terminal update with how the container ended.
func (w *world) checkEnd(t *simTask, s *mesos.TaskStatus) {
	if s.GetReason() == mesos.TaskStatus_REASON_EXECUTOR_TERMINATED {
		w.t.Fatalf("task %s: its container's end was forgotten: %v", t.id, s)
	}
	if !terminal(s.GetState()) || s.GetSource() != mesos.TaskStatus_SOURCE_EXECUTOR {
		return
	}
	killed := !t.deadline.IsZero() || s.GetReason() == mesos.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED
	status, ended := w.statuses[t.container]
	if !ended || s.GetMessage() != "Command "+describeWait(status) {
		w.t.Fatalf("task %s exited (%t) with wait status %d: %v", t.id, ended, status, s)
	}
	if !killed && (status == 0) != (s.GetState() == mesos.TaskState_TASK_FINISHED) {
		w.t.Fatalf("task %s exited with wait status %d: %v", t.id, status, s)
	}
}

func (w *world) acknowledge(t *simTask) {
	if t.last == "" || !w.admitted {
		return
	}
	t.acked = true
	w.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_Acknowledge{Acknowledge: &linkv1.Acknowledge{
		FrameworkId: "f1", TaskId: t.id, Uuid: []byte(t.last),
	}}})
}

func (w *world) connect() {
	if w.connected {
		return
	}
	w.conns++
	w.connected, w.admitted, w.conn = true, false, ConnID(fmt.Sprint("c", w.conns))
	w.step(MasterConnected{Conn: w.conn, Epoch: testEpoch, Welcome: &linkv1.Welcome{MasterId: "M1"}})
}

func (w *world) cut() {
	if w.connected {
		w.connected, w.admitted, w.sent = false, false, nil
		w.step(MasterGone{Conn: w.conn})
	}
}

// answer delivers the oldest answer that is on its way.
func (w *world) answer() {
	if len(w.pending) > 0 {
		ev := w.pending[0]
		w.pending = w.pending[1:]
		w.step(ev)
	}
}

// advance takes a container one step further: it starts, ends with the status, or is cleaned up.
func (w *world) advance(c *simContainer, status int) {
	switch {
	case c.ended && !c.cleaned:
		c.cleaned = true
		w.step(ContainerEvent{Event: containerizer.Cleaned{ID: c.id}})
		w.forget(c)
	case c.ended:
	case c.state == containerizer.Unstarted && c.doomed:
		c.ended = true
		w.step(ContainerEvent{Event: containerizer.Failed{ID: c.id, Reason: containerizer.Destroyed, Message: "destroyed"}})
	case c.state == containerizer.Unstarted:
		c.state = containerizer.Running
		w.step(ContainerEvent{Event: containerizer.Started{ID: c.id, Pid: 7}})
	default:
		if n := len(c.signaled); n > 0 {
			status = int(c.signaled[n-1])
		} else if c.doomed {
			status = int(syscall.SIGKILL)
		}
		c.ended, c.status, w.statuses[c.id] = true, status, status
		w.step(ContainerEvent{Event: containerizer.Exited{ID: c.id, WaitStatus: status, Known: true}})
	}
}

// pass lets time go by; the agent's timers fire when they are due.
func (w *world) pass(d time.Duration) {
	end := w.now.Mono + d
	for {
		var due []TimerID
		for id, at := range w.a.timers {
			if at <= end {
				due = append(due, id)
			}
		}
		if len(due) == 0 {
			break
		}
		next := slices.MinFunc(due, func(a, b TimerID) int {
			if d := w.a.timers[a] - w.a.timers[b]; d != 0 {
				return int(d)
			}
			return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
		})
		w.now = w.now.Add(max(w.a.timers[next]-w.now.Mono, 0))
		w.step(TimerFired{ID: next})
	}
	w.now = w.now.Add(max(end-w.now.Mono, 0))
	w.checkForce()
}
