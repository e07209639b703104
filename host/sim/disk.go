package sim

import (
	"maps"
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/agent/record"
)

// disk is what an agent has on disk. What is appended is there for every later process; it is there after a crash
// of the machine only once it is synced, a second later, or if it happened to be written out before.
type disk struct {
	w *world
	// live is what a process reads, synced what the machine would find after a crash now; unsynced are the
	// appends that lie between.
	live, synced map[string][]byte
	unsynced     [][]record.Op
	syncing      bool
	// agentID is the durable store's.
	agentID string
	// full makes the next append fail, failing the next synced write.
	full, failing bool
}

func newDisk(w *world) *disk {
	return &disk{w: w, live: map[string][]byte{}, synced: map[string][]byte{}}
}

// append writes one batch, which counts as a whole.
func (d *disk) append(ops []record.Op) {
	put(d.live, ops)
	d.unsynced = append(d.unsynced, ops)
	if !d.syncing {
		d.syncing = true
		d.w.after(time.Second, d.sync)
	}
}

func (d *disk) sync() {
	d.syncing = false
	for _, ops := range d.unsynced {
		put(d.synced, ops)
	}
	d.unsynced = nil
}

// crash loses what was not synced, but for the first few appends of it.
func (d *disk) crash() {
	for _, ops := range d.unsynced[:d.w.rng.IntN(len(d.unsynced)+1)] {
		put(d.synced, ops)
	}
	if len(d.unsynced) > 0 {
		d.w.cover.hit("outcome", "unsynced writes at a crash of the machine")
	}
	d.unsynced = nil
	d.live = maps.Clone(d.synced)
}

func put(values map[string][]byte, ops []record.Op) {
	for _, op := range ops {
		if op.Value == nil {
			delete(values, op.Key)
		} else {
			values[op.Key] = op.Value
		}
	}
}

// keep makes a durable change.
func (d *disk) keep(op agent.Durable) {
	switch op := op.(type) {
	case agent.SaveAgent:
		d.agentID = op.AgentID
	case agent.ForgetAgent:
		d.agentID = ""
	}
}
