package drf

import (
	"fmt"
	"slices"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// The host judges a proposal against what there is when it comes. What it tells meanwhile may leave a proposal
// without its place in the books: its agent goes, or what was proposed turns out to be somebody's already. Such a
// proposal is uncounted. It is most likely refused; but the agent may be back, or the resources free again.

// proposalsOn are the proposals on an agent that are counted, in the order they were made.
func (a *Allocator) proposalsOn(ag *agent) []uint64 {
	var ids []uint64
	for id, p := range a.proposed {
		if p.agent == ag && !p.uncounted {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// orphan uncounts the proposals of an agent that goes; its uses have been freed. They are remembered, should it be
// back before they are answered.
func (a *Allocator) orphan(ag *agent) {
	for _, id := range a.proposalsOn(ag) {
		p := a.proposed[id]
		p.uncounted = true
		a.proposed[id] = p
		a.orphans[ag.ID] = append(a.orphans[ag.ID], id)
	}
}

// adopt counts the proposals of an agent that is back, as far as they fit what it has now.
func (a *Allocator) adopt(ag *agent) error {
	ids := a.orphans[ag.ID]
	delete(a.orphans, ag.ID)
	for _, id := range ids {
		if p, open := a.proposed[id]; open && ag.available().Contains(p.resources) {
			if err := a.count(ag, id, p); err != nil {
				return err
			}
			a.proposed[id] = proposal{agent: ag, client: a.client(p.client.framework.ID, p.client.role), resources: p.resources}
		}
	}
	return nil
}

// count counts a proposal that was uncounted.
func (a *Allocator) count(ag *agent, id uint64, p proposal) error {
	if err := a.grant(ag, a.client(p.client.framework.ID, p.client.role), p.resources); err != nil {
		return fmt.Errorf("count allocation %d on agent %s: %w", id, ag.ID, err)
	}
	return nil
}

// yield makes room for resources that the host says are somebody's, by uncounting proposals, the latest first.
func (a *Allocator) yield(ag *agent, r resource.Resources) error {
	if len(a.proposed) == 0 || ag.available().Contains(r) {
		return nil
	}
	for _, id := range slices.Backward(a.proposalsOn(ag)) {
		p := a.proposed[id]
		if err := a.free(ag, p.client, p.resources); err != nil {
			return fmt.Errorf("uncount allocation %d: %w", id, err)
		}
		a.drop(p.client)
		p.uncounted = true
		a.proposed[id] = p
		if ag.available().Contains(r) {
			return nil
		}
	}
	return nil
}

// answerUncounted deals with the answer to an uncounted proposal: if it was accepted all the same, its agent is
// there, with room for it.
func (a *Allocator) answerUncounted(p proposal, answer allocator.Answer) error {
	agent := p.agent.ID
	if rest := slices.DeleteFunc(a.orphans[agent], func(x uint64) bool { return x == answer.ID }); len(rest) > 0 {
		a.orphans[agent] = rest
	} else {
		delete(a.orphans, agent)
	}
	ag := a.agents[agent]
	if !answer.Accepted() || ag == nil {
		return nil
	}
	if err := a.yield(ag, p.resources); err != nil {
		return err
	}
	return a.count(ag, answer.ID, p)
}
