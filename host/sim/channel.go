package sim

import (
	"time"

	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/plugins/allocator-drf/drf"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// channel is the way between a master and the allocator's process, which is the real allocator.
type channel struct {
	w *world
	l *leader

	a *drf.Allocator // nil while there is none
	// generation is the present one, 0 while there is none; latest is the latest there was.
	generation, latest uint64
	// down carries the snapshot, updates and answers, in order, up the proposals.
	down, up *lane
	stopped  bool // for good
	stalled  bool
	timer    *entry
	timerAt  time.Duration

	// pausing is set while the master is told that there is no allocator, before a snapshot is taken.
	pausing     bool
	snapshotSeq uint64 // what the latest snapshot contains
	emitted     uint64 // the latest update that the master emitted
	// known and delivered are the generation and the latest update that the allocator was told.
	known, delivered uint64
	// converted counts the allocations that become updates for the allocator, learned those of them it was told.
	converted, learned int
	// open has the proposals of the present generation that were handed to the master and not answered.
	open map[uint64]proposed
}

// proposed is an allocation, and what the allocator knew when it proposed it.
type proposed struct {
	allocator.Allocation
	known, seq uint64
}

func newChannel(l *leader) *channel {
	return &channel{w: l.w, l: l}
}

// connectSoon starts the allocator's process, which takes a moment.
func (c *channel) connectSoon() {
	c.w.after(c.w.between(5*time.Millisecond, 300*time.Millisecond), func() { c.connect(true) })
}

// connect gives an allocator a snapshot of the master's state: a new allocator, or the one that is there. The master
// accepts no proposal any more when the snapshot is taken, so that all it has accepted is in it.
func (c *channel) connect(fresh bool) {
	if c.stopped || c.pausing || (c.a == nil && !fresh) {
		return
	}
	c.pausing, c.generation = true, 0
	if fresh {
		c.cut()
	}
	c.l.post(master.AllocatorDown{})
	c.l.settled(func() {
		c.pausing = false
		if !c.stopped {
			c.begin(fresh)
		}
	})
}

// begin is the rest of connect, once the master is idle.
func (c *channel) begin(fresh bool) {
	stalled := func() bool { return c.stalled }
	if fresh || c.a == nil { // it may have died meanwhile
		cfg := drf.DefaultConfig()
		cfg.Seed = c.w.rng.Uint64()
		a, err := drf.NewAllocator(cfg)
		if err != nil {
			c.w.violate("allocator: %v", err)
			return
		}
		c.a, c.up = a, &lane{w: c.w, stalled: stalled}
	}
	if c.down != nil {
		c.down.close()
	}
	c.down = &lane{w: c.w, stalled: stalled}
	c.converted, c.learned = 0, 0
	c.latest++
	c.generation, c.open = c.latest, map[uint64]proposed{}
	a, generation, snapshot := c.a, c.generation, c.l.state.AllocatorSnapshot()
	c.snapshotSeq = snapshot.Sequence
	c.w.trace.begin(c.l.name+".allocator", "snapshot").num("generation", generation).num("seq", snapshot.Sequence).end()
	c.down.send(func() {
		c.known, c.delivered = generation, snapshot.Sequence
		a.Reset()
		c.told(a.Update(c.time(), snapshot.Updates))
	})
	c.l.post(master.AllocatorReady{Generation: generation})
}

// cut loses the allocator's process, and what is on its way between the two.
func (c *channel) cut() {
	c.timer.cancel()
	c.timer = nil
	if c.a != nil {
		c.down.close()
		c.up.close()
	}
	c.a = nil
}

// crash ends the allocator's process. Another is started.
func (c *channel) crash() {
	if c.a == nil || c.stopped {
		return
	}
	c.cut()
	c.generation = 0
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
	if c.a != nil {
		c.down.resume()
		c.up.resume()
	}
}

// idle tells whether the allocator knows all that the master has told.
func (c *channel) idle() bool { return c.generation != 0 && c.down.idle() && c.up.idle() && !c.stalled }

// compare checks that the allocator's books are the master's, at a moment when it knows all and has asked for nothing.
func (c *channel) compare(s *master.State) {
	if c.generation == 0 || c.known != c.generation || c.delivered != c.emitted || c.learned != c.converted ||
		len(c.open) > 0 || !c.down.idle() || !c.up.idle() {
		return
	}
	c.w.cover.hit("check", "allocator's books")
	for a := range s.Agents() {
		if free, known := c.a.Available(a.ID); !known || !free.Equal(a.Free) {
			c.w.violate("%s: agent %s has %s free, and the allocator believes %s", c.l.name, a.ID, a.Free, free)
		}
	}
}

// time is the allocator's clock.
func (c *channel) time() time.Time { return epochStart.Add(c.w.now) }

// update is an effect of the master.
func (c *channel) update(seq uint64, u allocator.Update) {
	if seq != c.emitted+1 && c.emitted != 0 {
		c.w.violate("%s: update %d of the allocator follows %d", c.l.name, seq, c.emitted)
	}
	c.emitted = seq
	if c.generation == 0 || seq <= c.snapshotSeq {
		return
	}
	a := c.a
	c.down.send(func() {
		c.delivered = seq
		c.told(a.Update(c.time(), []allocator.Update{u}))
	})
}

// answer is an effect of the master. Answers of an earlier generation are void: what was accepted is in the snapshot.
func (c *channel) answer(generation uint64, answers []allocator.Answer) {
	if generation != c.generation {
		return
	}
	for _, answer := range answers {
		p, known := c.open[answer.ID]
		if !known {
			c.w.violate("%s: allocation %d of generation %d is answered twice, or was never proposed", c.l.name,
				answer.ID, generation)
			return
		}
		delete(c.open, answer.ID)
		c.judge(p, answer)
	}
}

// judge passes one answer on. A proposal that the allocator made before it was given the present snapshot it has
// forgotten: what was accepted, it is told as an update, as the SDK does.
func (c *channel) judge(p proposed, answer allocator.Answer) {
	if !answer.Accepted() {
		c.w.cover.hit("refusal", answer.Refused[:min(len(answer.Refused), 24)])
		knew := p.seq == c.emitted && p.known == c.generation && c.converted == 0
		if knew && answer.Refused != "the agent is being removed" {
			c.w.violate("%s: the allocator knew all, and yet its allocation %d of %s on %s to %s is refused: %s",
				c.l.name, p.ID, p.Resources, p.Agent, p.Framework, answer.Refused)
		}
	}
	a := c.a
	switch {
	case p.known == c.generation:
		c.down.send(func() { c.told(a.Answer(c.time(), []allocator.Answer{answer})) })
	case answer.Accepted():
		u := allocator.Allocated{Framework: p.Framework, Agent: p.Agent, Resources: p.Resources.Allocate(p.Role)}
		c.converted++
		c.w.cover.hit("outcome", "allocation accepted after a new snapshot")
		c.down.send(func() {
			c.learned++
			c.told(a.Update(c.time(), []allocator.Update{u}))
		})
	}
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
	known, seq := c.known, c.delivered
	c.up.send(func() {
		if c.generation == 0 {
			return // between two generations everything is void
		}
		for _, p := range batch {
			c.open[p.ID] = proposed{Allocation: p, known: known, seq: seq}
		}
		c.l.post(master.Allocations{Generation: c.generation, Batch: batch})
	})
}
