package sim

import (
	"time"

	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/host/registry"
)

// raft is the way of registry changes to a majority: one after the other, and those of a master that does not lead
// any more are lost.
type raft struct {
	waiting []*proposal
	// slowUntil holds everything up until then.
	slowUntil time.Duration
}

// proposal is a registry change on its way.
type proposal struct {
	from *leader
	id   uint64
	op   registry.Op
}

// propose puts a change on its way.
func (w *world) propose(p *proposal) {
	data, err := registry.EncodeOp(p.op)
	if err != nil {
		w.violate("registry operation cannot be written: %v", err)
		return
	}
	if p.op, err = registry.DecodeOp(data); err != nil {
		w.violate("registry operation cannot be read: %v", err)
		return
	}
	w.raft.waiting = append(w.raft.waiting, p)
	w.after(max(w.between(time.Millisecond, 30*time.Millisecond), w.raft.slowUntil-w.now), w.commitNext)
}

// commitNext commits the change that has waited longest.
func (w *world) commitNext() {
	if len(w.raft.waiting) == 0 {
		return
	}
	p := w.raft.waiting[0]
	w.raft.waiting = w.raft.waiting[1:]
	if w.leader != p.from || p.from.dead {
		return
	}
	if !w.apply(p) {
		return
	}
	// The answer takes its time, too; answers keep their order.
	p.from.answers.send(func() { p.from.post(master.Committed{ID: p.id}) })
}

// apply makes a change, and reports whether it fits.
func (w *world) apply(p *proposal) bool {
	if err := w.registry.Apply(p.op); err != nil {
		w.violate("%s asks for a registry change that does not fit: %v", p.from.name, err)
		return false
	}
	w.trace.begin("registry", "apply").num("id", p.id).str("op", opName(p.op)).end()
	w.checkRegistry()
	return true
}

// settleRaft decides what becomes of the changes on their way when their master is lost: the first few are made,
// the others never.
func (w *world) settleRaft(from *leader) {
	var mine, others []*proposal
	for _, p := range w.raft.waiting {
		if p.from == from {
			mine = append(mine, p)
		} else {
			others = append(others, p)
		}
	}
	w.raft.waiting = others
	if len(mine) == 0 {
		return
	}
	for _, p := range mine[:w.rng.IntN(len(mine)+1)] {
		if !w.apply(p) {
			return
		}
		w.cover.hit("outcome", "commit made whose answer was lost")
	}
}

// checkRegistry checks that no agent is in two places.
func (w *world) checkRegistry() {
	in := func(id string, maps ...bool) {
		n := 0
		for _, there := range maps {
			if there {
				n++
			}
		}
		if n > 1 {
			w.violate("the registry has agent %s in %d places", id, n)
		}
	}
	for id := range w.registry.Agents {
		_, unreachable := w.registry.Unreachable[id]
		_, gone := w.registry.Gone[id]
		in(id, true, unreachable, gone)
	}
	for id := range w.registry.Unreachable {
		_, gone := w.registry.Gone[id]
		in(id, true, gone)
	}
}

func opName(op registry.Op) string {
	switch o := op.(type) {
	case registry.AdmitAgent:
		return "admit " + o.ID
	case registry.UpdateAgent:
		return "update " + o.ID
	case registry.MarkUnreachable:
		return "unreachable " + o.ID
	case registry.MarkReachable:
		return "reachable " + o.ID
	case registry.MarkGone:
		return "gone " + o.ID
	case registry.RemoveAgent:
		return "remove " + o.ID
	case registry.Prune:
		return "prune"
	case registry.PutMember:
		return "member " + o.ID
	}
	return "unknown"
}
