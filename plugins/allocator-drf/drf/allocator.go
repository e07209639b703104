package drf

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Allocator is the state machine. Make it with NewAllocator. Its methods are those of
// allocator.Allocator, called one after the other.
type Allocator struct {
	config   Config
	settings settings
	random   *rand.Rand

	names      *names
	tree       *tree
	quotas     *quotas
	frameworks map[string]*framework
	agents     map[string]*agent
	list       []*agent // in an order that the same events make the same

	candidates []*agent // marked for the next cycle
	held       []*agent // of which a quota has kept something back
	urgent     bool     // the next cycle need not wait for its time
	lastCycle  time.Time
	cycle      *cycle // one that is not through yet
	expiries   expiries
	compactAt  int // how many expiries are worth a look through them

	proposed map[uint64]proposal // not answered yet
	orphans  map[string][]uint64 // uncounted proposals by the id of their agent, which has gone
	lastID   uint64
	visits   uint64
	numbers  uint64
	scratch  vector
}

// proposal is an allocation that the host has not judged yet.
type proposal struct {
	agent     *agent
	client    *client
	resources resource.Resources
	uncounted bool // it has lost its place in the books; see orphan.go
}

var _ allocator.Allocator = (*Allocator)(nil)

// NewAllocator makes an allocator that knows nothing yet. A seed of 0 is a seed like any other here.
func NewAllocator(c Config) (*Allocator, error) {
	s, err := c.settings()
	if err != nil {
		return nil, err
	}
	a := &Allocator{config: c, settings: s, random: rand.New(rand.NewPCG(c.Seed, c.Seed))} // no secret
	a.Reset()
	return a, nil
}

// Reset implements allocator.Allocator. Answers to proposals from before it are ignored: such a proposal is
// void, and if it was accepted it comes as Allocated.
func (a *Allocator) Reset() {
	a.names = newNames()
	excluded := make(map[int]bool)
	for _, name := range a.config.FairnessExclude {
		excluded[a.names.of(name)] = true
	}
	a.tree = newTree(excluded)
	a.quotas = &quotas{}
	a.frameworks = make(map[string]*framework)
	a.agents = make(map[string]*agent)
	a.list = nil
	a.candidates, a.held, a.cycle, a.expiries = nil, nil, nil, nil
	a.urgent, a.compactAt = true, leastCompact
	a.proposed, a.orphans = make(map[uint64]proposal), make(map[string][]uint64)
}

// Answer implements allocator.Allocator.
func (a *Allocator) Answer(now time.Time, answers []allocator.Answer) error {
	for _, answer := range answers {
		p, found := a.proposed[answer.ID]
		if !found {
			continue
		}
		delete(a.proposed, answer.ID)
		if p.uncounted {
			if err := a.answerUncounted(p, answer); err != nil {
				return err
			}
			continue
		}
		if answer.Accepted() {
			continue
		}
		if err := a.free(p.agent, p.client, p.resources); err != nil {
			return fmt.Errorf("undo allocation %d: %w", answer.ID, err)
		}
		// Whatever the host objects to is about to be told here as an update. Asking again before that
		// would be refused again.
		a.filterFor(now, p.agent, p.client, p.resources, 0)
		a.mark(p.agent)
		a.drop(p.client)
	}
	return nil
}

// mark has the agent looked at in the next cycle.
func (a *Allocator) mark(ag *agent) {
	if !ag.candidate {
		ag.candidate = true
		a.candidates = append(a.candidates, ag)
	}
}

// markAll has all agents looked at at once: a framework wants offers that it did not want before.
func (a *Allocator) markAll() {
	a.urgent = true
	for _, ag := range a.list {
		a.mark(ag)
	}
}

// grant counts resources of the agent, allocated to nobody, as the client's.
func (a *Allocator) grant(ag *agent, c *client, r resource.Resources) error {
	shared := a.sharedUses(ag, r)
	if err := ag.take(c, r); err != nil {
		return err
	}
	a.charge(c, r, shared, 1)
	return nil
}

// free undoes grant.
func (a *Allocator) free(ag *agent, c *client, r resource.Resources) error {
	shared := a.sharedUses(ag, r)
	if err := ag.release(c, r); err != nil {
		return err
	}
	a.charge(c, r, shared, -1)
	return nil
}

func (a *Allocator) charge(c *client, r resource.Resources, shared []sharedUse, sign int64) {
	a.scratch.reset()
	a.scratch.scalars(a.names, r, anyScalar)
	a.tree.charge(c.node, a.scratch, shared, sign)
	if a.quotas.isEmpty() {
		return
	}
	a.scratch.reset()
	a.scratch.scalars(a.names, r, quotaScalar)
	a.quotas.consume(c.role, a.scratch, sign)
	if sign < 0 {
		a.releaseHeld()
	}
}

// sharedUses lists the shared volumes among the resources, one for each copy.
func (a *Allocator) sharedUses(ag *agent, r resource.Resources) []sharedUse {
	var uses []sharedUse
	for x := range r.Shared().All() {
		uses = append(uses, sharedUse{
			key: ag.ID + "\x00" + x.Disk.Persistence.ID + "\x00" + x.ReservationRole(), name: a.names.of(x.Name), amount: int64(x.Scalar),
		})
	}
	return uses
}

// releaseHeld marks the agents of which quotas have kept something back, since there is more room now.
func (a *Allocator) releaseHeld() {
	for _, ag := range a.held {
		ag.held = false
		if !ag.gone {
			a.mark(ag)
		}
	}
	a.held = a.held[:0]
}

// hold remembers that a quota keeps something of the agent back.
func (a *Allocator) hold(ag *agent) {
	if !ag.held {
		ag.held = true
		a.held = append(a.held, ag)
	}
}
