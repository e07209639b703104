package drf

import (
	"context"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// propose lets an interval pass and leaves what is proposed without an answer.
func (w *world) propose() []allocator.Allocation {
	w.Helper()
	w.now = w.now.Add(time.Second)
	proposed, _, err := w.a.Allocate(context.Background(), w.now, 100)
	if err != nil {
		w.Fatal(err)
	}
	return proposed
}

func (w *world) answer(answers ...allocator.Answer) {
	w.Helper()
	if err := w.a.Answer(w.now, answers); err != nil {
		w.Fatal(err)
	}
}

func (w *world) expectFree(agent, want string) {
	w.Helper()
	if free, known := w.a.Available(agent); !known || !free.Equal(parse(w, want)) {
		w.Fatalf("agent %s: %s is free, known: %t; want %s", agent, free, known, want)
	}
}

// pending proposes all of the only agent to the only framework.
func (w *world) pending() allocator.Allocation {
	w.Helper()
	proposed := w.propose()
	if len(proposed) != 1 {
		w.Fatalf("proposed %v", proposed)
	}
	return proposed[0]
}

const wholeAgent = "cpus:4;mem:1024;ports:[1-9]"

// A proposal that is accepted although its agent was gone for a moment counts, and is not made a second time.
func TestProposalOutlivesItsAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", wholeAgent)
	p := w.pending()
	w.update(allocator.AgentRemoved{ID: "x"})
	w.agent("x", wholeAgent)
	if again := w.propose(); len(again) != 0 {
		t.Fatalf("proposed %v although that may be accepted yet", again)
	}
	w.answer(allocator.Answer{ID: p.ID, OfferID: "o"})
	w.expectFree("x", "")
	w.update(allocator.Recovered{Framework: "f", Agent: "x", Resources: p.Resources.Allocate("a")})
	w.expectFree("x", wholeAgent)
}

// One that is refused is free again, and so is one whose agent never comes back.
func TestProposalOfAnAgentThatIsGoneIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", wholeAgent)
	p := w.pending()
	w.update(allocator.AgentRemoved{ID: "x"})
	w.agent("x", wholeAgent)
	w.answer(allocator.Answer{ID: p.ID, Refused: "no"})
	w.expectFree("x", wholeAgent)

	w.now = w.now.Add(time.Minute)
	p = w.pending()
	w.update(allocator.AgentRemoved{ID: "x"})
	w.answer(allocator.Answer{ID: p.ID, Refused: "the agent is not registered"})
	if len(w.a.orphans) != 0 || len(w.a.proposed) != 0 {
		t.Fatalf("%d orphans and %d proposals are kept", len(w.a.orphans), len(w.a.proposed))
	}
}

// An agent that comes back with other work on it has no room for what was proposed; when it has again, and the host
// accepts, it counts.
func TestProposalThatDoesNotFitAnyMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", wholeAgent)
	p := w.pending()
	w.update(allocator.AgentRemoved{ID: "x"})
	work := parse(t, "cpus:4;ports:[1-3]").Allocate("a")
	w.update(allocator.AgentAdded{
		Agent: allocator.Agent{
			ID: "x", Total: parse(t, wholeAgent), Active: true, Capabilities: allocator.AgentCapabilities{MultiRole: true},
		},
		Uses: []allocator.Use{{Framework: "f", Resources: work}},
	})
	w.expectFree("x", "mem:1024;ports:[4-9]")
	w.update(allocator.Recovered{Framework: "f", Agent: "x", Resources: work})
	w.answer(allocator.Answer{ID: p.ID, OfferID: "o"})
	w.expectFree("x", "")
}

// What the host says is somebody's was not there to be proposed: whatever becomes of such a proposal, the books stay
// true, ports too.
func TestAllocatedBesideAProposal(t *testing.T) {
	t.Parallel()
	for _, accepted := range []bool{true, false} {
		w := newWorld(t)
		w.framework("f", "a")
		w.agent("x", wholeAgent)
		p := w.pending()
		taken := parse(t, "cpus:1;ports:[1-2]").Allocate("a")
		w.update(allocator.Allocated{Framework: "f", Agent: "x", Resources: taken})
		w.expectFree("x", "cpus:3;mem:1024;ports:[3-9]")
		if !accepted {
			w.answer(allocator.Answer{ID: p.ID, Refused: "resources are not free"})
			w.expectFree("x", "cpus:3;mem:1024;ports:[3-9]")
			continue
		}
		w.update(allocator.Recovered{Framework: "f", Agent: "x", Resources: taken})
		w.answer(allocator.Answer{ID: p.ID, OfferID: "o"})
		w.expectFree("x", "")
	}
}
