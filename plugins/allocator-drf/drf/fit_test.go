package drf

import (
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

const refinedJSON = `[{"name":"cpus","type":"SCALAR","scalar":{"value":2},
	"reservations":[{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a/b"}]},
	{"name":"cpus","type":"SCALAR","scalar":{"value":1}},{"name":"mem","type":"SCALAR","scalar":{"value":64}}]`

const revocableJSON = `[{"name":"cpus","type":"SCALAR","scalar":{"value":2},"revocable":{}},
	{"name":"mem","type":"SCALAR","scalar":{"value":64}}]`

const sharedJSON = `[{"name":"disk","type":"SCALAR","scalar":{"value":10},"disk":{"persistence":{"id":"v"}},"shared":{},"role":"a"},
	{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]`

// TestWhatIsOffered has one agent and one framework in role a/b.
func TestWhatIsOffered(t *testing.T) {
	t.Parallel()
	hostname := func(name string) map[string]allocator.RoleConstraints {
		c, err := allocator.NewConstraint(allocator.SelectHostname, "", allocator.TextEquals, name)
		if err != nil {
			t.Fatal(err)
		}
		return map[string]allocator.RoleConstraints{"a/b": {Groups: []allocator.ConstraintGroup{{Constraints: []allocator.Constraint{c}}}}}
	}
	minimum := func(sets ...string) map[string][]resource.Quantities {
		var parsed []resource.Quantities
		for _, text := range sets {
			q, err := resource.ParseQuantities(text)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, q)
		}
		return map[string][]resource.Quantities{"a/b": parsed}
	}
	for _, tc := range []struct {
		name      string
		total     string
		agent     func(*allocator.Agent)
		framework func(*allocator.Framework)
		want      string // empty for nothing
		reason    allocator.ReasonCode
	}{
		{name: "all", total: "cpus:1;mem:64;ports:[1-9]", want: "cpus:1; mem:64; ports:[1-9]"},
		{
			name: "reserved for it and above", total: "cpus(a):1;cpus(a/b):2;mem(a/c):64;mem(c):64",
			want: "cpus(reservations: [(STATIC,a)]):1; cpus(reservations: [(STATIC,a/b)]):2",
		},
		{name: "reserved for others, but for what is worth nothing", total: "cpus(a/b/c):1;mem(c):64;ports:[1-9]", reason: allocator.ReasonReserved},
		{name: "too little, reserved for others too", total: "cpus(c):0.001;ports:[1-9]", reason: allocator.ReasonTooSmall},
		{name: "reserved for others", total: "cpus(a/b/c):1;mem(c):64", reason: allocator.ReasonReserved},
		{name: "too small", total: "cpus:0.001;mem:31;disk:1000", reason: allocator.ReasonTooSmall},
		{name: "cpus alone", total: "cpus:0.01;disk:1", want: "cpus:0.01; disk:1"},
		{name: "mem alone", total: "mem:32", want: "mem:32"},
		{
			name: "its own minimum", total: "cpus:4;mem:64", reason: allocator.ReasonTooSmall,
			framework: func(f *allocator.Framework) { f.MinAllocatable = minimum("cpus:8", "cpus:4;mem:65") },
		},
		{
			name: "its own minimum of ports", total: "cpus:0.001;ports:[1-3,5-6]", want: "cpus:0.001; ports:[1-3,5-6]",
			framework: func(f *allocator.Framework) { f.MinAllocatable = minimum("cpus:8", "ports:5") },
		},
		{
			name: "anything", total: "disk:1", want: "disk:1",
			framework: func(f *allocator.Framework) { f.MinAllocatable = minimum() },
		},
		{name: "gpu agent", total: "cpus:1;mem:64;gpus:1", reason: allocator.ReasonCapability},
		{
			name: "gpu agent and framework", total: "cpus:1;mem:64;gpus:1", want: "cpus:1; gpus:1; mem:64",
			framework: func(f *allocator.Framework) { f.Capabilities.GPUResources = true },
		},
		{name: "revocable", total: revocableJSON, want: "mem:64"},
		{
			name: "revocable with capability", total: revocableJSON, want: "cpus{REV}:2; mem:64",
			framework: func(f *allocator.Framework) { f.Capabilities.RevocableResources = true },
		},
		{
			name: "refined", total: refinedJSON, want: "cpus:1; cpus(reservations: [(STATIC,a),(DYNAMIC,a/b)]):2; mem:64",
		},
		{
			name: "refined without capability", total: refinedJSON, want: "cpus:1; mem:64",
			framework: func(f *allocator.Framework) { f.Capabilities.ReservationRefinement = false },
		},
		{name: "shared without capability", total: sharedJSON, want: "cpus:1"},
		{
			name: "shared", total: sharedJSON, want: "cpus:1; disk(reservations: [(STATIC,a)])[v]<SHARED>:10",
			framework: func(f *allocator.Framework) { f.Capabilities.SharedResources = true },
		},
		{
			name: "remote", total: "cpus:1", reason: allocator.ReasonRegion,
			agent: func(a *allocator.Agent) { a.Remote = true },
		},
		{
			name: "remote with capability", total: "cpus:1", want: "cpus:1",
			agent:     func(a *allocator.Agent) { a.Remote = true },
			framework: func(f *allocator.Framework) { f.Capabilities.RegionAware = true },
		},
		{
			name: "inactive agent", total: "cpus:1", reason: allocator.ReasonAgentInactive,
			agent: func(a *allocator.Agent) { a.Active = false },
		},
		{
			name: "agent without roles in roles", total: "cpus:1", reason: allocator.ReasonCapability,
			agent: func(a *allocator.Agent) { a.Capabilities.HierarchicalRole = false },
		},
		{
			name: "constraint", total: "cpus:1", want: "cpus:1",
			framework: func(f *allocator.Framework) { f.Constraints = hostname("x.example.com") },
		},
		{
			name: "constraint not met", total: "cpus:1", reason: allocator.ReasonConstraint,
			framework: func(f *allocator.Framework) { f.Constraints = hostname("y") },
		},
		{
			name: "suppressed", total: "cpus:1", reason: allocator.ReasonSuppressed,
			framework: func(f *allocator.Framework) { f.Suppressed = []string{"a/b"} },
		},
		{
			name: "disconnected", total: "cpus:1", reason: allocator.ReasonInactive,
			framework: func(f *allocator.Framework) { f.Active = false },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			f := scheduler("f", "a/b")
			if tc.framework != nil {
				tc.framework(&f)
			}
			if tc.agent == nil {
				tc.agent = func(*allocator.Agent) {}
			}
			w.update(allocator.FrameworkAdded{Framework: f})
			w.agent("x", tc.total, tc.agent)
			got := ""
			for _, p := range w.allocate() {
				got += p.Resources.String()
			}
			if got != tc.want {
				t.Errorf("offered %q, want %q", got, tc.want)
			}
			if tc.reason == "" {
				return
			}
			e, err := w.a.Explain(w.now, "f")
			if err != nil || len(e.Reasons) == 0 || e.Reasons[0].Code != tc.reason || e.Reasons[0].Text == "" {
				t.Errorf("explained by %+v, %v; want %s", e.Reasons, err, tc.reason)
			}
		})
	}
}

func TestUsedSharedVolumesAreOfferedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"f", "g"} {
		f := scheduler(id, "a")
		f.Capabilities.SharedResources = true
		w.update(allocator.FrameworkAdded{Framework: f})
	}
	w.agent("x", sharedJSON)
	p := w.one()
	w.recover(p, parse(t, "cpus:0.5"), &allocator.Filter{Refuse: time.Hour})
	got := w.tick()
	if len(got) != 1 || got[0].Resources.Shared().IsEmpty() {
		t.Fatalf("got %v", got)
	}
	if got[0].Framework == p.Framework {
		t.Errorf("offered to the same framework")
	}
	w.none("the volume alone")
}

func TestExplain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reasons := func(id string) []allocator.Reason {
		t.Helper()
		e, err := w.a.Explain(w.now, id)
		if err != nil || e.Framework != id {
			t.Fatalf("%+v, %v", e, err)
		}
		return e.Reasons
	}
	expect := func(id string, codes ...allocator.ReasonCode) []allocator.Reason {
		t.Helper()
		got := reasons(id)
		for i, code := range codes {
			if i >= len(got) || got[i].Code != code {
				t.Fatalf("got %+v, want %v", got, codes)
			}
		}
		if len(got) != len(codes) {
			t.Fatalf("got %+v, want %v", got, codes)
		}
		return got
	}
	expect("f", allocator.ReasonUnknownFramework)
	w.framework("f", "a")
	w.framework("g", "b")
	expect("f", allocator.ReasonNoAgents)
	w.agent("x", "cpus:1;mem:64")
	w.agent("y", "cpus:1;mem:64")
	got := w.allocate()
	expect("f", allocator.ReasonNothingFree)
	expect("g", allocator.ReasonNothingFree, allocator.ReasonShare)
	for _, p := range got {
		w.decline(p, time.Hour)
	}
	filtered := expect("f", allocator.ReasonFiltered, allocator.ReasonShare)[0]
	if filtered.Agents != 1 || filtered.Agent == "" || !filtered.Until.Equal(start.Add(time.Hour)) || filtered.Role != "a" {
		t.Errorf("got %+v", filtered)
	}
}

func TestResetForgetsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", "cpus:2;mem:64")
	old, _, err := w.a.Allocate(t.Context(), w.now, 10)
	if err != nil || len(old) != 1 {
		t.Fatalf("%v, %v", old, err)
	}
	half, agent := parse(t, "cpus:1;mem:32"), w.a.agents["x"].Agent
	w.a.Reset()
	err = w.a.Update(w.now, []allocator.Update{
		allocator.FrameworkAdded{Framework: scheduler("f", "a")},
		allocator.AgentAdded{
			Agent: agent,
			Uses:  []allocator.Use{{Framework: "f", Resources: half.Allocate("a")}, {Framework: "lost", Resources: half.Allocate("z").Filter(func(r resource.Resource) bool { return r.Name == "mem" })}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.a.Answer(w.now, []allocator.Answer{{ID: old[0].ID, Refused: "late"}}); err != nil {
		t.Fatal(err)
	}
	w.lastID = old[0].ID
	w.used["x"] = parse(t, "cpus:1;mem:64")
	p := w.one()
	if p.Resources.String() != "cpus:1" {
		t.Errorf("got %v", p)
	}
	// What a framework uses that nobody knows counts for its role.
	if share := w.a.tree.roles["z"].share; share != 0.5 {
		t.Errorf("share of the unknown framework's role: %v", share)
	}
	w.update(allocator.Recovered{Framework: "lost", Agent: "x", Resources: parse(t, "mem:32").Allocate("z")})
	if w.a.tree.roles["z"] != nil || w.a.frameworks["lost"] != nil {
		t.Error("the unknown framework is remembered")
	}
}

func TestConversions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", "cpus:2;mem:64")
	p := w.one()
	from := parse(t, "cpus:1")
	to, err := from.PushReservation(resource.Reservation{Type: resource.Dynamic, Role: "a"})
	if err != nil {
		t.Fatal(err)
	}
	w.update(allocator.Converted{Framework: "f", Agent: "x", From: from.Allocate("a"), To: to.Allocate("a")})
	w.update(allocator.Recovered{Framework: "f", Agent: "x", Resources: sum(t, to, parse(t, "cpus:1;mem:64")).Allocate("a")})
	w.used["x"], w.total["x"] = resource.Resources{}, w.a.agents["x"].Total
	if got := w.total["x"].String(); got != "cpus:1; cpus(reservations: [(DYNAMIC,a)]):1; mem:64" {
		t.Errorf("total is %s", got)
	}
	// An operator undoes it.
	w.update(allocator.Converted{Agent: "x", From: to, To: from})
	w.total["x"] = w.a.agents["x"].Total
	w.now = w.now.Add(time.Second)
	if again := w.one(); !again.Resources.Equal(p.Resources) {
		t.Errorf("got %v", again)
	}
}

func TestShrunkAgentOffersNothingOfWhatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", "cpus:2;mem:64")
	p := w.one()
	smaller := w.a.agents["x"].Agent
	smaller.Total = parse(t, "cpus:1;mem:64")
	w.total["x"] = smaller.Total
	w.update(allocator.AgentChanged{Agent: smaller})
	w.recover(p, parse(t, "cpus:1"), nil)
	w.none("one cpu is used, and one is all there is")
	w.recover(p, parse(t, "cpus:1"), nil)
	if got := w.tick(); len(got) != 1 || got[0].Resources.String() != "cpus:1" {
		t.Errorf("got %v", got)
	}
}

func TestWrongUpdatesAreErrors(t *testing.T) {
	t.Parallel()
	one := parse(t, "cpus:1")
	for name, u := range map[string]allocator.Update{
		"unknown agent":           allocator.AgentChanged{Agent: allocator.Agent{ID: "nope"}},
		"use of an unknown agent": allocator.Allocated{Framework: "f", Agent: "nope", Resources: one.Allocate("a")},
		"no role":                 allocator.Allocated{Framework: "f", Agent: "x", Resources: one},
		"never allocated":         allocator.Recovered{Framework: "f", Agent: "x", Resources: one.Allocate("a")},
		"unknown framework":       allocator.Recovered{Framework: "nope", Agent: "x", Resources: one.Allocate("a")},
		"conversion of nothing":   allocator.Converted{Agent: "x", From: parse(t, "bananas:1"), To: one},
		"weight":                  allocator.WeightsChanged{Weights: map[string]float64{"a": -1}},
	} {
		w := newWorld(t)
		w.framework("f", "a")
		w.agent("x", "cpus:2;mem:64")
		if err := w.a.Update(w.now, []allocator.Update{u}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"interval": func(c *Config) { c.AllocationInterval = 0 },
		"minimum":  func(c *Config) { c.MinAllocatable = "cpus" },
		"name":     func(c *Config) { c.FairnessExclude = []string{" "} },
	} {
		c := DefaultConfig()
		change(&c)
		if _, err := NewAllocator(c); err == nil {
			t.Errorf("a bad %s passes", name)
		}
	}
}
