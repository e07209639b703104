package drf

import (
	"strconv"
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// quotaOf is a quota written as text; an empty text is none.
func quotaOf(t testing.TB, guarantees, limits string) allocator.Quota {
	t.Helper()
	g, err := resource.ParseQuantities(guarantees)
	if err != nil {
		t.Fatal(err)
	}
	var named []resource.NamedLimit
	for one := range strings.FieldsFuncSeq(limits, func(r rune) bool { return r == ';' }) {
		name, text, _ := strings.Cut(one, ":")
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		limit, err := resource.ParseLimit(v)
		if err != nil {
			t.Fatal(err)
		}
		named = append(named, resource.NamedLimit{Name: name, Limit: limit})
	}
	l, err := resource.NewLimits(named...)
	if err != nil {
		t.Fatal(err)
	}
	return allocator.Quota{Guarantees: g, Limits: l}
}

func (w *world) quota(role, guarantees, limits string) {
	w.Helper()
	w.update(allocator.QuotaChanged{Quotas: map[string]allocator.Quota{role: quotaOf(w, guarantees, limits)}})
}

func TestLimitCutsOffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.quota("a", "", "cpus:3")
	w.framework("f", "a/x")
	w.agent("x", "cpus:2;mem:100")
	w.agent("y", "cpus:2;mem:100")
	if got := cpusBy(w.allocate(), byFramework); got["f"] != 3 {
		t.Errorf("got %v", got)
	}
	e, err := w.a.Explain(w.now, "f")
	if err != nil || !hasReason(e, allocator.ReasonNothingFree) || !hasReason(e, allocator.ReasonQuotaLimit) && !hasReason(e, allocator.ReasonTooSmall) {
		t.Errorf("explained by %+v, %v", e, err)
	}
}

func hasReason(e allocator.Explanation, code allocator.ReasonCode) bool {
	for _, r := range e.Reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

func TestLimitCountsReservationsAndFreesOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.quota("a", "", "cpus:4")
	w.framework("f", "a")
	w.agent("x", "cpus(a):3;cpus:5")
	p := w.one()
	if got := p.Resources.String(); got != "cpus:1; cpus(reservations: [(STATIC,a)]):3" {
		t.Fatalf("got %s", got)
	}
	// What was kept back is for others.
	w.framework("g", "b")
	if q := w.one(); q.Framework != "g" || q.Resources.Amount("cpus") != 4000 {
		t.Errorf("got %v", q)
	}
}

func TestRoomUnderTheLimitIsOfferedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.quota("a", "", "cpus:1;mem:0")
	w.framework("f", "a")
	w.agent("x", "cpus:1")
	p := w.one()
	w.agent("y", "cpus:1")
	w.none("the limit is reached")
	// The task on x ends and x goes away: y, where nothing has changed, is now within the limit.
	w.recover(p, p.Resources, nil)
	w.update(allocator.AgentRemoved{ID: "x"})
	if got := w.tick(); len(got) != 1 || got[0].Agent != "y" {
		t.Errorf("got %v", got)
	}
}

func TestGuaranteeComesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.quota("q", "cpus:2;mem:64", "")
	w.framework("greedy", "a")
	w.framework("f", "q")
	// The guaranteed role has the larger share already: it would come last.
	w.agent("old", "cpus:1;mem:1", func(a *allocator.Agent) { a.Active = false })
	w.update(allocator.Allocated{Framework: "f", Agent: "old", Resources: parse(t, "cpus:1").Allocate("q")})
	w.agent("x", "cpus:2;mem:64")
	if p := w.one(); p.Framework != "f" {
		t.Errorf("got %v", p)
	}
}

func TestHeadroomIsKeptForGuarantees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.quota("q", "cpus:4", "")
	w.framework("f", "a")
	for _, id := range []string{"x", "y", "z"} {
		w.agent(id, "cpus:2;mem:10")
	}
	if got := cpusBy(w.allocate(), byFramework); got["f"] != 2 {
		t.Fatalf("got %v of 6 cpus, 4 of which are guaranteed to another role", got)
	}
	e, err := w.a.Explain(w.now, "f")
	if err != nil || !hasReason(e, allocator.ReasonQuotaHeadroom) {
		t.Errorf("explained by %+v, %v", e, err)
	}
	w.framework("g", "q/sub")
	if got := cpusBy(w.allocate(), byFramework); got["g"] != 4 {
		t.Errorf("the guaranteed role got %v", got)
	}
}

func TestWholeDisksAreNotCutByQuota(t *testing.T) {
	t.Parallel()
	const mount = `[{"name":"disk","type":"SCALAR","scalar":{"value":100},"disk":{"source":{"type":"MOUNT","mount":{"root":"/m"}}}},
		{"name":"cpus","type":"SCALAR","scalar":{"value":1}},{"name":"gpus","type":"SCALAR","scalar":{"value":2}}]`
	w := newWorld(t, func(c *Config) { c.FilterGPUResources = false })
	w.framework("f", "a")
	w.quota("a", "", "disk:10;gpus:1.5")
	w.agent("x", mount)
	if p := w.one(); p.Resources.String() != "cpus:1; gpus:1" {
		t.Errorf("got %v", p)
	}
}

func TestRevocableIsNoQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := scheduler("f", "a")
	f.Capabilities.RevocableResources = true
	w.update(allocator.FrameworkAdded{Framework: f})
	w.quota("a", "", "cpus:0;mem:0")
	w.agent("x", revocableJSON)
	if p := w.one(); p.Resources.String() != "cpus{REV}:2" {
		t.Errorf("got %v", p)
	}
}

func TestNewHeadroomReleasesOtherAgents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.quota("q", "cpus:2", "")
	c, err := allocator.NewConstraint(allocator.SelectHostname, "", allocator.TextEquals, "x.example.com")
	if err != nil {
		t.Fatal(err)
	}
	f := scheduler("f", "a")
	f.Constraints = map[string]allocator.RoleConstraints{"a": {Groups: []allocator.ConstraintGroup{{Constraints: []allocator.Constraint{c}}}}}
	w.update(allocator.FrameworkAdded{Framework: f})
	w.agent("x", "cpus:2")
	w.none("everything is kept for the guarantee")
	// y is not for f, but the guarantee can be met there.
	w.agent("y", "cpus:2")
	if p := w.one(); p.Agent != "x" {
		t.Errorf("got %v", p)
	}
}
