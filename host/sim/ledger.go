package sim

import (
	"slices"

	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// ledger is what is true of frameworks and tasks, as somebody sees it who sees everything.
type ledger struct {
	w          *world
	frameworks []*framework
	byID       map[string]*framework
	// launched counts the tasks that a master launched, updates the status updates that agents wrote down.
	launched, updates int
}

// framework is a framework, from the first subscription of its client on.
type framework struct {
	c          *client
	id         string // empty until a master has given one
	name       string
	checkpoint bool
	aware      bool // of partitions
	tasks      []*task
	byID       map[string]*task
	tornDown   bool // its client asked for its end, or somebody else did
	removed    bool // its client has heard that it is over
	shutDown   bool // a master removed it, and told an agent so; a later master may not know
}

// task is one task that a framework asked for.
type task struct {
	f     *framework
	id    string
	agent string
	// known is set once a master has launched it.
	known bool
	// state is the latest that the framework was told. terminal is the state it ended in, for good; false are
	// ended by a state that may be taken back.
	state    mesos.TaskState
	ended    bool
	terminal mesos.TaskState
	// lostIn is the epoch in which a master gave it up because its agent's connection broke.
	lostIn uint64
	// updates are the uuids that agents wrote down, heard those that the framework has heard of, each once and
	// in order; acknowledged those that the framework has acknowledged, passed those of which a master has told
	// the agent.
	updates, heard       [][16]byte
	acknowledged, passed map[[16]byte]bool
	// excused are those that a master acknowledged by itself, since it had ended the task.
	excused map[[16]byte]bool
	// on is the machine whose agent wrote it down, container the one that was launched for it.
	on        *machine
	container *container
	// rebooted is set when the agent's machine lost what it had not synced, stray when a master launched it that
	// had been deposed: the one that leads may tell its framework that there is no such task.
	rebooted, stray bool
}

func newLedger(w *world) ledger { return ledger{w: w, byID: map[string]*framework{}} }

// framework enters a new framework of a client.
func (l *ledger) framework(c *client) *framework {
	f := &framework{
		c: c, name: c.name(), checkpoint: c.info.GetCheckpoint(),
		aware: c.has(mesos.FrameworkInfo_Capability_PARTITION_AWARE), byID: map[string]*task{},
	}
	l.frameworks = append(l.frameworks, f)
	return f
}

// subscribed notes the id that a framework was given.
func (l *ledger) subscribed(f *framework, id string) {
	if f.id != "" && f.id != id {
		l.w.violate("framework %s (%s) is told that it is %s", f.name, f.id, id)
	}
	f.id = id
	if other := l.byID[id]; other != nil && other != f {
		l.w.violate("frameworks %s and %s are both %s", f.name, other.name, id)
	}
	l.byID[id] = f
}

// removed notes that a client has heard that its framework is over.
func (l *ledger) removed(f *framework) { f.removed = true }

// task returns a task, nil for one that nobody asked for.
func (l *ledger) task(framework, id string) *task {
	if f := l.byID[framework]; f != nil {
		return f.byID[id]
	}
	return nil
}

// asked enters a task that a framework has asked for.
func (l *ledger) asked(f *framework, info *mesos.TaskInfo) {
	t := &task{
		f: f, id: info.GetTaskId().GetValue(), agent: info.GetAgentId().GetValue(),
		state:        mesos.TaskState_TASK_STAGING,
		acknowledged: map[[16]byte]bool{}, passed: map[[16]byte]bool{},
		excused: map[[16]byte]bool{},
	}
	f.tasks = append(f.tasks, t)
	f.byID[t.id] = t
}

// open are a framework's tasks that have not ended for good.
func (f *framework) open() []*task {
	var out []*task
	for _, t := range f.tasks {
		if !t.ended {
			out = append(out, t)
		}
	}
	return out
}

func (f *framework) running() int { return len(f.open()) }

// ended counts the tasks that have ended for good.
func (l *ledger) ended() int {
	n := 0
	for _, f := range l.frameworks {
		n += len(f.tasks) - f.running()
	}
	return n
}

// over tells whether nobody is there any more who would acknowledge the framework's updates.
func (f *framework) over() bool { return f.tornDown || f.removed || f.shutDown }

// heard takes note of a status that a framework is told.
func (l *ledger) heard(f *framework, s *mesos.TaskStatus, by *leader) {
	l.w.cover.hit("state", s.GetState().String())
	t := f.byID[s.GetTaskId().GetValue()]
	if t == nil {
		if id := s.GetTaskId().GetValue(); id != "no-such-task" {
			l.w.violate("framework %s is told of task %s, which it never asked for", f.name, id)
		}
		return
	}
	l.w.trace.begin(f.name, "learns").str("task", t.id).str("state", s.GetState().String()).
		str("reason", reason(s)).data(s.GetUuid()).end()
	if by.deposed && len(s.GetUuid()) == 0 {
		return // it does not know what has happened since another leads
	}
	fresh := true
	if len(s.GetUuid()) == 16 {
		fresh = l.inOrder(t, [16]byte(s.GetUuid()))
	}
	if !fresh {
		return
	}
	if t.ended {
		// A scheduler asks of open tasks only, but its question may cross the news of the end, after which masters
		// forget the task.
		crossed := s.GetReason() == mesos.TaskStatus_REASON_RECONCILIATION && !lives(s.GetState())
		if s.GetState() != t.terminal && !t.rebooted && !t.stray && !crossed && !f.over() {
			l.w.violate("task %s of %s has ended in %s, and yet its framework is told %s (%s)", t.id, f.name,
				t.terminal, s.GetState(), reason(s))
		}
		return
	}
	if t.lostIn == by.epoch && lives(s.GetState()) {
		l.w.violate("task %s of %s was lost with its agent's connection, and yet the same master tells %s of it", t.id,
			f.name, s.GetState())
	}
	t.state = s.GetState()
	if s.GetReason() == mesos.TaskStatus_REASON_AGENT_DISCONNECTED {
		t.lostIn = by.epoch
	}
	if final(f, s) {
		t.ended, t.terminal = true, s.GetState()
	}
}

// lives tells whether a state says that a task is there.
func lives(s mesos.TaskState) bool {
	return !master.Terminal(s) && s != mesos.TaskState_TASK_UNKNOWN && s != mesos.TaskState_TASK_UNREACHABLE
}

func reason(s *mesos.TaskStatus) string {
	if s.Reason == nil {
		return ""
	}
	return s.GetReason().String()
}

// inOrder checks that a framework hears of the updates of a task in the order in which they were made, and of
// each, and reports whether it is the first time that it hears of this one.
func (l *ledger) inOrder(t *task, uuid [16]byte) (first bool) {
	if slices.Contains(t.heard, uuid) {
		return false
	}
	at := slices.Index(t.updates, uuid)
	next := len(t.heard)
	for next < len(t.updates) && next < at && t.excused[t.updates[next]] {
		next++
	}
	switch {
	case at < 0:
		// It was made up for a task that the agent does not know, which is not written down.
		l.w.cover.hit("outcome", "update of a task that the agent does not know")
		return true
	case at != next && !t.rebooted && !t.f.over():
		l.w.violate("framework %s hears update %d of task %s after %d others: one is lost, or they are out of order",
			t.f.name, at, t.id, len(t.heard))
	}
	t.heard = append(slices.Clone(t.updates[:at]), uuid)
	return true
}

// final tells whether a status says that a task has ended for good. What a framework is told of a task on an
// agent that cannot be reached may be taken back when it returns: frameworks that are not aware of partitions are
// told TASK_LOST of it. So may be what a master says of a task of a framework without checkpoints whose agent's
// connection broke, when the agent returns to another master.
func final(f *framework, s *mesos.TaskStatus) bool {
	own := len(s.GetUuid()) == 0
	lost := s.GetState() == mesos.TaskState_TASK_LOST || s.GetState() == mesos.TaskState_TASK_GONE
	if own && lost && !f.checkpoint {
		return false
	}
	switch s.GetState() {
	case mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FAILED, mesos.TaskState_TASK_KILLED,
		mesos.TaskState_TASK_ERROR, mesos.TaskState_TASK_DROPPED, mesos.TaskState_TASK_GONE,
		mesos.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	case mesos.TaskState_TASK_LOST:
		if f.aware {
			return true
		}
		switch s.GetReason() {
		case mesos.TaskStatus_REASON_AGENT_REMOVED, mesos.TaskStatus_REASON_RECONCILIATION:
			return false
		}
		return true
	}
	return false
}

// acknowledged notes that a framework acknowledges an update.
func (l *ledger) acknowledged(f *framework, s *mesos.TaskStatus) {
	if t := f.byID[s.GetTaskId().GetValue()]; t != nil {
		t.acknowledged[[16]byte(s.GetUuid())] = true
	}
}

// rebooted notes that a machine has lost what it had not synced.
func (l *ledger) rebooted(m *machine) {
	for _, f := range l.frameworks {
		for _, t := range f.tasks {
			if t.on == m {
				t.rebooted = true
			}
		}
	}
}
