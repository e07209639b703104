package allocator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

var start = time.Unix(1_000_000, 0)

func parse(t interface{ Fatal(...any) }, text string) resource.Resources {
	r, err := resource.Parse(text, "*")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// cycle is a Cycler as a function.
type cycle func(allocator.Cycle) ([]allocator.Offer, error)

func (c cycle) Allocate(_ context.Context, in allocator.Cycle) ([]allocator.Offer, error) {
	return c(in)
}

func offerAll(in allocator.Cycle) ([]allocator.Offer, error) { return in.OfferAll(in.Agents), nil }

// world drives an Allocator through time.
type world struct {
	t   *testing.T
	a   allocator.Allocator
	now time.Time
}

func newWorld(t *testing.T, c cycle, us ...allocator.Update) *world {
	t.Helper()
	w := &world{t: t, a: allocator.FromCycler(c, allocator.DefaultInterval), now: start}
	w.a.Reset()
	w.update(us...)
	return w
}

func (w *world) update(us ...allocator.Update) {
	w.t.Helper()
	if err := w.a.Update(w.now, us); err != nil {
		w.t.Fatal(err)
	}
}

// next is what is proposed an interval later.
func (w *world) next() []allocator.Allocation {
	w.t.Helper()
	w.now = w.now.Add(allocator.DefaultInterval)
	out, _, err := w.a.Allocate(context.Background(), w.now, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// expect compares what is proposed with lines such as "f1/dev a1 cpus:1".
func (w *world) expect(want ...string) []allocator.Allocation {
	w.t.Helper()
	out := w.next()
	var got []string
	for _, a := range out {
		got = append(got, fmt.Sprintf("%s/%s %s %s", a.Framework, a.Role, a.Agent, a.Resources))
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("proposed %q\nwant     %q", got, want)
	}
	return out
}

func agent(t *testing.T, id, total string, change ...func(*allocator.Agent)) allocator.AgentAdded {
	a := allocator.Agent{ID: id, Hostname: id, Total: parse(t, total), Active: true}
	for _, c := range change {
		c(&a)
	}
	return allocator.AgentAdded{Agent: a}
}

func scheduler(id string, change ...func(*allocator.Framework)) allocator.FrameworkAdded {
	f := allocator.Framework{ID: id, Roles: []string{"dev"}, Active: true}
	for _, c := range change {
		c(&f)
	}
	return allocator.FrameworkAdded{Framework: f}
}

func TestOfferAllSharesFairly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, offerAll, scheduler("f1"), scheduler("f2"),
		agent(t, "a1", "cpus:4;mem:64"), agent(t, "a2", "cpus:4;mem:64"), agent(t, "a3", "cpus:2;mem:64"))
	w.expect("f1/dev a1 cpus:4; mem:64", "f2/dev a2 cpus:4; mem:64", "f1/dev a3 cpus:2; mem:64")
	w.expect()
}

func TestOfferAllHeedsWeights(t *testing.T) {
	t.Parallel()
	prod := func(f *allocator.Framework) { f.Roles = []string{"prod"} }
	w := newWorld(t, offerAll, allocator.WeightsChanged{Weights: map[string]float64{"prod": 2}}, scheduler("f1"), scheduler("f2", prod),
		agent(t, "a1", "cpus:1;mem:64"), agent(t, "a2", "cpus:1;mem:64"), agent(t, "a3", "cpus:1;mem:64"))
	w.expect("f1/dev a1 cpus:1; mem:64", "f2/prod a2 cpus:1; mem:64", "f2/prod a3 cpus:1; mem:64")
}

// What keeps an offer from being made, and what the allocator says about it.
func TestEligibility(t *testing.T) {
	t.Parallel()
	everything := agent(t, "a", "cpus:4;mem:64")
	q := func(text string) []resource.Quantities {
		x, err := resource.ParseQuantities(text)
		if err != nil {
			t.Fatal(err)
		}
		return []resource.Quantities{x}
	}
	constraint, err := allocator.NewConstraint(allocator.SelectHostname, "", allocator.TextEquals, "other")
	if err != nil {
		t.Fatal(err)
	}
	limits, err := resource.NewLimits(resource.NamedLimit{Name: "cpus", Limit: resource.Finite(0)}, resource.NamedLimit{Name: "mem", Limit: resource.Finite(0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		agent allocator.AgentAdded
		f     func(*allocator.Framework)
		more  []allocator.Update
		offer string
		code  allocator.ReasonCode
	}{
		{name: "nothing against it", agent: everything, offer: "cpus:4; mem:64", code: allocator.ReasonNothingFree},
		{name: "suppressed", agent: everything, f: func(f *allocator.Framework) { f.Suppressed = f.Roles }, code: allocator.ReasonSuppressed},
		{name: "inactive", agent: everything, f: func(f *allocator.Framework) { f.Active = false }, code: allocator.ReasonInactive},
		{name: "inactive agent", agent: agent(t, "a", "cpus:4", func(a *allocator.Agent) { a.Active = false }), code: allocator.ReasonAgentInactive},
		{name: "another region", agent: agent(t, "a", "cpus:4", func(a *allocator.Agent) { a.Remote = true }), code: allocator.ReasonRegion},
		{name: "another region, known", agent: agent(t, "a", "cpus:4", func(a *allocator.Agent) { a.Remote = true }),
			f: func(f *allocator.Framework) { f.Capabilities.RegionAware = true }, offer: "cpus:4", code: allocator.ReasonNothingFree},
		{name: "GPUs", agent: agent(t, "a", "cpus:4;gpus:1"), code: allocator.ReasonCapability},
		{name: "GPUs, known", agent: agent(t, "a", "cpus:4;gpus:1"), f: func(f *allocator.Framework) { f.Capabilities.GPUResources = true },
			offer: "cpus:4; gpus:1", code: allocator.ReasonNothingFree},
		{name: "constraint", agent: everything, f: func(f *allocator.Framework) {
			f.Constraints = map[string]allocator.RoleConstraints{"dev": {Groups: []allocator.ConstraintGroup{{Constraints: []allocator.Constraint{constraint}}}}}
		}, code: allocator.ReasonConstraint},
		{name: "reserved for another role", agent: agent(t, "a", "cpus(prod):4"), code: allocator.ReasonReserved},
		{name: "reserved for the role", agent: agent(t, "a", "cpus(dev):4;cpus(prod):1"),
			offer: "cpus(reservations: [(STATIC,dev)]):4", code: allocator.ReasonReserved},
		{name: "too small", agent: agent(t, "a", "cpus:0.009;mem:31;disk:1000"), code: allocator.ReasonTooSmall},
		{name: "small enough for the framework", agent: agent(t, "a", "disk:1000"), f: func(f *allocator.Framework) {
			f.MinAllocatable = map[string][]resource.Quantities{"dev": q("disk:1")}
		}, offer: "disk:1000", code: allocator.ReasonNothingFree},
		{name: "too small for the framework", agent: everything, f: func(f *allocator.Framework) {
			f.MinAllocatable = map[string][]resource.Quantities{"dev": q("cpus:8")}
		}, code: allocator.ReasonTooSmall},
		{name: "anything goes", agent: agent(t, "a", "disk:1"), f: func(f *allocator.Framework) {
			f.MinAllocatable = map[string][]resource.Quantities{"dev": nil}
		}, offer: "disk:1", code: allocator.ReasonNothingFree},
		{name: "quota", agent: everything, more: []allocator.Update{allocator.QuotaChanged{Quotas: map[string]allocator.Quota{"dev": {Limits: limits}}}},
			code: allocator.ReasonQuotaLimit},
		{name: "nothing free", agent: everything, more: []allocator.Update{
			allocator.Allocated{Framework: "x", Agent: "a", Resources: parse(t, "cpus:4;mem:64").Allocate("dev")}}, code: allocator.ReasonNothingFree},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.f == nil {
				c.f = func(*allocator.Framework) {}
			}
			w := newWorld(t, offerAll, append([]allocator.Update{scheduler("f", c.f), c.agent}, c.more...)...)
			if c.offer == "" {
				w.expect()
			} else {
				w.expect("f/dev a " + c.offer)
			}
			e, err := w.a.Explain(w.now, "f")
			if err != nil || len(e.Reasons) != 1 || e.Reasons[0].Code != c.code || e.Reasons[0].Agents != 1 || e.Reasons[0].Text == "" {
				t.Errorf("explained %+v, %v; want %s", e, err, c.code)
			}
		})
	}
}

func TestExplainUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(allocator.Cycle) ([]allocator.Offer, error) { return nil, nil }, scheduler("f"))
	for framework, want := range map[string]allocator.ReasonCode{"x": allocator.ReasonUnknownFramework, "f": allocator.ReasonNoAgents} {
		if e, err := w.a.Explain(w.now, framework); err != nil || len(e.Reasons) != 1 || e.Reasons[0].Code != want {
			t.Errorf("explained %+v, %v", e, err)
		}
	}
	w.update(agent(t, "a", "cpus:1"))
	if e, err := w.a.Explain(w.now, "f"); err != nil || len(e.Reasons) != 1 || e.Reasons[0].Code != allocator.ReasonShare {
		t.Errorf("explained %+v, %v", e, err)
	}
}

func TestQuotaLimitsCutOffers(t *testing.T) {
	t.Parallel()
	limits, err := resource.NewLimits(resource.NamedLimit{Name: "cpus", Limit: resource.Finite(5000)})
	if err != nil {
		t.Fatal(err)
	}
	web := func(f *allocator.Framework) { f.Roles = []string{"eng/web"} }
	w := newWorld(t, offerAll, allocator.QuotaChanged{Quotas: map[string]allocator.Quota{"eng": {Limits: limits}}}, scheduler("f", web),
		agent(t, "a1", "cpus:2;mem:64"), agent(t, "a2", "cpus(eng):1;mem:64"), agent(t, "a3", "cpus:8;mem:64"), agent(t, "a4", "cpus:8;mem:64"))
	// The reservation counts, allocated or not; what a limit says nothing about is offered all the same.
	w.expect("f/eng/web a1 cpus:2; mem:64", "f/eng/web a2 cpus(reservations: [(STATIC,eng)]):1; mem:64",
		"f/eng/web a3 cpus:2; mem:64", "f/eng/web a4 mem:64")
}

func TestFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, offerAll, scheduler("f"), agent(t, "a", "cpus:4;mem:64"))
	decline := func(refuse time.Duration) {
		for _, a := range w.next() {
			w.update(allocator.Recovered{Framework: a.Framework, Agent: a.Agent, Resources: a.Resources.Allocate(a.Role), Filter: &allocator.Filter{Refuse: refuse}})
		}
	}
	whole := "f/dev a cpus:4; mem:64"
	decline(5 * time.Second)
	w.expect()
	if e, err := w.a.Explain(w.now, "f"); err != nil || e.Reasons[0].Code != allocator.ReasonFiltered || !e.Reasons[0].Until.Equal(start.Add(6*time.Second)) {
		t.Errorf("explained %+v, %v", e, err)
	}
	w.now = start.Add(5 * time.Second)
	w.expect(whole) // it has passed
	for name, clears := range map[string]allocator.Update{
		"revived":             allocator.Revived{Framework: "f"},
		"revived in the role": allocator.Revived{Framework: "f", Roles: []string{"dev"}},
		"attributes changed":  allocator.AgentChanged{Agent: agent(t, "a", "cpus:4;mem:64").Agent, ClearFilters: true},
	} {
		w = newWorld(t, offerAll, scheduler("f"), agent(t, "a", "cpus:4;mem:64"))
		decline(time.Hour)
		w.expect()
		w.update(allocator.Revived{Framework: "f", Roles: []string{"other"}})
		w.expect()
		w.update(clears)
		if t.Run(name, func(t *testing.T) { w.t = t; w.expect(whole) }); t.Failed() {
			return
		}
	}
	// More than was refused is another offer.
	w = newWorld(t, offerAll, scheduler("f"), agent(t, "a", "cpus:4;mem:64"))
	decline(time.Hour)
	w.update(allocator.AgentChanged{Agent: agent(t, "a", "cpus:5;mem:64").Agent})
	w.expect("f/dev a cpus:5; mem:64")
}

func TestSuppression(t *testing.T) {
	t.Parallel()
	suppressed := func(f *allocator.Framework) { f.Suppressed = []string{"dev"} }
	w := newWorld(t, offerAll, scheduler("f", suppressed), agent(t, "a", "cpus:1"))
	w.expect()
	w.update(allocator.Revived{Framework: "f"})
	w.expect("f/dev a cpus:1")
	w.update(allocator.FrameworkChanged{Framework: scheduler("f", suppressed).Framework}, agent(t, "b", "cpus:1"))
	w.expect()
	w.update(allocator.FrameworkChanged{Framework: scheduler("f").Framework})
	w.expect("f/dev b cpus:1")
	w.update(allocator.FrameworkRemoved{ID: "f"}, allocator.AgentRemoved{ID: "a"}, agent(t, "c", "cpus:1"))
	w.expect()
}

func TestRefusalGivesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, offerAll, scheduler("f"), agent(t, "a", "cpus:1"), agent(t, "b", "cpus:2"))
	out := w.expect("f/dev a cpus:1", "f/dev b cpus:2")
	answers := []allocator.Answer{{ID: out[0].ID, OfferID: "o"}, {ID: out[1].ID, Refused: "no"}}
	if err := w.a.Answer(w.now, answers); err != nil {
		t.Fatal(err)
	}
	again := w.expect("f/dev b cpus:2")
	if again[0].ID <= out[1].ID {
		t.Errorf("ids %d, %d", out[1].ID, again[0].ID)
	}
}

// A proposal that is accepted although its agent was gone for a moment counts; one that is refused does not.
func TestProposalOutlivesItsAgent(t *testing.T) {
	t.Parallel()
	for _, accepted := range []bool{true, false} {
		w := newWorld(t, offerAll, scheduler("f"), agent(t, "a", "cpus:1"))
		out := w.expect("f/dev a cpus:1")
		w.update(allocator.AgentRemoved{ID: "a"}, agent(t, "a", "cpus:1"))
		answer := allocator.Answer{ID: out[0].ID, Refused: "no"}
		if accepted {
			answer = allocator.Answer{ID: out[0].ID, OfferID: "o"}
		}
		if err := w.a.Answer(w.now, []allocator.Answer{answer}); err != nil {
			t.Fatal(err)
		}
		if accepted {
			w.expect()
			w.update(allocator.Recovered{Framework: "f", Agent: "a", Resources: out[0].Resources.Allocate("dev")})
		}
		w.expect("f/dev a cpus:1")
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, offerAll, scheduler("f"), agent(t, "a", "cpus:4;mem:64"))
	w.next()
	one, reserved := parse(t, "cpus:1").Allocate("dev"), parse(t, "cpus(dev):1").Allocate("dev")
	w.update(
		allocator.Converted{Framework: "f", Agent: "a", From: one, To: reserved},
		allocator.Recovered{Framework: "f", Agent: "a", Resources: reserved},
		allocator.Converted{Agent: "gone", From: one, To: reserved},
		allocator.Recovered{Framework: "f", Agent: "gone", Resources: one},
		allocator.Requested{Framework: "f"}, allocator.InverseAnswered{Framework: "f"},
	)
	w.expect("f/dev a cpus(reservations: [(STATIC,dev)]):1")
}

func TestLosesTrack(t *testing.T) {
	t.Parallel()
	one := parse(t, "cpus:1").Allocate("dev")
	for want, u := range map[string]allocator.Update{
		"does not have":         allocator.Recovered{Framework: "f", Agent: "a", Resources: one},
		"is not known":          allocator.Allocated{Framework: "f", Agent: "x", Resources: one},
		"changed, and is not":   allocator.AgentChanged{Agent: allocator.Agent{ID: "x"}},
		"operation on agent":    allocator.Converted{Framework: "f", Agent: "a", From: one, To: one},
		"operation on agent \"": allocator.Converted{Agent: "a", From: parse(t, "cpus:9"), To: one},
	} {
		w := newWorld(t, offerAll, scheduler("f"), agent(t, "a", "cpus:4"))
		if err := w.a.Update(w.now, []allocator.Update{u}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: %v", u, err)
		}
	}
}

func TestCyclerTiming(t *testing.T) {
	t.Parallel()
	cycles, failure := 0, error(nil)
	w := newWorld(t, func(in allocator.Cycle) ([]allocator.Offer, error) {
		cycles++
		return in.OfferAll(in.Agents), failure
	}, scheduler("f"), agent(t, "a1", "cpus:1"), agent(t, "a2", "cpus:1"), agent(t, "a3", "cpus:1"))
	allocate := func(limit int) (int, time.Duration, error) {
		out, next, err := w.a.Allocate(context.Background(), w.now, limit)
		return len(out), next.Sub(w.now), err
	}
	deferred := func() bool { return w.a.(allocator.Deferrer).Deferred() }
	// A cycle's offers come in as many parts as the limit makes, without another cycle.
	if n, _, err := allocate(2); n != 2 || err != nil || !deferred() {
		t.Errorf("first part: %d, %v", n, err)
	}
	if n, next, err := allocate(2); n != 1 || err != nil || cycles != 1 || deferred() || next != allocator.DefaultInterval {
		t.Errorf("second part: %d, %v; %d cycles, next in %s", n, err, cycles, next)
	}
	// Soon after a cycle there is no other, unless something changes, and then a little later.
	if n, next, err := allocate(2); n != 0 || err != nil || cycles != 1 || next != allocator.DefaultInterval {
		t.Errorf("nothing changed: %d, %v; %d cycles, next in %s", n, err, cycles, next)
	}
	w.update(agent(t, "a4", "cpus:1"))
	n, next, err := allocate(2)
	if n != 0 || err != nil || cycles != 1 || next >= allocator.DefaultInterval/2 || !deferred() {
		t.Errorf("something changed: %d, %v; %d cycles, next in %s", n, err, cycles, next)
	}
	w.now = w.now.Add(next)
	failure = errors.New("no idea")
	if _, _, err := allocate(2); !errors.Is(err, failure) || cycles != 2 {
		t.Errorf("a failure: %v, %d cycles", err, cycles)
	}
}

// What was decided upon and has gone since is not proposed.
func TestStaleRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, offerAll, scheduler("f"), agent(t, "a1", "cpus:1"), agent(t, "a2", "cpus:1"), agent(t, "a3", "cpus:1"))
	out, _, err := w.a.Allocate(context.Background(), w.now, 1)
	if err != nil || len(out) != 1 {
		t.Fatalf("%v, %v", out, err)
	}
	w.update(allocator.AgentRemoved{ID: "a2"}, allocator.Allocated{Framework: "x", Agent: "a3", Resources: parse(t, "cpus:1").Allocate("dev")})
	if out, _, err = w.a.Allocate(context.Background(), w.now, 5); err != nil || len(out) != 0 {
		t.Errorf("%v, %v", out, err)
	}
}

func TestCycleView(t *testing.T) {
	t.Parallel()
	var seen allocator.Cycle
	w := newWorld(t, func(in allocator.Cycle) ([]allocator.Offer, error) {
		seen = in
		return nil, nil
	}, scheduler("f1"), scheduler("f2"),
		allocator.AgentAdded{Agent: agent(t, "b", "cpus:4;mem:100").Agent, Uses: []allocator.Use{
			{Framework: "f1", Resources: parse(t, "cpus:1;mem:75").Allocate("dev")}}},
		agent(t, "a", "cpus:4;mem:100"), agent(t, "full", ""), agent(t, "off", "cpus:1", func(a *allocator.Agent) { a.Active = false }))
	w.next()
	if len(seen.Agents) != 2 || seen.Agents[0].ID != "a" || seen.Agents[0].Used != 0 || seen.Agents[1].Used != 0.75 || seen.Agents[1].Free.String() != "cpus:3; mem:25" {
		t.Errorf("agents %+v", seen.Agents)
	}
	if len(seen.Frameworks) != 2 || seen.Frameworks[0].ID != "f2" || seen.Frameworks[1].Share != 0.375 {
		t.Errorf("frameworks %+v", seen.Frameworks)
	}
	if !seen.Take(allocator.Offer{Framework: "f2", Role: "dev", Agent: "b", Resources: parse(t, "cpus:2")}) ||
		seen.Take(allocator.Offer{Framework: "f2", Role: "dev", Agent: "b", Resources: parse(t, "cpus:2")}) {
		t.Error("an agent of 3 free cpus has to have 2 once")
	}
	if r := seen.Offerable("b", "f2", "dev"); r.String() != "cpus:1; mem:25" {
		t.Errorf("left %s", r)
	}
	if r := seen.Offerable("x", "f2", "dev"); !r.IsEmpty() {
		t.Errorf("of an agent that is not there: %s", r)
	}
}

// picky is a Cycler with something of its own against agents.
type picky struct{ cycle }

var _ allocator.Explainer = picky{}

func (picky) Explain(_ allocator.Cycle, a allocator.CycleAgent, f allocator.CycleFramework) (allocator.ReasonCode, string) {
	if a.ID == "a2" && f.Role == "dev" {
		return "too_full", "The agent is fuller than max_used"
	}
	return "", ""
}

// What a Cycler has against an agent is part of the explanation, beside what all have in common.
func TestCyclerExplains(t *testing.T) {
	t.Parallel()
	both := func(f *allocator.Framework) { f.Roles = []string{"dev", "ops"}; f.Suppressed = []string{"ops"} }
	a := allocator.FromCycler(picky{offerAll}, allocator.DefaultInterval)
	a.Reset()
	if err := a.Update(start, []allocator.Update{
		scheduler("f1", both), agent(t, "a1", "cpus:4;mem:64"), agent(t, "a2", "cpus:4;mem:64"), agent(t, "a3", "cpus:4;mem:64"),
		agent(t, "a4", "cpus:4;mem:64", func(a *allocator.Agent) { a.Active = false }),
	}); err != nil {
		t.Fatal(err)
	}
	e, err := a.Explain(start, "f1")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range e.Reasons {
		got = append(got, fmt.Sprintf("%s %d %s", r.Code, r.Agents, r.Text))
	}
	want := []string{
		`suppressed 4 The framework has suppressed offers (role "ops", agents: 4)`,
		`share 2 Something is free, and the allocator has not chosen the framework for it (role "dev", agents: 2)`,
		`agent_inactive 1 The agent is not active (role "dev", agents: 1)`,
		`too_full 1 The agent is fuller than max_used (role "dev", agents: 1)`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
