package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

const (
	// patience is how long, in virtual time, the world may take to come to rest: updates that were not
	// acknowledged again and again are repeated after minutes only.
	patience = 25 * time.Minute
	// looks is how often it is looked whether it has.
	looks = 500 * time.Millisecond
)

// source makes a source of random draws for a machine of the simulated world.
func (w *world) source() *rand.Rand {
	return rand.New(rand.NewPCG(w.rng.Uint64(), w.rng.Uint64())) //nolint:gosec // a simulation, no secret
}

// settle stops the faults, heals what is broken, and waits for everything to come right.
func (w *world) settle() {
	w.calm = true
	w.trace.note("world", "calm", "no more faults")
	w.raft.slowUntil = 0
	for _, m := range w.machines {
		m.heal()
		m.disk.full, m.disk.failing = false, false
		if m.process != nil {
			m.process.crashAfter = 0
		}
	}
	if w.leader != nil {
		w.leader.crashAfter = 0
		w.leader.channel.resume()
	}
	end, rested := w.now+patience, false
	var why string
	var look func()
	look = func() {
		if why = w.restless(); why == "" {
			rested = true
			return
		}
		w.after(looks, look)
	}
	w.after(2*time.Second, look)
	for w.broken == nil && !rested {
		if w.now > end {
			w.violate("the faults stopped %s ago, and yet: %s", patience, why)
			return
		}
		w.advance()
	}
	if w.broken == nil {
		w.leader.check.everything(w.leader.state)
	}
}

// restless says what has not come right yet, nothing if all has.
func (w *world) restless() string {
	l := w.leader
	switch {
	case l == nil:
		return "there is no leader"
	case len(w.deposed) > 0:
		return "a master does not know that it does not lead"
	case len(w.raft.waiting) > 0:
		return "registry changes are on their way"
	case !l.channel.idle():
		return "the allocator does not know all"
	}
	for _, m := range w.machines {
		if why := m.restless(l); why != "" {
			return why
		}
	}
	for _, s := range w.schedulers {
		if why := s.restless(l); why != "" {
			return why
		}
	}
	for _, f := range w.ledger.frameworks {
		if why := f.restless(l); why != "" {
			return why
		}
	}
	return ""
}

// restless says what is not right on a machine.
func (m *machine) restless(l *leader) string {
	p := m.process
	if p == nil {
		return m.name + " has no agent"
	}
	s := p.a.State()
	if !s.Registered || s.ShuttingDown || s.Epoch != l.epoch {
		return fmt.Sprintf("%s is not registered with %s", p.name, l.name)
	}
	if a := l.state.Agent(s.AgentID); a == nil || !a.Connected {
		return fmt.Sprintf("%s does not know that %s is registered", l.name, p.name)
	}
	for _, key := range slices.Sorted(maps.Keys(m.disk.live)) {
		if len(key) > 7 && key[:7] == "update/" {
			return m.unacknowledged()
		}
	}
	var held resource.Resources
	for _, c := range m.containers {
		if c.live() {
			sum, err := held.Add(c.spec.Resources)
			if err != nil {
				return fmt.Sprintf("what containers of %s hold does not add up: %v", m.name, err)
			}
			held = sum
		}
		if t := m.w.ledger.task(c.spec.Framework, c.spec.Task); c.live() && (t == nil || t.ended) {
			return fmt.Sprintf("container %s of %s runs on %s, and its task has ended", c.id, c.spec.Task, m.name)
		}
	}
	if !s.Used.Equal(held) {
		return fmt.Sprintf("%s believes that its tasks hold %s, and containers hold %s", p.name, s.Used, held)
	}
	return ""
}

// unacknowledged says which updates are written down and not acknowledged.
func (m *machine) unacknowledged() string {
	contents, _ := record.Read(m.disk.live)
	for _, t := range contents.Tasks {
		if f := m.w.ledger.byID[t.Framework]; len(t.Updates) > t.Acknowledged && !(f == nil || f.over()) {
			return fmt.Sprintf("update %d of task %s on %s is not acknowledged", t.Acknowledged, t.ID, m.name)
		}
	}
	return ""
}

// restless says what is not right with a scheduler.
func (s *client) restless(l *leader) string {
	if !s.subscribed || s.stream == nil || s.stream.l != l {
		return s.name() + " is not subscribed"
	}
	f := l.state.Framework(s.owner.id)
	if f == nil || !f.Connected || f.Stream != s.stream.id {
		return fmt.Sprintf("%s does not know that %s is subscribed", l.name, s.name())
	}
	for o := range l.state.Offers() {
		if o.Framework == s.owner.id && !s.holds(o.ID) && s.stream.up.idle() {
			return fmt.Sprintf("%s does not know of offer %s", s.name(), o.ID)
		}
	}
	for _, o := range s.offers {
		if l.state.Offer(o.GetId().GetValue()) == nil {
			return fmt.Sprintf("%s holds offer %s, which is over", s.name(), o.GetId().GetValue())
		}
	}
	return ""
}

// restless says which of a framework's tasks have neither ended nor truly run.
func (f *framework) restless(l *leader) string {
	if f.over() {
		return ""
	}
	for _, t := range f.tasks {
		if why := t.restless(l); why != "" {
			return why
		}
	}
	return ""
}

func (t *task) restless(l *leader) string {
	live := t.container != nil && t.container.live()
	running := t.state == mesos.TaskState_TASK_RUNNING
	switch {
	case t.ended && live:
		return fmt.Sprintf("task %s of %s has ended in %s, and its container runs", t.id, t.f.name, t.terminal)
	case t.ended:
		return ""
	case live && running:
		known := l.state.Task(t.f.id, t.id)
		if known == nil || known.State != t.state {
			return fmt.Sprintf("task %s of %s runs, and %s does not know", t.id, t.f.name, l.name)
		}
		return ""
	case !live && master.Terminal(t.state), !live && t.state == mesos.TaskState_TASK_UNKNOWN,
		!live && t.state == mesos.TaskState_TASK_UNREACHABLE:
		return ""
	}
	return fmt.Sprintf("task %s of %s is %s at its framework, and its container runs: %t", t.id, t.f.name, t.state, live)
}
