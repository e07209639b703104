package opa

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

const shipped = "../../../configs/policies"

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func start(t testing.TB, path string) *Authorizer {
	t.Helper()
	a, err := New(context.Background(), sdk.Host{Logger: slog.New(slog.DiscardHandler)}, Config{Policies: path, Package: "mezzo.authz"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func policyDir(t testing.TB, rego string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "p.rego", "package mezzo.authz\n"+rego)
	return dir
}

func ask(t testing.TB, a *Authorizer, s authorizer.Subject, action authorizer.Action, fields ...map[string]any) authorizer.Answer {
	t.Helper()
	r := authorizer.Request{Subject: s, Action: action}
	for _, f := range fields {
		r.Objects = append(r.Objects, authorizer.Object{Kind: authorizer.TaskKind, Fields: f})
	}
	answer, err := a.Authorize(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestDecisionsCarryReasons(t *testing.T) {
	t.Parallel()
	a := start(t, shipped)
	web := authorizer.Subject{Principal: "web", Authenticated: true}
	mine := map[string]any{"user": "web", "framework": map[string]any{"principal": "web"}}
	rooted := map[string]any{"user": "root", "framework": map[string]any{"principal": "web"}}
	other := map[string]any{"user": "x", "framework": map[string]any{"principal": "batch"}}
	got := ask(t, a, web, authorizer.RunTask, mine, rooted, other)
	if len(got.Decisions) != 3 || !got.Decisions[0].Allowed {
		t.Fatalf("decisions = %+v", got.Decisions)
	}
	if d := got.Decisions[1]; d.Allowed || !strings.Contains(d.Reason, "root only for administrators") {
		t.Errorf("task of root: %+v", d)
	}
	if d := got.Decisions[2]; d.Allowed || !strings.Contains(d.Reason, "no rule of package mezzo.authz allows run_task") {
		t.Errorf("task of another: %+v", d)
	}
	if got.Revision == "" || got.ValidUntil.Before(time.Now()) {
		t.Errorf("revision %q, valid until %s", got.Revision, got.ValidUntil)
	}
	if got := ask(t, a, authorizer.Subject{}, authorizer.RunTask); len(got.Decisions) != 1 || !got.Decisions[0].Allowed {
		t.Errorf("without an object: %+v", got)
	}
	if _, err := a.Authorize(t.Context(), authorizer.Request{Action: "paint"}); err == nil {
		t.Error("an unknown action was decided upon")
	}
}

func TestAnswersOfAPolicyThatLooksAtTheClockAreNotRemembered(t *testing.T) {
	t.Parallel()
	a := start(t, policyDir(t, `allow if time.now_ns() > 0`))
	if got := ask(t, a, authorizer.Subject{}, authorizer.RunTask); !got.Decisions[0].Allowed || !got.ValidUntil.IsZero() {
		t.Errorf("answer = %+v", got)
	}
}

func TestBadPoliciesAreRefusedByName(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ rego, want string }{
		"syntax":          {"allow if {", "p.rego:2"},
		"unknown call":    {"allow if frobnicate(1)", "undefined function frobnicate"},
		"no entry":        {"permit if true", "no rule `allow` in package mezzo.authz"},
		"deny is no set":  {"default allow := false\ndeny if true", "p.rego:3"},
		"wrong type":      {"allow if startswith(1, 2)", "p.rego:2"},
		"unsafe variable": {"allow if x == y", "p.rego:2"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(t.Context(), sdk.Host{Logger: slog.New(slog.DiscardHandler)}, Config{Policies: policyDir(t, c.rego), Package: "mezzo.authz"})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "nowhere"), t.TempDir()} {
		if _, err := New(t.Context(), sdk.Host{Logger: slog.New(slog.DiscardHandler)}, Config{Policies: path, Package: "mezzo.authz"}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("policies = %s: %v", path, err)
		}
	}
}

// A name that does not exist makes a rule that never applies, which its author is told.
func TestMisnamedActionsAreToldAtTheirLine(t *testing.T) {
	t.Parallel()
	for rego, want := range map[string]string{
		"allow if input.action == \"run_tsk\"":                          `p.rego:2: there is no action "run_tsk"; did you mean "run_task"?`,
		"allow if \"run_tasks\" == input.action":                        `p.rego:2: there is no action "run_tasks"; did you mean "run_task"?`,
		"allow if input.action = \"paint\"":                             `p.rego:2: there is no action "paint"`,
		"allow if true\ndeny contains \"no\" if input.kind == \"tusk\"": `p.rego:3: there is no kind "tusk"; did you mean "task"?`,
		"allow if input.action in {\n\"view_task\",\n\"view_tusk\"}":    `p.rego:4: there is no action "view_tusk"; did you mean "view_task"?`,
		"allow if input.action in [\"view_tusk\"]":                      `p.rego:2: there is no action "view_tusk"; did you mean "view_task"?`,
		"allow if not input.action in {\"view_tusk\"}":                  `p.rego:2: there is no action "view_tusk"; did you mean "view_task"?`,
		"allow if input[\"action\"] != \"view_tusk\"":                   `p.rego:2: there is no action "view_tusk"; did you mean "view_task"?`,
		"allow if {\n some x in [input.action == \"view_tusk\"]\n x}":   `p.rego:3: there is no action "view_tusk"; did you mean "view_task"?`,
		"allow if input.action in data.verbs":                           "",
		"allow if input.object.acton == \"view_task\"":                  `p.rego:2: input.object never has a field "acton"`,
		"allow if input.action == \"run_task\"":                         "",
		"allow if startswith(input.action, \"view_\")":                  "",
	} {
		var warned []string
		h := sdk.Host{Logger: slog.New(slog.DiscardHandler), Warned: func(err error) { warned = append(warned, err.Error()) }}
		a, err := New(t.Context(), h, Config{Policies: policyDir(t, rego), Package: "mezzo.authz"})
		if err != nil {
			t.Fatalf("%s: %v", rego, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Join(warned, "; "); want != "" && (!strings.HasPrefix(got, "policies: /") || !strings.HasSuffix(got, "/"+want)) || want == "" && got != "" {
			t.Errorf("%s: warned of %q, want %q", rego, got, want)
		}
	}
	p, err := load(t.Context(), []string{shipped}, "mezzo.authz", time.Now())
	if err != nil || len(p.warnings) > 0 {
		t.Errorf("the shipped policies: %v, %v", p.warnings, err)
	}
}

// The policy in force changes with the files, but never to one that does not compile.
func TestReloadKeepsTheOldPolicyWhenTheNewOneIsBad(t *testing.T) {
	t.Parallel()
	dir := policyDir(t, "allow if false")
	a := start(t, dir)
	revisions := make(chan authorizer.Revision, 10)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- a.Revisions(ctx, func(r authorizer.Revision) error { revisions <- r; return nil })
	}()
	next := func() authorizer.Revision {
		t.Helper()
		select {
		case r := <-revisions:
			return r
		case <-time.After(20 * time.Second):
			t.Fatal("no revision within 20 s")
			return authorizer.Revision{}
		}
	}
	first := next()
	write(t, dir, "p.rego", "package mezzo.authz\nallow if")
	bad := next()
	if bad.ID != first.ID || !strings.Contains(bad.Problem, "p.rego:2") {
		t.Fatalf("after a bad policy: %+v", bad)
	}
	if ask(t, a, authorizer.Subject{}, authorizer.RunTask).Decisions[0].Allowed {
		t.Fatal("the bad policy is in force")
	}
	write(t, dir, "p.rego", "package mezzo.authz\nallow if data.open")
	good := next()
	if good.ID == first.ID || good.Problem != "" {
		t.Fatalf("after a good policy: %+v", good)
	}
	if ask(t, a, authorizer.Subject{}, authorizer.RunTask).Decisions[0].Allowed {
		t.Fatal("allowed without the data")
	}
	write(t, dir, "data.json", `{"open": true}`)
	if r := next(); r.ID == good.ID {
		t.Fatalf("after new data: %+v", r)
	}
	if !ask(t, a, authorizer.Subject{}, authorizer.RunTask).Decisions[0].Allowed {
		t.Fatal("refused with the data")
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("Revisions ended without an error")
	}
}

// Folders are replaced by another, as a link that leads elsewhere or as a whole, and come and go.
func TestReloadWhenTheFolderIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, rego := range map[string]string{"v1": "allow if false", "v2": "allow if true", "v3": "allow if input.subject.principal == \"x\""} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, dir, name+"/p.rego", "package mezzo.authz\n"+rego)
	}
	link := filepath.Join(dir, "policies")
	lead := func(to string) {
		t.Helper()
		if err := errors.Join(os.Symlink(to, link+".new"), os.Rename(link+".new", link)); err != nil {
			t.Fatal(err)
		}
	}
	lead("v1")
	a := start(t, link)
	inForce := func(what string, want bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ask(t, a, authorizer.Subject{}, authorizer.RunTask).Decisions[0].Allowed != want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) { // before the sweep
				t.Fatalf("%s: the answer is %v still", what, !want)
			}
		}
	}
	inForce("at first", false)
	first := a.current.Load().revision
	lead("v2")
	inForce("a link to another folder", true)
	if a.current.Load().revision == first {
		t.Error("other policies have the same revision")
	}
	lead("v1")
	inForce("the link as it was", false)
	if a.current.Load().revision != first {
		t.Error("the same policies have another revision")
	}
	write(t, dir, "v1/p.rego", "package mezzo.authz\nallow if true")
	inForce("a file changed behind the link", true)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * settle) // so that it is seen to be gone; it works as well where it is not
	inForce("no folder", true)
	if err := os.Rename(filepath.Join(dir, "v3"), link); err != nil {
		t.Fatal(err)
	}
	inForce("a folder in the link's place", false)
}

// filterCases are policies about input.object, and whether a predicate is expected of them.
var filterCases = map[string]struct {
	rego  string
	batch bool
}{
	"everything":       {rego: `allow if true`},
	"nothing":          {rego: `allow if input.subject.principal == "nobody"`},
	"equal":            {rego: `allow if input.object.name == "a"`},
	"missing is false": {rego: `allow if input.object.name != "a"`},
	"negation":         {rego: `allow if not input.object.name == "a"`},
	"truthy":           {rego: `allow if input.object.flag`},
	"not truthy":       {rego: `allow if not input.object.flag`},
	"two rules":        {rego: "allow if input.object.name == \"a\"\nallow if input.object.size > 2"},
	"both":             {rego: "allow if {\n input.object.name == \"b\"\n input.object.size <= 2 }"},
	"prefix":           {rego: `allow if startswith(input.object.name, "a")`},
	"suffix":           {rego: `allow if endswith(input.object.name, "b")`},
	"contains":         {rego: `allow if contains(input.object.name, "b")`},
	"in set":           {rego: `allow if input.object.name in {"a", "c"}`},
	"member":           {rego: `allow if "x" in input.object.roles`},
	"own":              {rego: `allow if input.object.framework.principal == input.subject.principal`},
	"some element":     {rego: `allow if input.object.roles[_] == "y"`},
	"no element":       {rego: "some_y if input.object.roles[_] == \"y\"\nallow if not some_y"},
	"two fields":       {rego: `allow if input.object.name == input.object.framework.principal`},
	"element is field": {rego: `allow if input.object.roles[_] == input.object.name`},
	"element's field":  {rego: `allow if input.object.items[_].name == "a"`},
	"by data":          {rego: "names := {\"a\", \"b\"}\nallow if input.object.name in names"},
	"deny":             {rego: "allow if true\ndeny contains \"no\" if input.object.name == \"a\""},
	"deny some":        {rego: "allow if input.object.size > 0\ndeny contains \"no\" if {\n input.object.name == \"a\"\n not input.object.flag }"},
	// A call looks its arguments up first, and fails without them, negated or not.
	"negated call":      {rego: `allow if not startswith(input.object.name, "a")`},
	"negated order":     {rego: `allow if not input.object.size > 2`},
	"negated member":    {rego: `allow if not "x" in input.object.roles`},
	"negated set":       {rego: `allow if not input.object.name in {"a", "c"}`},
	"negated function":  {rego: "is_a(x) if x == \"a\"\nallow if not is_a(input.object.name)"},
	"negated variable":  {rego: "allow if {\n x := input.object.name\n not x == \"a\" }"},
	"deny unless known": {rego: "allow if true\ndeny contains \"no\" if not input.object.name in {\"a\"}"},
	"unused argument":   {rego: "any_of(x, y) if x == \"a\"\nallow if any_of(\"a\", input.object.name)"},
	"element's prefix":  {rego: `allow if { some r in input.object.roles; startswith(r, "y") }`},
	// What a path of texts would not tell apart.
	"index":         {rego: `allow if input.object.roles[0] == "x"`, batch: true},
	"numeric name":  {rego: `allow if input.object.roles["0"] == "x"`, batch: true},
	"diagonal":      {rego: `allow if input.object.items[i][i] == "a"`, batch: true},
	"set in a list": {rego: `allow if input.object.roles in [{"x"}]`, batch: true},
	"numeric key":   {rego: `allow if input.object.framework == {1: "x"}`, batch: true},
	// Where both hold it is an error, which allows nothing.
	"contradiction": {rego: "allow := false if input.object.name == \"a\"\nallow if input.object.size > 1", batch: true},
	"panic in part": {rego: "in_list(p, q) if q[p]\nallow if in_list([input.object.name, 1], [[\"a\", 1]])", batch: true},
	"same element":  {rego: "allow if {\n some i in input.object.items\n i.name == \"a\"\n i.size == 1 }", batch: true},
	"function":      {rego: `allow if count(input.object.roles) > 1`, batch: true},
}

// Whatever a predicate says of an object, the policy says too.
func TestPredicatesAgreeWithThePolicy(t *testing.T) {
	t.Parallel()
	for name, c := range filterCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, policyDir(t, c.rego))
			alice := authorizer.Subject{Principal: "a", Authenticated: true}
			f, err := a.Filter(t.Context(), alice, authorizer.ViewTask)
			if err != nil {
				t.Fatal(err)
			}
			if f.NeedsBatch != c.batch {
				t.Fatalf("needs batch: %v (%s)", f.NeedsBatch, f.Why)
			}
			if f.NeedsBatch {
				return
			}
			rapid.Check(t, func(r *rapid.T) {
				o := anyObject(r)
				want := ask(t, a, alice, authorizer.ViewTask, o).Decisions[0].Allowed
				if got := f.Predicate.Eval(authorizer.FieldsOf(o)); got != want {
					r.Fatalf("%v: predicate says %v, policy says %v\n%+v", o, got, want, f.Predicate)
				}
			})
		})
	}
}

// anyObject draws an object that has some of the fields of the cases, of one type or another.
func anyObject(t *rapid.T) map[string]any {
	o := map[string]any{}
	put := func(m map[string]any, key string, values ...any) {
		if i := rapid.IntRange(0, len(values)).Draw(t, key); i < len(values) {
			m[key] = values[i]
		}
	}
	framework, item := map[string]any{}, map[string]any{}
	put(framework, "principal", "a", "b")
	put(item, "name", "a", "b")
	put(o, "name", "a", "b", "ab", "c", 1.0, false)
	put(o, "size", 1.0, 2.0, 3.0, "big")
	put(o, "flag", true, false, "yes")
	put(o, "roles", []any{}, []any{"x"}, []any{"y", "x"}, []any{"a"}, "x")
	put(o, "framework", framework)
	put(o, "items", []any{item}, []any{map[string]any{"name": "z"}, item})
	return o
}

func TestShippedPolicyFiltersByPredicate(t *testing.T) {
	t.Parallel()
	a := start(t, shipped)
	for _, action := range []authorizer.Action{authorizer.ViewTask, authorizer.ViewFramework, authorizer.ViewExecutor, authorizer.ViewRole, authorizer.AccessSandbox, authorizer.RunTask} {
		f, err := a.Filter(t.Context(), authorizer.Subject{Principal: "web", Authenticated: true}, action)
		if err != nil || f.NeedsBatch {
			t.Errorf("%s: %v %s", action, err, f.Why)
		}
	}
}

func BenchmarkAuthorize(b *testing.B) {
	a := start(b, shipped)
	r := authorizer.Request{Subject: authorizer.Subject{Principal: "web", Authenticated: true}, Action: authorizer.RunTask}
	for i := range 100 {
		r.Objects = append(r.Objects, authorizer.Object{Kind: authorizer.TaskKind, Fields: map[string]any{
			"id": fmt.Sprint(i), "user": "web", "framework": map[string]any{"principal": "web"},
		}})
	}
	b.ResetTimer()
	for b.Loop() {
		if _, err := a.Authorize(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/object")
}
