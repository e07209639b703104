package sim

import (
	"math"
	"time"

	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/plugins/allocator-drf/drf"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// channel is the way between a master and the allocator's process, which is the real allocator.
type channel struct {
	w *world
	l *leader

	a          *drf.Allocator // nil while there is none
	generation uint64
	// down carries the snapshot, updates and answers, in order, up the proposals.
	down, up *lane
	stopped  bool // for good
	stalled  bool
	timer    *entry
	timerAt  time.Duration

	snapshotSeq uint64 // what the latest snapshot contains
	emitted     uint64 // the latest update that the master emitted
	delivered   uint64 // the latest update that the allocator was told
	// converted counts allocations that the allocator is about to be told of as updates: its mirror lags.
	converted int
	// open has the proposals that were handed to the master and not answered, by generation and id.
	open map[uint64]map[uint64]proposed
}

// proposed is an allocation, and what the allocator knew when it proposed it.
type proposed struct {
	allocator.Allocation
	seq uint64
}

// notKnown is the seq of a proposal of an allocator whose mirror lagged.
const notKnown = math.MaxUint64

func newChannel(l *leader) *channel {
	return &channel{w: l.w, l: l, open: map[uint64]map[uint64]proposed{}}
}

// connectSoon starts the allocator's process, which takes a moment.
func (c *channel) connectSoon() {
	c.w.after(c.w.between(5*time.Millisecond, 300*time.Millisecond), func() { c.connect(true) })
}

// connect gives an allocator a snapshot of the master's state: a new one, or the one that is there.
func (c *channel) connect(fresh bool) {
	if c.stopped || c.l.dead || (c.a != nil && !fresh && c.down == nil) {
		return
	}
	if fresh || c.a == nil {
		cfg := drf.DefaultConfig()
		cfg.Seed = c.w.rng.Uint64()
		a, err := drf.NewAllocator(cfg)
		if err != nil {
			c.w.violate("allocator: %v", err)
			return
		}
		c.a = a
	}
	c.cut()
	c.generation++
	a, snapshot := c.a, c.l.state.AllocatorSnapshot()
	c.snapshotSeq = snapshot.Sequence
	c.open[c.generation] = map[uint64]proposed{}
	stalled := func() bool { return c.stalled }
	c.down, c.up = &lane{w: c.w, stalled: stalled}, &lane{w: c.w, stalled: stalled}
	c.w.trace.begin(c.l.name+".allocator", "snapshot").num("generation", c.generation).num("seq", snapshot.Sequence).end()
	c.down.send(func() {
		c.delivered = snapshot.Sequence
		c.told(a.Snapshot(c.time(), snapshot))
	})
	c.l.post(master.AllocatorReady{Generation: c.generation})
}

// cut loses what is on its way between the two.
func (c *channel) cut() {
	c.timer.cancel()
	c.timer = nil
	if c.down != nil {
		c.down.close()
		c.up.close()
	}
	c.converted = 0
}

// crash ends the allocator's process. Another is started.
func (c *channel) crash() {
	if c.a == nil || c.stopped {
		return
	}
	c.cut()
	c.a, c.down, c.up = nil, nil, nil
	c.l.post(master.AllocatorDown{})
	c.connectSoon()
}

// stop is the end of the channel with its master.
func (c *channel) stop() {
	c.stopped = true
	c.cut()
}

// resume lets through what a stall has held up.
func (c *channel) resume() {
	c.stalled = false
	if c.down != nil {
		c.down.resume()
		c.up.resume()
	}
}

// idle tells whether the allocator knows all that the master has told.
func (c *channel) idle() bool { return c.a != nil && c.down.idle() && c.up.idle() && !c.stalled }

// time is the allocator's clock.
func (c *channel) time() time.Time { return epochStart.Add(c.w.now) }

// update is an effect of the master.
func (c *channel) update(seq uint64, u allocator.Update) {
	if seq != c.emitted+1 && c.emitted != 0 {
		c.w.violate("%s: update %d of the allocator follows %d", c.l.name, seq, c.emitted)
	}
	c.emitted = seq
	if c.a == nil || seq <= c.snapshotSeq {
		return
	}
	a := c.a
	c.down.send(func() {
		c.delivered = seq
		c.told(a.Update(c.time(), []allocator.Update{u}))
	})
}

// answer is an effect of the master. An answer to an allocator that has been given another snapshot meanwhile is
// none to it: what was accepted after that snapshot, it is told as an update.
func (c *channel) answer(generation uint64, answers []allocator.Answer) {
	open := c.open[generation]
	for _, answer := range answers {
		p, known := open[answer.ID]
		if !known {
			c.w.violate("%s: allocation %d of generation %d is answered twice, or was never proposed", c.l.name,
				answer.ID, generation)
			return
		}
		delete(open, answer.ID)
		c.judge(generation, &p, answer)
	}
	if c.a == nil {
		return
	}
	a := c.a
	if generation == c.generation {
		c.down.send(func() { c.told(a.Answer(c.time(), answers)) })
	}
}

// judge looks at one answer.
func (c *channel) judge(generation uint64, p *proposed, answer allocator.Answer) {
	if !answer.Accepted() {
		c.w.cover.hit("refusal", answer.Refused[:min(len(answer.Refused), 24)])
		if generation == c.generation && p.seq == c.emitted && answer.Refused != "the agent is being removed" {
			c.w.violate("%s: the allocator knew all, and yet its allocation %d of %s on %s to %s is refused: %s",
				c.l.name, p.ID, p.Resources, p.Agent, p.Framework, answer.Refused)
		}
		return
	}
	if generation == c.generation || c.a == nil {
		return
	}
	a, u := c.a, allocator.Allocated{
		Framework: p.Framework, Agent: p.Agent, Resources: p.Resources.Allocate(p.Role),
	}
	c.converted++
	c.w.cover.hit("outcome", "allocation accepted after a new snapshot")
	c.down.send(func() {
		c.converted--
		c.told(a.Update(c.time(), []allocator.Update{u}))
	})
}

// told goes on after the allocator was told something. It must be able to follow: what it is told is in order, and
// nothing is left out.
func (c *channel) told(err error) {
	if err != nil {
		c.w.violate("%s: the allocator cannot follow: %v", c.l.name, err)
		return
	}
	c.wake(time.Millisecond)
}

// wake has the allocator asked for proposals, a while from now at the latest.
func (c *channel) wake(in time.Duration) {
	at := c.w.now + in
	if c.timer != nil && c.timer.do != nil && c.timerAt <= at {
		return
	}
	c.timer.cancel()
	c.timerAt = at
	c.timer = c.w.after(in, c.allocate)
}

// allocate asks the allocator for proposals and passes them on.
func (c *channel) allocate() {
	c.timer = nil
	if c.a == nil || c.stopped {
		return
	}
	if c.stalled {
		c.wake(100 * time.Millisecond)
		return
	}
	batch, next, err := c.a.Allocate(background(), c.time(), c.w.plan.proposals)
	if err != nil {
		c.w.violate("%s: allocate: %v", c.l.name, err)
		return
	}
	if len(batch) > 0 {
		c.propose(batch)
	}
	switch {
	case len(batch) == c.w.plan.proposals:
		c.wake(time.Millisecond)
	case !next.IsZero():
		c.wake(max(next.Sub(c.time()), time.Millisecond))
	}
}

func (c *channel) propose(batch []allocator.Allocation) {
	seq := c.delivered
	if c.converted > 0 {
		seq = notKnown
	}
	generation, open := c.generation, c.open[c.generation]
	c.up.send(func() {
		for _, p := range batch {
			open[p.ID] = proposed{Allocation: p, seq: seq}
		}
		c.l.post(master.Allocations{Generation: generation, Batch: batch})
	})
}
