package serve

import (
	"fmt"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// pending is the proposals without an answer, in the order of their ids.
//
// A snapshot voids them for the allocator: those that the host had judged before the snapshot are part of
// it, and no answer to them follows. Those that it judges after it are answered still, and then an accepted
// one is news to the allocator.
type pending struct {
	queue []proposal
	live  int // of the queue, those that are not void
	last  uint64
}

type proposal struct {
	allocator.Allocation
	void bool
}

// len is how many proposals the host owes an answer.
func (p *pending) len() int { return p.live }

// add tells whether the id is one that may follow.
func (p *pending) add(a *allocator.Allocation) bool {
	if a.ID <= p.last {
		return false
	}
	p.last = a.ID
	p.queue = append(p.queue, proposal{Allocation: *a})
	p.live++
	return true
}

func (p *pending) void() {
	for i := range p.queue {
		p.queue[i].void = true
	}
	p.live = 0
}

// settle takes answers, which come in the order of the proposals. It returns those that concern the
// allocator, and what the host accepted of voided proposals.
func (p *pending) settle(answers []allocator.Answer) (valid []allocator.Answer, allocated []allocator.Update, err error) {
	for _, a := range answers {
		// What is skipped was answered before the snapshot, unless no snapshot came since: then the host
		// has forgotten it.
		for len(p.queue) > 0 && p.queue[0].ID < a.ID {
			if !p.queue[0].void {
				return nil, nil, fmt.Errorf("allocation %d was not answered", p.queue[0].ID)
			}
			p.queue = p.queue[1:]
		}
		if len(p.queue) == 0 || p.queue[0].ID != a.ID {
			continue // an inverse offer's, or none of ours
		}
		x := p.queue[0]
		p.queue = p.queue[1:]
		switch {
		case !x.void:
			p.live--
			valid = append(valid, a)
		case a.Accepted():
			allocated = append(allocated, allocator.Allocated{
				Framework: x.Framework, Agent: x.Agent, Resources: x.Resources.Allocate(x.Role),
			})
		}
	}
	return valid, allocated, nil
}
