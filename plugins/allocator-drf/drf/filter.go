package drf

import (
	"container/heap"
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// filter keeps resources of an agent from a client that refused them.
type filter struct {
	refused    resource.Resources // allocated to nobody
	until      time.Time
	generation uint64
}

// holds tells whether the filter still counts.
func (f *filter) holds(c *client, now time.Time) bool {
	return f.generation == c.generation && now.Before(f.until)
}

// refuse adds a filter and drops those that no longer count or that the new one covers.
func (a *agent) refuse(now time.Time, c *client, refused resource.Resources, until time.Time) {
	if a.filters == nil {
		a.filters = make(map[*client][]filter)
	}
	kept := slices.DeleteFunc(a.filters[c], func(f filter) bool {
		return !f.holds(c, now) || (!f.until.After(until) && refused.Contains(f.refused))
	})
	a.filters[c] = append(kept, filter{refused: refused, until: until, generation: c.generation})
}

// filtered tells whether the client has refused all of the resources, and until when it does not want
// them.
func (a *agent) filtered(now time.Time, c *client, r resource.Resources) (until time.Time, filtered bool) {
	if len(a.filters) == 0 {
		return time.Time{}, false
	}
	for i := range a.filters[c] {
		f := &a.filters[c][i]
		if f.holds(c, now) && f.refused.Contains(r) && f.until.After(until) {
			until, filtered = f.until, true
		}
	}
	return until, filtered
}

// unfilter drops the client's filters that no longer count.
func (a *agent) unfilter(now time.Time, c *client) {
	kept := slices.DeleteFunc(a.filters[c], func(f filter) bool { return !f.holds(c, now) })
	if len(kept) == 0 {
		delete(a.filters, c)
		return
	}
	a.filters[c] = kept
}

// expiry is a filter's end.
type expiry struct {
	at     time.Time
	agent  *agent
	client *client
	// generation is the filter's.
	generation uint64
	number     uint64 // decides between ends at the same time
}

// expiries is a heap, the earliest end first.
type expiries []expiry

func (e expiries) Len() int { return len(e) }

func (e expiries) Less(i, j int) bool {
	if !e[i].at.Equal(e[j].at) {
		return e[i].at.Before(e[j].at)
	}
	return e[i].number < e[j].number
}

func (e expiries) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push is for package heap.
func (e *expiries) Push(x any) { *e = append(*e, x.(expiry)) }

// Pop is for package heap.
func (e *expiries) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = expiry{}
	*e = (*e)[:last]
	return x
}

// expire drops filters that have ended and marks their agents: what was refused may be wanted now.
func (a *Allocator) expire(now time.Time) {
	for len(a.expiries) > 0 && !a.expiries[0].at.After(now) {
		e := heap.Pop(&a.expiries).(expiry) // the heap holds nothing else
		if e.agent.gone {
			continue
		}
		if _, found := e.agent.filters[e.client]; found {
			e.agent.unfilter(now, e.client)
			a.mark(e.agent)
		}
	}
}

// filterFor adds a filter for at least one allocation interval, which longer times are not shortened to.
func (a *Allocator) filterFor(now time.Time, ag *agent, c *client, refused resource.Resources, refuse time.Duration) {
	until := now.Add(max(refuse, a.settings.interval))
	ag.refuse(now, c, refused, until)
	a.numbers++
	heap.Push(&a.expiries, expiry{at: until, agent: ag, client: c, generation: c.generation, number: a.numbers})
	if len(a.expiries) >= a.compactAt {
		a.compact(now)
	}
}

// leastCompact is below how many ends of filters it is not worth looking for those that mean nothing any
// more.
const leastCompact = 1024

// compact drops the ends of filters that no longer count: a framework that refuses for a year and revives
// again and again must not fill the memory.
func (a *Allocator) compact(now time.Time) {
	a.expiries = slices.DeleteFunc(a.expiries, func(e expiry) bool {
		return e.agent.gone || e.generation != e.client.generation || !slices.ContainsFunc(e.agent.filters[e.client], func(f filter) bool {
			return f.until.Equal(e.at) && f.holds(e.client, now)
		})
	})
	heap.Init(&a.expiries)
	a.compactAt = max(2*len(a.expiries), leastCompact)
}
