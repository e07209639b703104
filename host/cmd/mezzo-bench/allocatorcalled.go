package main

import (
	"context"
	"fmt"
	"time"

	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/plugins/allocator-drf/drf"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

func newDRF() (*drf.Allocator, error) {
	c := drf.DefaultConfig()
	c.AllocationInterval = benchInterval
	return drf.NewAllocator(c)
}

// inProcess calls the allocator's code directly.
type inProcess struct {
	a   *drf.Allocator
	now time.Time
}

func newInProcess() (*inProcess, error) {
	a, err := newDRF()
	return &inProcess{a: a, now: time.Now()}, err
}

func (p *inProcess) begin(ctx context.Context, s allocator.Snapshot, proposals int) error {
	p.a.Reset()
	if err := p.a.Update(p.now, s.Updates); err != nil {
		return err
	}
	return p.allocate(ctx, proposals)
}

func (p *inProcess) update(ctx context.Context, us []allocator.Update, proposals int) error {
	p.now = p.now.Add(time.Second)
	if err := p.a.Update(p.now, us); err != nil {
		return err
	}
	return p.allocate(ctx, proposals)
}

// batch is the most proposals in one answer, as in the contract.
const batch = 1000

func (p *inProcess) allocate(ctx context.Context, proposals int) error {
	got := 0
	for {
		proposed, _, err := p.a.Allocate(ctx, p.now, batch)
		if err != nil {
			return err
		}
		if err := p.a.Answer(p.now, accept(proposed)); err != nil {
			return err
		}
		if got += len(proposed); len(proposed) < batch {
			break
		}
	}
	if got != proposals {
		return fmt.Errorf("%d of %d allocations were proposed", got, proposals)
	}
	return nil
}

func accept(proposed []allocator.Allocation) []allocator.Answer {
	answers := make([]allocator.Answer, len(proposed))
	for i, a := range proposed {
		answers[i] = allocator.Answer{ID: a.ID, OfferID: fmt.Sprintf("bench-O%d", a.ID)}
	}
	return answers
}

// called is a worker whose code is called in the master's loop: as fast as an allocator can be that is part of the host.
// Its fields belong to the loop, but for while the loop has nothing to do.
type called struct {
	master     *benchMaster
	a          *drf.Allocator
	generation uint64 // 0 while it does not work
	latest     uint64
	due        bool
	updates    []allocator.Update
}

func newCalled(b *benchMaster) (worker, error) {
	a, err := newDRF()
	return &called{master: b, a: a}, err
}

func (c *called) begin(ctx context.Context) error {
	if err := c.master.Pause(ctx); err != nil {
		return err
	}
	c.a.Reset()
	if err := c.a.Update(time.Now(), c.master.Snapshot().Updates); err != nil {
		return err
	}
	c.latest++
	c.generation, c.due = c.latest, true
	return c.master.Ready(ctx, c.generation)
}

func (c *called) halt(ctx context.Context) error {
	err := c.master.Pause(ctx)
	c.generation = 0
	return err
}

// Update implements effect.Allocator.
func (c *called) Update(_ uint64, u allocator.Update) {
	if c.generation != 0 {
		c.updates, c.due = append(c.updates, u), true
	}
}

// Answer implements effect.Allocator.
func (c *called) Answer(generation uint64, answers []allocator.Answer) {
	if generation == c.generation {
		_ = c.a.Answer(time.Now(), answers) // that the allocator has lost track shows in the offers that it does not make
	}
}

func (c *called) round(ctx context.Context) error {
	if !c.due || c.generation == 0 {
		return nil
	}
	if err := c.a.Update(time.Now(), c.updates); err != nil {
		return err
	}
	c.updates, c.due = c.updates[:0], false
	for {
		proposed, _, err := c.a.Allocate(ctx, time.Now(), batch)
		if err != nil {
			return err
		}
		if len(proposed) > 0 {
			c.master.loop.Post(master.Allocations{Generation: c.generation, Batch: proposed})
		}
		if len(proposed) < batch {
			return nil
		}
	}
}
