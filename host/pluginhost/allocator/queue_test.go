//go:build unix

package allocator

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	contract "github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// mirror is what somebody knows who was told updates.
type mirror struct {
	total    map[string]string
	returned map[string]resource.Resources // by agent and framework
	cleared  map[string]bool
	filters  int
	answers  []uint64
}

func newMirror() *mirror {
	return &mirror{total: map[string]string{}, returned: map[string]resource.Resources{}, cleared: map[string]bool{}}
}

func (m *mirror) apply(t *rapid.T, e entry) {
	for _, a := range e.answers {
		m.answers = append(m.answers, a.ID)
	}
	switch u := e.update.(type) {
	case contract.AgentAdded:
		m.total[u.Agent.ID] = u.Agent.Hostname
	case contract.AgentChanged:
		m.total[u.Agent.ID] = u.Agent.Hostname
		m.cleared[u.Agent.ID] = m.cleared[u.Agent.ID] || u.ClearFilters
	case contract.AgentRemoved:
		delete(m.total, u.ID)
		delete(m.cleared, u.ID)
	case contract.Converted:
		m.total[u.Agent] += "+"
	case contract.Recovered:
		key := u.Agent + "/" + u.Framework
		sum, err := m.returned[key].Add(u.Resources)
		if err != nil {
			t.Fatal(err)
		}
		m.returned[key] = sum
		if u.Filter != nil {
			m.filters++
		}
	}
}

func drawUpdate(t *rapid.T, n int) contract.Update {
	agent := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "agent")
	framework := rapid.SampledFrom([]string{"f", "g"}).Draw(t, "framework")
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return contract.AgentAdded{Agent: contract.Agent{ID: agent, Hostname: fmt.Sprint(n)}}
	case 1:
		return contract.AgentRemoved{ID: agent}
	case 2:
		return contract.Converted{Agent: agent}
	case 3, 4:
		return contract.AgentChanged{Agent: contract.Agent{ID: agent, Hostname: fmt.Sprint(n)}, ClearFilters: rapid.Bool().Draw(t, "clear")}
	default:
		u := contract.Recovered{Framework: framework, Agent: agent, Resources: cpus(1 + n%3)}
		if rapid.IntRange(0, 3).Draw(t, "filter") == 0 {
			u.Filter = &contract.Filter{}
		}
		return u
	}
}

// TestQueueMeansTheSame: whatever the queue makes one of, who is told it knows the same in the end, in
// sequences that grow, and less is sent.
func TestQueueMeansTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue(1000)
		q.open()
		floor := rapid.Uint64Range(0, 20).Draw(t, "floor")
		known := rapid.Uint64Range(0, 40).Draw(t, "known at")
		want := newMirror()
		last, told := uint64(0), false
		for n := range rapid.IntRange(0, 60).Draw(t, "steps") {
			seq := uint64(n + 1)
			if seq == known {
				q.since(floor)
				told = true
			}
			if rapid.IntRange(0, 5).Draw(t, "answer") == 0 {
				e := entry{answers: []contract.Answer{{ID: seq}}}
				q.answer(e.answers)
				want.apply(t, e)
				continue
			}
			u := drawUpdate(t, n)
			q.update(seq, u)
			if seq > floor {
				want.apply(t, entry{update: u})
				last = seq
			}
		}
		if !told {
			q.since(floor)
		}
		entries, lost := q.take()
		if lost {
			t.Fatal("lost")
		}
		got := newMirror()
		reached := uint64(0)
		for _, e := range entries {
			if e.seq < reached {
				t.Fatalf("sequence %d after %d", e.seq, reached)
			}
			reached = max(reached, e.seq)
			got.apply(t, e)
		}
		if len(entries) > 0 && last > 0 && reached < last {
			t.Fatalf("told up to %d of %d", reached, last)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
	})
}

func TestQueueKeepsRecoveredAfterAnswer(t *testing.T) {
	t.Parallel()
	q := newQueue(10)
	q.open()
	q.since(0)
	q.update(1, contract.Recovered{Framework: "f", Agent: "a", Resources: cpus(1)})
	q.answer([]contract.Answer{{ID: 7, OfferID: "o"}})
	q.update(2, contract.Recovered{Framework: "f", Agent: "a", Resources: cpus(2)})
	q.update(3, contract.Recovered{Framework: "f", Agent: "a", Resources: cpus(2)})
	entries, _ := q.take()
	if len(entries) != 3 || entries[1].answers == nil || entries[2].seq != 3 || entries[2].update.(contract.Recovered).Resources.String() != cpus(4).String() {
		t.Errorf("%+v", entries)
	}
}

func TestQueueBound(t *testing.T) {
	t.Parallel()
	q := newQueue(2)
	q.update(1, contract.AgentRemoved{ID: "a"}) // nobody listens
	q.open()
	for i := range 3 {
		q.update(uint64(i+1), contract.AgentRemoved{ID: "a"})
	}
	q.answer([]contract.Answer{{ID: 1}})
	if entries, lost := q.take(); !lost || len(entries) != 0 {
		t.Errorf("%v, %v", entries, lost)
	}
	q.open()
	q.update(4, contract.AgentRemoved{ID: "a"})
	if entries, lost := q.take(); lost || len(entries) != 1 {
		t.Errorf("%v, %v", entries, lost)
	}
}
