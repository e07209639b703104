package allocator

import (
	"slices"
	"sync"

	contract "github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// entry is an update or answers, in the order in which they came.
type entry struct {
	seq     uint64
	update  contract.Update // nil for answers
	answers []contract.Answer
}

// queue is what the plugin has not been told yet. What happens to one agent becomes one entry where that
// means the same. When there is too much in it, it is emptied, and the plugin is to get a snapshot instead.
type queue struct {
	most int

	mu      sync.Mutex
	live    bool   // false: nobody listens, and what comes is not kept
	lost    bool   // it was too much
	floor   uint64 // updates up to this sequence are in the snapshot
	merging bool   // the floor is known, so that no update below it is merged with one above
	entries []entry
	latest  map[string]int // by agent, where its latest entry is that another may be merged into
	wake    chan struct{}  // has room for one
}

func newQueue(most int) *queue {
	return &queue{most: most, wake: make(chan struct{}, 1)}
}

// open empties the queue and has it keep what comes from now on. since is to follow.
func (q *queue) open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.live, q.lost, q.floor, q.merging = true, false, 0, false
	q.entries, q.latest = nil, map[string]int{}
}

// since leaves out the updates that a snapshot of the sequence contains, those that are still to come too:
// a snapshot can be ahead of the effects that are being carried out.
func (q *queue) since(sequence uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.floor, q.merging = sequence, true
	q.entries = slices.DeleteFunc(q.entries, func(e entry) bool { return e.update != nil && e.seq <= sequence })
	clear(q.latest)
}

// close empties the queue and has it keep nothing.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.live, q.entries, q.latest = false, nil, nil
}

func (q *queue) update(seq uint64, u contract.Update) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.live || q.lost || seq <= q.floor {
		return
	}
	agent, mergeable := agentOf(u)
	if at, ok := q.latest[agent]; ok && mergeable && q.merging {
		if merged, ok := merge(q.entries[at].update, u); ok {
			q.entries[at] = entry{seq: q.entries[at].seq, update: merged}
			q.last(seq)
			q.signal()
			return
		}
	}
	q.push(entry{seq: seq, update: u})
	if agent != "" && q.latest != nil {
		q.latest[agent] = len(q.entries) - 1
	}
}

// last notes on the last entry which sequence all of them together reach.
func (q *queue) last(seq uint64) {
	if n := len(q.entries); n > 0 && q.entries[n-1].seq < seq {
		q.entries[n-1].seq = seq
	}
}

func (q *queue) answer(answers []contract.Answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.live || q.lost || len(answers) == 0 {
		return
	}
	var seq uint64
	if n := len(q.entries); n > 0 {
		seq = q.entries[n-1].seq
	}
	q.push(entry{seq: seq, answers: answers})
	// What is recovered of an offer must not come before the answer that made it.
	clear(q.latest)
}

func (q *queue) push(e entry) {
	q.entries = append(q.entries, e)
	if len(q.entries) > q.most {
		q.lost, q.entries, q.latest = true, nil, nil
	}
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take empties the queue, and says whether something was lost.
func (q *queue) take() (entries []entry, lost bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	entries, q.entries = q.entries, nil
	clear(q.latest)
	return entries, q.lost
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.entries)
}

// agentOf is the agent that an update is about, if one, and whether such updates can be merged.
func agentOf(u contract.Update) (agent string, mergeable bool) {
	switch u := u.(type) {
	case contract.AgentAdded:
		return u.Agent.ID, false
	case contract.AgentChanged:
		return u.Agent.ID, true
	case contract.AgentRemoved:
		return u.ID, false
	case contract.Allocated:
		return u.Agent, false
	case contract.Recovered:
		return u.Agent, true
	case contract.Converted:
		return u.Agent, false
	default:
		return "", false
	}
}

// merge makes one update of two that follow each other for an agent, if one means the same.
func merge(first, second contract.Update) (contract.Update, bool) {
	switch b := second.(type) {
	case contract.AgentChanged:
		if a, ok := first.(contract.AgentChanged); ok {
			b.ClearFilters = b.ClearFilters || a.ClearFilters
			return b, true
		}
	case contract.Recovered:
		a, ok := first.(contract.Recovered)
		if !ok || a.Framework != b.Framework || a.Filter != nil || b.Filter != nil {
			return nil, false
		}
		sum, err := a.Resources.Add(b.Resources)
		if err != nil {
			return nil, false
		}
		b.Resources = sum
		return b, true
	}
	return nil, false
}
