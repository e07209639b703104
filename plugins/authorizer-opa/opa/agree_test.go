package opa

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// Policies that nobody would write, about objects that lack fields or have some of odd types: whatever becomes a
// predicate says what the policy says.
func TestPredicatesOfRandomPoliciesAgree(t *testing.T) {
	t.Parallel()
	const policies, objects = 300, 60
	r := rand.New(rand.NewPCG(1, 2))
	translated := 0
	for range policies {
		if w := (&writer{r: r}); agrees(t, w.policy(), r, objects) {
			translated++
		}
	}
	if translated < policies/5 {
		t.Errorf("%d of %d policies became predicates: too few to tell", translated, policies)
	}
}

// agrees compares a policy's predicate with the policy, and tells whether there is one.
func agrees(t *testing.T, rego string, r *rand.Rand, objects int) bool {
	t.Helper()
	dir := policyDir(t, rego)
	write(t, dir, "data.json", `{"names": ["a", "x"], "teams": {"a": {"roles": ["a", "eng"]}}}`)
	a, err := New(context.Background(), sdk.Host{Logger: slog.New(slog.DiscardHandler)}, Config{Policies: dir, Package: "mezzo.authz"})
	if err != nil {
		return false // the writer knows little of types
	}
	defer a.Close()
	subject := authorizer.Subject{Principal: "a", Authenticated: true}
	f, err := a.Filter(t.Context(), subject, authorizer.ViewTask)
	if err != nil || f.NeedsBatch {
		return false
	}
	for range objects {
		o := oddObject(r)
		answer, err := a.Authorize(t.Context(), authorizer.Request{Subject: subject, Action: authorizer.ViewTask,
			Objects: []authorizer.Object{{Kind: authorizer.TaskKind, Fields: o}}})
		want := err == nil && answer.Decisions[0].Allowed
		if got := f.Predicate.Eval(authorizer.FieldsOf(o)); got != want {
			t.Fatalf("%s\n%v: predicate says %v, policy says %v (%v)\n%+v", rego, o, got, want, err, f.Predicate)
		}
	}
	return true
}

// oddObject has some of the fields that writer's policies ask for.
func oddObject(r *rand.Rand) map[string]any {
	texts := []any{"a", "b", "ab", "x", "", nil, 1.0, []any{"a"}}
	text := func() any { return texts[r.IntN(len(texts))] }
	o := map[string]any{
		"name": text(), "user": text(), "flag": r.IntN(2) == 0, "roles": []any{text(), text()},
		"labels": map[string]any{"a": text(), "0": text()}, "framework": map[string]any{"name": text(), "roles": []any{text()}},
		"items": []any{map[string]any{"name": text()}, map[string]any{"name": text(), "roles": []any{text()}}},
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if r.IntN(3) == 0 {
			delete(o, name)
		}
	}
	return o
}

// writer writes random policies.
type writer struct {
	r *rand.Rand
	// vars are the variables of the body that is being written.
	vars []string
	// negated is set within a negation, where every variable needs a value already.
	negated bool
}

func (w *writer) one(of ...string) string { return of[w.r.IntN(len(of))] }

func (w *writer) policy() string {
	var b strings.Builder
	for range 1 + w.r.IntN(2) {
		fmt.Fprintf(&b, "allow if %s\n", w.body())
	}
	if w.r.IntN(3) == 0 {
		fmt.Fprintf(&b, "deny contains \"no\" if %s\n", w.body())
	}
	fmt.Fprintf(&b, "value := %s\n", w.one("input.object.user", "input.object.framework", `"a"`))
	fmt.Fprintf(&b, "some_names contains %s\n", w.one(`"a"`, "input.object.name", "x if some x in input.object.roles"))
	fmt.Fprintf(&b, "name_of(p) := %s\n", w.one("p.name", "p", "[p]", `{"name": p}`))
	fmt.Fprintf(&b, "holds(p) if %s\n", w.one(`p == "a"`, `p.name == "a"`, "not p", "p", `startswith(p, "a")`, `not p in ["a"]`, "true"))
	return b.String()
}

func (w *writer) body() string {
	w.vars = nil
	lines := make([]string, 1+w.r.IntN(3))
	for i := range lines {
		lines[i] = w.line(fmt.Sprintf("v%d", i))
	}
	return "{ " + strings.Join(lines, "; ") + " }"
}

func (w *writer) line(fresh string) string {
	switch w.r.IntN(8) {
	case 0, 1, 2:
		w.negated = true
		defer func() { w.negated = false }()
		return "not " + w.condition()
	case 3:
		line := fresh + " := " + w.operand()
		w.vars = append(w.vars, fresh)
		return line
	case 4:
		line := "some " + fresh + " in " + w.one(w.field(), w.list())
		w.vars = append(w.vars, fresh)
		return line
	}
	return w.condition()
}

func (w *writer) condition() string {
	switch w.r.IntN(8) {
	case 0, 1:
		return w.operand() + w.one(" == ", " != ", " < ", " >= ") + w.one(`"a"`, `"b"`, "1", "null", "value", "input.subject.principal")
	case 2:
		return w.one("startswith(", "endswith(", "contains(") + w.operand() + ", " + w.one(`"a"`, "value", w.operand()) + ")"
	case 3:
		return w.operand() + " in " + w.list()
	case 4:
		return w.one(`"a"`, "value") + " in " + w.field()
	case 5:
		return "holds(" + w.operand() + ")"
	case 6:
		return w.one("data.teams", "some_names") + "[" + w.operand() + "]"
	}
	return w.field()
}

func (w *writer) list() string {
	return w.one(`["a", "b"]`, `{"a", 1}`, `{"k": "a"}`, "data.names", "data.teams[input.subject.principal].roles", `[["a"]]`, `[{"a"}]`)
}

func (w *writer) operand() string {
	switch w.r.IntN(6) {
	case 0:
		return w.one(`"a"`, `"b"`, "null", "data.names[0]", "data.nothing")
	case 1:
		return "name_of(" + w.field() + ")"
	}
	return w.field()
}

func (w *writer) field() string {
	if len(w.vars) > 0 && w.r.IntN(3) == 0 {
		return w.one(w.vars...) + w.one("", "", ".name")
	}
	each := "[_]"
	if w.negated {
		each = `["0"]`
	}
	return "input.object" + w.one(".name", ".name", ".user", ".flag", ".roles", ".labels.a", ".labels", ".framework", ".framework.name",
		".roles[0]", `.labels["0"]`, ".labels[0]", ".roles"+each, ".items"+each+".name", ".items"+each+".roles"+each, each)
}
