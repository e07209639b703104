//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// reason is one that `mezzo explain` gives.
type reason struct {
	Code, Text, Role, Agent string
	Agents                  int
	Until                   time.Time
}

// explained waits until a reason is given, and returns it.
func explained(t *testing.T, c *cluster, f *framework, code string) reason {
	t.Helper()
	var found reason
	eventually(t, "mezzo explain says "+code, func() error {
		r := c.mezzo("explain", f.id.GetValue(), "--output", "json")
		if r.status != 0 {
			return fmt.Errorf("%s", r)
		}
		reasons := decode[struct{ Reasons []reason }](t, r.stdout).Reasons
		i := slices.IndexFunc(reasons, func(x reason) bool { return x.Code == code })
		if i < 0 {
			return fmt.Errorf("it says %+v", reasons)
		}
		found = reasons[i]
		return nil
	})
	if table := c.mezzo("explain", f.id.GetValue()); table.status != 0 || !strings.Contains(table.stdout, code) {
		t.Errorf("the table lacks %s: %s", code, table)
	}
	return found
}

// What keeps a framework from offers is said by mezzo explain.
func TestExplain(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	agent := c.agentIDs()[0]
	f := subscribe(t, c)
	o := f.offer(nil)
	if r := explained(t, c, f, "nothing_free"); r.Agent != agent || !strings.Contains(r.Text, "everything is in use or offered") {
		t.Errorf("all is offered: %+v", r)
	}
	f.decline(o, time.Hour)
	if r := explained(t, c, f, "filtered"); r.Agent != agent || time.Until(r.Until) < 50*time.Minute || time.Until(r.Until) > time.Hour {
		t.Errorf("all is declined: %+v", r)
	}
	f.suppress()
	if r := explained(t, c, f, "suppressed"); r.Role != "*" || !strings.Contains(r.Text, "has to revive it") {
		t.Errorf("suppressed: %+v", r)
	}
	f.revive()
	f.offer(nil)
	// Who has less is served before, as long as there is nothing for both.
	second := subscribe(t, c)
	if r := explained(t, c, f, "share"); !strings.Contains(r.Text, "1 come before it") {
		t.Errorf("somebody has less: %+v", r)
	}
	second.teardown()
	c.agents[0].kill()
	if r := explained(t, c, f, "agent_inactive"); r.Agent != agent {
		t.Errorf("the agent is away: %+v", r)
	}
	f.disconnect()
	if r := explained(t, c, f, "framework_inactive"); r.Text == "" {
		t.Errorf("the framework is away: %+v", r)
	}
	mustSay(t, c.mezzo("explain", "nobody"), 1, `framework "nobody": there is no such framework`, "mezzo frameworks")
	c.restart(c.agents[0])
}

// What keeps a framework from offers on account of what it or the agents are.
func TestExplainWhatFits(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{
		resources: "gpus:1;cpus:4;mem:1024;disk:0;ports:[]", agent: `attributes = { rack = "r7" }`,
		allocator: "config {\n    min_allocatable = \"cpus:100\"\n  }",
	})
	if r := explained(t, c, subscribe(t, c), "capability"); !strings.Contains(r.Text, "GPU_RESOURCES") {
		t.Errorf("there are GPUs: %+v", r)
	}
	gpus := capable(mesos.FrameworkInfo_Capability_GPU_RESOURCES)
	if r := explained(t, c, subscribe(t, c, gpus), "too_small"); !strings.Contains(r.Text, "cpus:100") {
		t.Errorf("there is too little: %+v", r)
	}
	constrained := newFramework(t, c, gpus)
	constrained.constraints = &scheduler.OfferConstraints{RoleConstraints: map[string]*scheduler.OfferConstraints_RoleConstraints{
		"*": {Groups: []*scheduler.OfferConstraints_RoleConstraints_Group{{AttributeConstraints: []*scheduler.AttributeConstraint{{
			Selector:  &scheduler.AttributeConstraint_Selector{Selector: &scheduler.AttributeConstraint_Selector_AttributeName{AttributeName: "rack"}},
			Predicate: &scheduler.AttributeConstraint_Predicate{Predicate: &scheduler.AttributeConstraint_Predicate_TextEquals_{TextEquals: &scheduler.AttributeConstraint_Predicate_TextEquals{Value: new("r8")}}},
		}}}}},
	}}
	constrained.mustSubscribe()
	if r := explained(t, c, constrained, "constraint"); r.Agents != 1 {
		t.Errorf("another rack is wanted: %+v", r)
	}
}

// What is reserved for others is not for a framework, and said to be.
func TestExplainReservations(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{resources: "cpus(eng):4;mem(eng):1024;disk:0;ports:[]"})
	if r := explained(t, c, subscribe(t, c), "reserved"); !strings.Contains(r.Text, "reserved for roles other than *") {
		t.Errorf("reserved for others: %+v", r)
	}
}
