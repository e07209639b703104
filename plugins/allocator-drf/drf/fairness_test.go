package drf

import (
	"fmt"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// cpusBy sums the cpus of allocations by what key says of them.
func cpusBy(all []allocator.Allocation, key func(allocator.Allocation) string) map[string]int {
	out := map[string]int{}
	for _, p := range all {
		out[key(p)] += int(p.Resources.Amount("cpus")) / 1000
	}
	return out
}

func byRole(p allocator.Allocation) string { return p.Role }

func byFramework(p allocator.Allocation) string { return p.Framework }

// cluster adds equal agents.
func (w *world) cluster(agents int) {
	w.Helper()
	for i := range agents {
		w.agent(fmt.Sprintf("a%03d", i), "cpus:1;mem:100;ports:[1-10]")
	}
}

func TestWeightsShareTwoToOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.update(allocator.WeightsChanged{Weights: map[string]float64{"heavy": 2}})
	w.framework("f1", "heavy")
	w.framework("f2", "light")
	w.cluster(30)
	got := cpusBy(w.allocate(), byRole)
	if got["heavy"] != 20 || got["light"] != 10 {
		t.Errorf("got %v", got)
	}
}

func TestFrameworksOfARoleShareEqually(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 3 {
		w.framework(fmt.Sprintf("f%d", i), "eng")
	}
	w.framework("g", "ops")
	w.cluster(24)
	all := w.allocate()
	roles, frameworks := cpusBy(all, byRole), cpusBy(all, byFramework)
	if roles["eng"] != 12 || roles["ops"] != 12 {
		t.Errorf("roles: %v", roles)
	}
	if frameworks["f0"] != 4 || frameworks["f1"] != 4 || frameworks["f2"] != 4 {
		t.Errorf("frameworks: %v", frameworks)
	}
}

func TestHierarchyIsChargedToAncestors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f1", "eng/a")
	w.framework("f2", "eng/b")
	w.framework("f3", "ops")
	w.framework("f4", "ops/deep/er")
	w.cluster(40)
	got := cpusBy(w.allocate(), byRole)
	// eng and ops get half each; within ops its own framework and the subtree do.
	want := map[string]int{"eng/a": 10, "eng/b": 10, "ops": 10, "ops/deep/er": 10}
	for role, cpus := range want {
		if got[role] != cpus {
			t.Errorf("%s has %d, want %d", role, got[role], cpus)
		}
	}
}

func TestDominantShareDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f1", "a")
	w.framework("f2", "b")
	w.agent("big", "cpus:10;mem:1000", func(a *allocator.Agent) { a.Active = false })
	// a has more of the cpus, b more of the memory: b's dominant share is the larger one.
	w.update(
		allocator.Allocated{Framework: "f1", Agent: "big", Resources: parse(t, "cpus:4;mem:1").Allocate("a")},
		allocator.Allocated{Framework: "f2", Agent: "big", Resources: parse(t, "cpus:1;mem:500").Allocate("b")},
	)
	w.agent("x", "cpus:1;mem:32")
	got := w.allocate()
	if len(got) != 1 || got[0].Role != "a" {
		t.Errorf("got %v", got)
	}
}

func TestPortsDoNotCountAndExcludedNamesDoNot(t *testing.T) {
	t.Parallel()
	for _, exclude := range []bool{false, true} {
		w := newWorld(t, func(c *Config) {
			if exclude {
				c.FairnessExclude = []string{"gpus"}
			}
		})
		w.framework("f1", "a")
		w.framework("f2", "b")
		w.agent("big", "cpus:10;mem:10;gpus:4;ports:[1-100]", func(a *allocator.Agent) { a.Active = false })
		w.update(
			allocator.Allocated{Framework: "f1", Agent: "big", Resources: parse(t, "gpus:4;ports:[1-100]").Allocate("a")},
			allocator.Allocated{Framework: "f2", Agent: "big", Resources: parse(t, "cpus:5").Allocate("b")},
		)
		w.agent("x", "cpus:1;mem:32")
		got, want := w.allocate(), "b"
		if exclude {
			want = "a"
		}
		if len(got) != 1 || got[0].Role != want {
			t.Errorf("gpus excluded %t: got %v, want %s", exclude, got, want)
		}
	}
}

func TestFewerAllocationsThenNameDecideTies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f2", "b")
	w.framework("f1", "a")
	w.agent("x", "cpus:1;mem:32")
	first := w.allocate()
	if len(first) != 1 || first[0].Role != "a" {
		t.Fatalf("got %v, want the first by name", first)
	}
	w.decline(first[0], 0)
	if second := w.tick(); len(second) != 1 || second[0].Role != "b" {
		t.Errorf("got %v, want the one with fewer allocations", second)
	}
}

func TestNobodyStarves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const frameworks = 60
	for i := range frameworks {
		w.framework(fmt.Sprintf("f%02d", i), fmt.Sprintf("r%d", i%7))
	}
	w.cluster(3)
	seen := map[string]bool{}
	offers := w.allocate()
	for range 4 * frameworks {
		for _, p := range offers {
			seen[p.Framework] = true
			w.decline(p, 5*time.Second)
		}
		offers = w.tick()
	}
	if len(seen) != frameworks {
		t.Errorf("%d of %d frameworks were offered something", len(seen), frameworks)
	}
}

func TestInactiveFrameworksCountButAreNotServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f1", "a")
	w.framework("f2", "b")
	w.cluster(4)
	w.allocate()
	gone := scheduler("f1", "a")
	gone.Active = false
	w.update(allocator.FrameworkChanged{Framework: gone})
	w.agent("y", "cpus:1;mem:100")
	w.agent("z", "cpus:1;mem:100")
	if got := cpusBy(w.allocate(), byFramework); got["f2"] != 2 {
		t.Errorf("got %v", got)
	}
	if share := w.a.tree.roles["a"].share; share < 0.33 || share > 0.34 {
		t.Errorf("what the framework has is %v of the cluster", share)
	}
	gone.Active = true
	w.update(allocator.FrameworkChanged{Framework: gone})
	w.agent("zz", "cpus:1;mem:100")
	if got := cpusBy(w.allocate(), byFramework); got["f1"] != 1 {
		t.Errorf("after its return: %v", got)
	}
}

func TestSharedVolumesCountOncePerAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f1", "a")
	const volume = `[{"name":"disk","type":"SCALAR","scalar":{"value":10},"disk":{"persistence":{"id":"v"}},"shared":{}},
		{"name":"cpus","type":"SCALAR","scalar":{"value":4}}]`
	w.agent("x", volume, func(a *allocator.Agent) { a.Active = false })
	one := parse(t, volume).Shared().Allocate("a")
	for range 3 {
		w.update(allocator.Allocated{Framework: "f1", Agent: "x", Resources: one})
	}
	if got := w.a.tree.roles["a"].share; got != 1 {
		t.Errorf("three uses are %v of the disk", got)
	}
	for range 2 {
		w.update(allocator.Recovered{Framework: "f1", Agent: "x", Resources: one})
	}
	if got := w.a.tree.roles["a"].share; got != 1 {
		t.Errorf("one use is %v of the disk", got)
	}
	w.update(allocator.Recovered{Framework: "f1", Agent: "x", Resources: one})
	if got := w.a.tree.roles["a"].share; got != 0 {
		t.Errorf("no use is %v of the disk", got)
	}
}

func TestSharesFollowTheTotal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.framework("f", "a")
	w.agent("x", "cpus:4;mem:64", func(a *allocator.Agent) { a.Active = false })
	w.update(allocator.Allocated{Framework: "f", Agent: "x", Resources: parse(t, "cpus:2").Allocate("a")})
	share := func() float64 {
		w.a.tree.freshen()
		return w.a.tree.roles["a"].share
	}
	if got := share(); got != 0.5 {
		t.Errorf("share of 2 of 4 is %v", got)
	}
	bigger := w.a.agents["x"].Agent
	bigger.Total = parse(t, "cpus:8;mem:64")
	w.update(allocator.AgentChanged{Agent: bigger})
	if got := share(); got != 0.25 {
		t.Errorf("share of 2 of 8 is %v", got)
	}
	w.agent("y", "cpus:8;mem:64", func(a *allocator.Agent) { a.Active = false })
	w.update(allocator.AgentRemoved{ID: "y"})
	if got := share(); got != 0.25 {
		t.Errorf("share after an agent came and went is %v", got)
	}
}
