package allocator_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// books are kept beside the allocator under test, as a master keeps them.
type books struct {
	total map[string]resource.Resources
	uses  map[[2]string]resource.Resources // by agent and framework
	open  []proposal                       // without an answer
	lives map[string]int                   // of an agent, how often it was added
}

type proposal struct {
	allocator.Allocation
	life int // of the agent
}

// free is what nobody has of the agent; ok is false when more is used than there is.
func (b *books) free(agent string) (resource.Resources, bool) {
	free := b.total[agent]
	for key, use := range b.uses {
		if key[0] != agent {
			continue
		}
		left, err := free.Sub(use.Unallocate())
		if err != nil {
			return resource.Resources{}, false
		}
		free = left
	}
	return free, true
}

// Whatever happens, what a Cycler offers is free by the books of who watches it, in one cycle after the
// other, and in the end everything can be given back.
func TestOffersAreCovered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := &books{total: map[string]resource.Resources{}, uses: map[[2]string]resource.Resources{}, lives: map[string]int{}}
		a := allocator.FromCycler(cycle(offerAll), allocator.DefaultInterval)
		now := start
		update := func(us ...allocator.Update) {
			if err := a.Update(now, us); err != nil {
				t.Fatal(err)
			}
		}
		update(scheduler("f1"), scheduler("f2", func(f *allocator.Framework) { f.Roles = []string{"dev", "ops"} }))
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			agent := rapid.SampledFrom([]string{"a1", "a2", "a3"}).Draw(t, "agent")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				if _, known := b.total[agent]; known {
					update(allocator.AgentRemoved{ID: agent})
					delete(b.total, agent)
					maps.DeleteFunc(b.uses, func(k [2]string, _ resource.Resources) bool { return k[0] == agent })
				}
				b.lives[agent]++
				b.total[agent] = parse(t, rapid.SampledFrom([]string{"cpus:4;mem:64", "cpus:8;cpus(dev):1;ports:[1-9]"}).Draw(t, "total"))
				update(allocator.AgentAdded{Agent: allocator.Agent{ID: agent, Active: true, Total: b.total[agent]}})
			case 1, 2:
				now = now.Add(time.Second)
				proposed, _, err := a.Allocate(context.Background(), now, rapid.IntRange(1, 4).Draw(t, "limit"))
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range proposed {
					if free, ok := b.free(p.Agent); !ok || !free.Contains(p.Resources) || p.Resources.IsEmpty() {
						t.Fatalf("%s offered of %s, where %s is free", p.Resources, p.Agent, free)
					}
					b.take(t, p)
				}
			case 3:
				b.answer(t, a, now, rapid.Bool().Draw(t, "accept"))
			case 4:
				b.giveBack(t, update, rapid.IntRange(0, 1).Draw(t, "filter") == 1)
			case 5:
				update(allocator.Revived{Framework: "f1"}, allocator.Requested{})
			}
		}
		for len(b.open) > 0 {
			b.answer(t, a, now, true)
		}
		for len(b.uses) > 0 {
			b.giveBack(t, update, false)
		}
	})
}

func (b *books) take(t *rapid.T, p allocator.Allocation) {
	key := [2]string{p.Agent, p.Framework}
	sum, err := b.uses[key].Add(p.Resources.Allocate(p.Role))
	if err != nil {
		t.Fatal(err)
	}
	b.uses[key] = sum
	b.open = append(b.open, proposal{p, b.lives[p.Agent]})
}

func (b *books) release(t *rapid.T, agent, framework string, r resource.Resources) {
	key := [2]string{agent, framework}
	left, err := b.uses[key].Sub(r)
	if err != nil {
		t.Fatal(err)
	}
	b.uses[key] = left
	if left.IsEmpty() {
		delete(b.uses, key)
	}
}

// answer answers the oldest proposal. One of an agent that has gone since is refused.
func (b *books) answer(t *rapid.T, a allocator.Allocator, now time.Time, accept bool) {
	if len(b.open) == 0 {
		return
	}
	p := b.open[0]
	b.open = b.open[1:]
	gone := p.life != b.lives[p.Agent]
	answer := allocator.Answer{ID: p.ID, OfferID: "o"}
	if gone || !accept {
		answer = allocator.Answer{ID: p.ID, Refused: "no"}
	}
	if err := a.Answer(now, []allocator.Answer{answer}); err != nil {
		t.Fatal(err)
	}
	if !gone && !accept {
		b.release(t, p.Agent, p.Framework, p.Resources.Allocate(p.Role))
	}
}

// giveBack recovers one use, of which no proposal is open.
func (b *books) giveBack(t *rapid.T, update func(...allocator.Update), filtered bool) {
	keys := slices.SortedFunc(maps.Keys(b.uses), func(x, y [2]string) int { return slices.Compare(x[:], y[:]) })
	for _, key := range keys {
		if slices.ContainsFunc(b.open, func(p proposal) bool { return p.life == b.lives[p.Agent] && p.Agent == key[0] && p.Framework == key[1] }) {
			continue
		}
		u := allocator.Recovered{Framework: key[1], Agent: key[0], Resources: b.uses[key]}
		if filtered {
			u.Filter = &allocator.Filter{Refuse: 2 * time.Second}
		}
		update(u)
		delete(b.uses, key)
		return
	}
}
