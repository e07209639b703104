package sim

import (
	"container/heap"
	"time"
)

// entry is something that will happen.
type entry struct {
	at  time.Duration
	seq uint64
	do  func() // nil once it was cancelled
}

// cancel sees to it that the entry never happens. A nil entry is none.
func (e *entry) cancel() {
	if e != nil {
		e.do = nil
	}
}

// agenda is what will happen, the earliest first; at the same time, in the order it was entered.
type agenda struct {
	entries entries
	seq     uint64
}

func (a *agenda) add(at time.Duration, do func()) *entry {
	a.seq++
	e := &entry{at: at, seq: a.seq, do: do}
	heap.Push(&a.entries, e)
	return e
}

// next takes the earliest entry that was not cancelled, nil if there is none.
func (a *agenda) next() *entry {
	for len(a.entries) > 0 {
		e := heap.Pop(&a.entries).(*entry) //nolint:forcetypeassert // the heap holds nothing else
		if e.do != nil {
			return e
		}
	}
	return nil
}

type entries []*entry

func (e entries) Len() int { return len(e) }

func (e entries) Less(i, j int) bool {
	if e[i].at != e[j].at {
		return e[i].at < e[j].at
	}
	return e[i].seq < e[j].seq
}

func (e entries) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push is for package heap.
func (e *entries) Push(x any) { *e = append(*e, x.(*entry)) }

// Pop is for package heap.
func (e *entries) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	return x
}
