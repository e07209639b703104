package plugintest

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/allocatorconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// books are the cluster as a master knows it: the truth that proposals are held against.
type books struct {
	seq        uint64
	agents     map[string]allocator.Agent
	used       map[string]map[string]resource.Resources // by agent and framework, without allocation role
	frameworks map[string]allocator.Framework
	lastID     uint64
}

func newBooks() *books {
	return &books{
		agents: map[string]allocator.Agent{}, used: map[string]map[string]resource.Resources{}, frameworks: map[string]allocator.Framework{},
	}
}

func mustParse(text string) resource.Resources {
	r, err := resource.Parse(text, "*")
	if err != nil {
		panic(err) // the texts are this package's own
	}
	return r
}

func (k *books) addAgents(n int) {
	for range n {
		id := fmt.Sprintf("agent-%03d", len(k.agents))
		k.agents[id] = allocator.Agent{
			ID: id, Hostname: id + ".example", Active: true, Total: mustParse("cpus:4;mem:4096;disk:10000;ports:[31000-32000]"),
			Capabilities: allocator.AgentCapabilities{MultiRole: true, HierarchicalRole: true, ReservationRefinement: true},
		}
		k.seq++
	}
}

func (k *books) addFramework(id, role string) allocator.Framework {
	f := allocator.Framework{
		ID: id, Name: id, Roles: []string{role}, Active: true,
		Capabilities: allocator.Capabilities{MultiRole: true, ReservationRefinement: true, PartitionAware: true},
	}
	k.frameworks[id] = f
	k.seq++
	return f
}

// snapshot is all of it, in one chunk.
func (k *books) snapshot() *allocatorv1.RunRequest {
	chunk := &allocatorv1.SnapshotChunk{Sequence: k.seq, First: true, Last: true}
	for _, f := range sorted(k.frameworks) {
		chunk.Updates = append(chunk.Updates, allocatorconv.UpdateToProto(allocator.FrameworkAdded{Framework: f}))
	}
	for _, a := range sorted(k.agents) {
		added := allocator.AgentAdded{Agent: a}
		for framework, r := range k.used[a.ID] {
			added.Uses = append(added.Uses, allocator.Use{Framework: framework, Resources: k.allocated(framework, r)})
		}
		chunk.Updates = append(chunk.Updates, allocatorconv.UpdateToProto(added))
	}
	return &allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Snapshot{Snapshot: chunk}}
}

// allocated gives resources the allocation role that updates carry.
func (k *books) allocated(framework string, r resource.Resources) resource.Resources {
	return r.Allocate(k.frameworks[framework].Roles[0])
}

func sorted[T any](m map[string]T) []T {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out := make([]T, len(keys))
	for i, key := range keys {
		out[i] = m[key]
	}
	return out
}

// free is what nobody has of an agent.
func (k *books) free(agent string) resource.Resources {
	free := k.agents[agent].Total
	for _, r := range k.used[agent] {
		free = free.Minus(r)
	}
	return free
}

// judge says what is wrong with a proposal; a good one is taken into the books.
func (k *books) judge(a allocator.Allocation) error {
	f, known := k.frameworks[a.Framework]
	agent, exists := k.agents[a.Agent]
	switch {
	case a.ID <= k.lastID:
		return fmt.Errorf("proposal %d comes after proposal %d: ids have to grow", a.ID, k.lastID)
	case !known:
		return fmt.Errorf("proposal %d is for the framework %q, which does not exist", a.ID, a.Framework)
	case !exists:
		return fmt.Errorf("proposal %d is of the agent %q, which does not exist", a.ID, a.Agent)
	case !slices.Contains(f.Roles, a.Role):
		return fmt.Errorf("proposal %d is in the role %q, which %s does not have", a.ID, a.Role, a.Framework)
	case !f.Active || slices.Contains(f.Suppressed, a.Role):
		return fmt.Errorf("proposal %d is for %s, which is suppressed or not active", a.ID, a.Framework)
	case !agent.Active:
		return fmt.Errorf("proposal %d is of %s, which is not active", a.ID, a.Agent)
	case !k.free(a.Agent).Contains(a.Resources):
		return fmt.Errorf("proposal %d is of %s on %s, where %s are free", a.ID, a.Resources, a.Agent, k.free(a.Agent))
	}
	k.lastID = a.ID
	k.use(a.Framework, a.Agent, a.Resources)
	return nil
}

func (k *books) use(framework, agent string, r resource.Resources) {
	if k.used[agent] == nil {
		k.used[agent] = map[string]resource.Resources{}
	}
	if sum, err := k.used[agent][framework].Add(r); err == nil {
		k.used[agent][framework] = sum
	}
}

// takeBack frees what a framework has of an agent, and is the update that says so.
func (k *books) takeBack(framework, agent string, refuse time.Duration) *allocatorv1.Update {
	r := k.used[agent][framework]
	delete(k.used[agent], framework)
	u := allocatorconv.UpdateToProto(allocator.Recovered{Framework: framework, Agent: agent, Resources: k.allocated(framework, r)})
	if refuse > 0 {
		u.GetRecovered().Filter = &allocatorv1.Filter{Refuse: durationpb.New(refuse)}
	}
	return u
}

// holders are the agents of which a framework has something.
func (k *books) holders(framework string) []string {
	var out []string
	for id := range k.agents {
		if r, ok := k.used[id][framework]; ok && !r.IsEmpty() {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
