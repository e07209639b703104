package allocator

import (
	"context"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Allocator decides by following events. All calls are made one after the other, so an implementation
// needs neither locks nor goroutines, and it gets the time with the calls. What a call is given may be
// kept but not changed.
//
// An error of Update or Answer means that the allocator no longer knows the cluster: it is told of all of it
// again, beginning with Reset.
type Allocator interface {
	// Reset forgets the cluster; it is the first call, and may come again at any time. The updates that follow
	// tell of all of it, in an order in which they can be applied: weights and quota, frameworks, agents with
	// their uses. They come as the host encodes them, in many calls of Update, and Allocate is not called before
	// the last of them.
	//
	// Allocations that are not answered yet are void, and their ids are not used again: those that the host
	// accepts all the same come back as Allocated. Something else may have been proposed of the same resources
	// by then, and is refused later. So what is free is best reckoned anew, as the agent's Total less what is
	// used and less what is proposed; an amount that is added to and taken from, and never falls below nothing,
	// comes out too high.
	Reset()
	// Update applies what happened, in order.
	Update(now time.Time, updates []Update) error
	// Answer tells what became of allocations, in the order in which they were proposed.
	Answer(now time.Time, answers []Answer) error
	// Allocate proposes at most max allocations. It is called soon after any of the above, again at once
	// when it returned max allocations, and at next at the latest; a zero next means not before something
	// happens. What it proposes counts as allocated from here on, and is free again when an Answer refuses
	// it. A proposal has no Resources which carry an allocation role: Allocation.Role says it.
	//
	// ctx ends with the host's stream, when the host is gone or the plugin drains. Whoever takes 30 s and longer
	// is shown as having a problem.
	Allocate(ctx context.Context, now time.Time, max int) (proposed []Allocation, next time.Time, err error)
	// Explain says why the framework is not offered (more).
	Explain(now time.Time, framework string) (Explanation, error)
}

// InverseOfferer is an Allocator that also asks frameworks to leave machines with planned maintenance.
// InverseOffers is called after Allocate, under the same rules. An ID is never that of an Allocation, too. Masters of this
// release plan no maintenance, and refuse every inverse offer.
type InverseOfferer interface {
	InverseOffers(ctx context.Context, now time.Time, max int) ([]InverseOffer, error)
}

// Deferrer is an Allocator that does not consider all that happened at each Allocate. While Deferred is
// true, the host is not told that it has; next is to be soon then.
type Deferrer interface{ Deferred() bool }

// Allocation is a proposal: these resources of the agent, to be offered to the framework in that role.
type Allocation struct {
	// ID is the plugin's choice. It grows with every proposal, and an Answer names it.
	ID        uint64
	Framework string
	Role      string
	Agent     string
	// Resources are part of what is free on the agent, allocated to nobody.
	Resources resource.Resources
}

// InverseOffer is a proposal to ask for an agent, or some of its resources, back.
type InverseOffer struct {
	ID        uint64 // as that of an Allocation
	Framework string
	Agent     string
	// Resources is empty for the whole agent.
	Resources      resource.Resources
	Unavailability Unavailability
}

// Answer is what the host made of an Allocation.
type Answer struct {
	ID uint64
	// OfferID is the offer that was made of it. Empty when it was refused.
	OfferID string
	// Refused is why no offer was made, in words for a log. Empty when it was accepted.
	Refused string
}

// Accepted tells whether an offer was made.
func (a Answer) Accepted() bool { return a.Refused == "" }

// Explanation is an allocator's account of why a framework was not offered more.
type Explanation struct {
	Framework string
	// Reasons are sorted by what weighs most. None means that nothing stands in the way.
	Reasons []Reason
}

// Reason is one thing that stands between a framework and an offer.
type Reason struct {
	Code ReasonCode
	Role string // empty when it is true of all its roles
	// Agent is the one agent that the reason is about; empty when it is about several or about none.
	Agent string
	// Agents is how many agents it keeps away.
	Agents int
	// Until is when it passes by itself; zero when it does not.
	Until time.Time
	// Text is for people: one sentence, with the figures.
	Text string
}

// ReasonCode names a kind of reason. Programs compare it, so it is stable; a plugin may have its own.
type ReasonCode string

// The reasons that allocators have in common.
const (
	ReasonUnknownFramework ReasonCode = "unknown_framework"
	ReasonInactive         ReasonCode = "framework_inactive"
	ReasonSuppressed       ReasonCode = "suppressed"
	ReasonFiltered         ReasonCode = "filtered"
	ReasonQuotaLimit       ReasonCode = "quota_limit"
	ReasonQuotaHeadroom    ReasonCode = "quota_headroom" // held back for another role's guarantee
	ReasonShare            ReasonCode = "share"          // others are served first
	ReasonCapability       ReasonCode = "capability"
	ReasonRegion           ReasonCode = "region"
	ReasonConstraint       ReasonCode = "constraint"
	ReasonTooSmall         ReasonCode = "too_small" // what is left is below the least worth an offer
	ReasonReserved         ReasonCode = "reserved"  // what is left is reserved for other roles
	ReasonNothingFree      ReasonCode = "nothing_free"
	ReasonNoAgents         ReasonCode = "no_agents"
	ReasonAgentInactive    ReasonCode = "agent_inactive"
	ReasonPaused           ReasonCode = "paused" // the allocator waits for agents after a failover
)
