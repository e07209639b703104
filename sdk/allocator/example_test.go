package allocator_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// roomy leaves agents alone that are fuller than a part of them.
type roomy struct{ maxUsed float64 }

// A method of another form would not be found: this line is what tells.
var _ allocator.Explainer = (*roomy)(nil)

func (r *roomy) full(a allocator.CycleAgent) bool { return a.Used > r.maxUsed }

func (r *roomy) Allocate(_ context.Context, in allocator.Cycle) ([]allocator.Offer, error) {
	return in.OfferAll(slices.DeleteFunc(in.Agents, r.full)), nil
}

// Explain is what `mezzo explain FRAMEWORK` shows, beside the reasons that all allocators have in common.
func (r *roomy) Explain(_ allocator.Cycle, a allocator.CycleAgent, _ allocator.CycleFramework) (allocator.ReasonCode, string) {
	if r.full(a) {
		return "too_full", fmt.Sprintf("The agent is fuller than max_used, %g", r.maxUsed)
	}
	return "", ""
}

// An allocator that says why it passes agents over.
func Example() {
	a, now := allocator.FromCycler(&roomy{maxUsed: 0.5}, time.Second), time.Unix(1_000_000, 0)
	total, _ := resource.Parse("cpus:4;mem:4096", "*")
	used, _ := resource.Parse("cpus:3;mem:1024", "*")
	a.Reset()
	err := a.Update(now, []allocator.Update{
		allocator.FrameworkAdded{Framework: allocator.Framework{ID: "web", Roles: []string{"dev"}, Active: true}},
		allocator.AgentAdded{
			Agent: allocator.Agent{ID: "a1", Active: true, Total: total},
			Uses:  []allocator.Use{{Framework: "web", Resources: used.Allocate("dev")}},
		},
	})
	if err != nil {
		fmt.Println(err)
	}
	proposed, _, err := a.Allocate(context.Background(), now, 100)
	fmt.Println(len(proposed), err)
	e, err := a.Explain(now, "web")
	fmt.Println(e.Reasons[0].Code, e.Reasons[0].Text, err)
	// Output:
	// 0 <nil>
	// too_full The agent is fuller than max_used, 0.5 (role "dev", agents: 1) <nil>
}
