package sim

import (
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/master"
)

// fault is a kind of mishap. Its name is what coverage calls it.
type fault struct {
	name string
	// strike has it happen, and reports whether there was anything that it could happen to.
	strike func(w *world) bool
}

// allFaults are all kinds there are.
var allFaults = []fault{
	{"link broken", func(w *world) bool { return w.breakLink(0, 20*time.Millisecond) }},
	{"link broken, noticed late", func(w *world) bool { return w.breakLink(2*time.Second, 20*time.Second) }},
	{"messages to the master held up", func(w *world) bool { return w.stall(true, false) }},
	{"messages to the agent held up", func(w *world) bool { return w.stall(false, true) }},
	{"partition", func(w *world) bool { return w.stall(true, true) }},
	{"agent killed", func(w *world) bool { return w.killAgent(false) }},
	{"agent killed in the middle of its effects", func(w *world) bool { return w.killAgent(true) }},
	{"agent shut down for good", (*world).shutDownAgent},
	{"agent's disk full", (*world).fillDisk},
	{"agent's disk fails to sync", func(w *world) bool { return w.onMachine(func(m *machine) { m.disk.failing = true }) }},
	{"agent's disk slow to sync", (*world).slowDisk},
	{"agent's machine rebooted", func(w *world) bool { return w.onMachine((*machine).reboot) }},
	{"agent's machine reimaged", func(w *world) bool { return w.onMachine((*machine).reimage) }},
	{"agent's clock steps", func(w *world) bool { return w.onMachine(func(m *machine) { m.skew += w.clockStep() }) }},
	{"masters' clock steps", func(w *world) bool { w.skew += w.clockStep(); return true }},
	{"master killed", func(w *world) bool { return w.onLeader((*leader).crash) }},
	{"master killed in the middle of its effects", func(w *world) bool {
		return w.onLeader(func(l *leader) { l.crashAfter = 1 + w.rng.IntN(12) })
	}},
	{"leadership lost", func(w *world) bool { return w.onLeader((*leader).depose) }},
	{"commits slow", func(w *world) bool {
		w.raft.slowUntil = w.now + w.between(time.Second, 6*time.Second)
		return true
	}},
	{"commit fails", (*world).failCommit},
	{"allocator lags", func(w *world) bool { return w.stallAllocator(100*time.Millisecond, time.Second) }},
	{"allocator stopped", func(w *world) bool { return w.stallAllocator(2*time.Second, 8*time.Second) }},
	{"allocator killed", func(w *world) bool { return w.onLeader(func(l *leader) { l.channel.crash() }) }},
	{"allocator reloaded", func(w *world) bool { return w.onLeader(func(l *leader) { l.channel.connect(true) }) }},
	{"allocator given a new snapshot", func(w *world) bool {
		return w.onLeader(func(l *leader) { l.channel.connect(false) })
	}},
	{"authorizer down", func(w *world) bool { return w.onLeader((*leader).loseAuthorizer) }},
	{"stream broken", func(w *world) bool { return w.breakStream(0, 20*time.Millisecond) }},
	{"stream broken, noticed late", func(w *world) bool { return w.breakStream(time.Second, 10*time.Second) }},
	{"scheduler crashed", (*world).crashScheduler},
	{"framework torn down by an operator", (*world).tearDown},
}

// Faults are the names of all kinds of faults.
func Faults() []string {
	var out []string
	for _, f := range allFaults {
		out = append(out, f.name)
	}
	return out
}

// scheduleFault has faults strike, again and again, until the world is calm.
func (w *world) scheduleFault() {
	if len(w.plan.faults) == 0 {
		return
	}
	pause := time.Duration(w.rng.ExpFloat64() * float64(w.plan.faultEvery))
	w.after(pause, func() {
		if w.calm {
			return
		}
		f := w.plan.faults[w.rng.IntN(len(w.plan.faults))]
		w.trace.note("fault", "strikes", f.name)
		if f.strike(w) {
			w.cover.hit("fault", f.name)
			w.faults++
		}
		w.scheduleFault()
	})
}

func (w *world) onMachine(do func(*machine)) bool {
	do(w.machines[w.rng.IntN(len(w.machines))])
	return true
}

func (w *world) onLeader(do func(*leader)) bool {
	if w.leader == nil {
		return false
	}
	do(w.leader)
	return true
}

// process returns some agent's process, nil if the one that was drawn does not run.
func (w *world) process() *process { return w.machines[w.rng.IntN(len(w.machines))].process }

// clockStep is how far a wall clock jumps.
func (w *world) clockStep() time.Duration {
	return w.between(-time.Hour, time.Hour) / time.Duration([]int{1, 60, 3600}[w.rng.IntN(3)])
}

func (w *world) breakLink(from, to time.Duration) bool {
	p := w.process()
	if p == nil || p.link == nil {
		return false
	}
	// One end notices soon, the other in the time that was asked for.
	a, b := w.between(0, 20*time.Millisecond), w.between(from, to)
	if w.chance(0.5) {
		a, b = b, a
	}
	p.link.sever(a, b)
	return true
}

func (w *world) stall(up, down bool) bool {
	m := w.machines[w.rng.IntN(len(w.machines))]
	m.stalledUp, m.stalledDown = m.stalledUp || up, m.stalledDown || down
	length := w.between(50*time.Millisecond, 2*time.Second)
	if w.chance(0.4) {
		length = w.between(5*time.Second, 45*time.Second)
	}
	w.after(length, m.heal)
	return true
}

func (w *world) killAgent(amid bool) bool {
	p := w.process()
	if p == nil {
		return false
	}
	if amid {
		p.crashAfter = 1 + w.rng.IntN(8)
		return true
	}
	p.kill()
	return true
}

func (w *world) shutDownAgent() bool {
	p := w.process()
	if p == nil {
		return false
	}
	p.post(agent.Shutdown{Reason: "an operator's wish"})
	w.killOn(p.a.State().AgentID)
	return true
}

// killOn has schedulers kill what they have on an agent, and what they are about to have, while something else is
// done to it.
func (w *world) killOn(agent string) {
	for range 5 {
		w.after(w.between(0, 100*time.Millisecond), func() {
			for _, s := range w.schedulers {
				if s.owner == nil {
					continue
				}
				for _, t := range s.owner.open() {
					if t.agent == agent && w.chance(0.5) {
						s.killTask(t)
					}
				}
			}
		})
	}
}

func (w *world) fillDisk() bool {
	return w.onMachine(func(m *machine) { m.disk.full = true })
}

func (w *world) slowDisk() bool {
	return w.onMachine(func(m *machine) {
		m.slowSync = w.between(time.Second, 5*time.Second)
		w.after(w.between(time.Second, 10*time.Second), func() { m.slowSync = 0 })
	})
}

// failCommit loses a change that is on its way, and the leadership with it.
func (w *world) failCommit() bool {
	if w.leader == nil || len(w.raft.waiting) == 0 {
		return false
	}
	w.leader.depose()
	return true
}

func (w *world) stallAllocator(from, to time.Duration) bool {
	return w.onLeader(func(l *leader) {
		c := l.channel
		c.stalled = true
		w.after(w.between(from, to), c.resume)
	})
}

// loseAuthorizer takes the master's authorizer away for a while.
func (l *leader) loseAuthorizer() {
	if l.unauthorized {
		return
	}
	l.unauthorized = true
	l.post(master.AuthorizerDown{})
	l.w.after(l.w.between(100*time.Millisecond, 10*time.Second), func() {
		l.unauthorized = false
		l.post(master.AuthorizerReady{})
	})
}

func (w *world) breakStream(from, to time.Duration) bool {
	st := w.schedulers[w.rng.IntN(len(w.schedulers))].stream
	if st == nil {
		return false
	}
	a, b := w.between(0, 20*time.Millisecond), w.between(from, to)
	if w.chance(0.5) {
		a, b = b, a
	}
	st.sever(a, b)
	return true
}

func (w *world) crashScheduler() bool {
	s := w.schedulers[w.rng.IntN(len(w.schedulers))]
	if s.alive == 0 {
		return false
	}
	s.crash()
	return true
}

func (w *world) tearDown() bool {
	s := w.schedulers[w.rng.IntN(len(w.schedulers))]
	if w.leader == nil || s.owner == nil || s.owner.id == "" || w.chance(0.8) {
		return false
	}
	s.owner.tornDown = true
	w.lastID++
	w.leader.post(master.Teardown{Framework: s.owner.id, Principal: "operator", Reply: master.ReplyID(w.lastID)})
	return true
}
