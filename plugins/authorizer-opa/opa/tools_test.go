package opa

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// tools starts the plugin for its tools alone.
func tools(t *testing.T, policies string) *Authorizer {
	t.Helper()
	a, err := New(t.Context(), sdk.Host{Logger: slog.New(slog.DiscardHandler), ToolsOnly: true}, Config{Policies: policies, Package: "mezzo.authz"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func shippedPath(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(shipped)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// said is findings as lines.
func said(fs []authorizer.Finding) string {
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "%s:%d:%d: %s: %s [%s]\n", filepath.Base(f.Location.File), f.Location.Line, f.Location.Column, f.Severity, f.Message, f.Code)
	}
	return b.String()
}

func TestShippedPoliciesAreTestedAndClean(t *testing.T) {
	t.Parallel()
	a := tools(t, shippedPath(t))
	report, err := a.Test(t.Context(), authorizer.TestOptions{})
	if err != nil || len(report.Results) < 4 {
		t.Fatalf("%d tests, %v", len(report.Results), err)
	}
	for _, r := range report.Results {
		if !r.Passed {
			t.Errorf("%s: %s", r.Name, r.Output)
		}
	}
	if fs, err := a.Check(t.Context(), nil); err != nil || len(fs) > 0 {
		t.Errorf("%s%v", said(fs), err)
	}
	if c, err := a.Coverage(t.Context(), authorizer.TestOptions{}); err != nil || c.Percent != 100 {
		t.Errorf("%+v, %v", c, err)
	}
}

const testedPolicy = `default allow := false

allow if input.action == "view_role"

allow if {
	input.action == "view_task"
	input.object.name == "a"
}
`

const policyTests = `package mezzo.authz_test

import data.mezzo.authz

test_roles_are_seen if {
	action := "view_role"
	print("asking", action)
	authz.allow with input as {"action": action}
}

test_nothing_else if not authz.allow with input as {"action": "run_task"}

test_wrong if {
	action := "view_flags"
	print("asking", action)
	authz.allow with input as {"action": action}
}

todo_test_later if false

test_cases[name] if {
	some name, action in {"roles": "view_role", "flags": "view_flags"}
	authz.allow with input as {"action": action}
}
`

func TestTests(t *testing.T) {
	t.Parallel()
	dir := policyDir(t, testedPolicy)
	write(t, dir, "p_test.rego", policyTests)
	a := tools(t, "")
	// A file brings the tests beside it along.
	for _, path := range []string{dir, filepath.Join(dir, "p.rego")} {
		report, err := a.Test(t.Context(), authorizer.TestOptions{Paths: []string{path}})
		if err != nil || len(report.Results) != 5 {
			t.Fatalf("%s: %+v, %v", path, report, err)
		}
		for i, want := range []struct {
			name   string
			line   int
			passed bool
			output string
		}{
			{"test_roles_are_seen", 5, true, "asking view_role"},
			{"test_nothing_else", 11, true, ""},
			{"test_wrong", 13, false, "asking view_flags\n" + dir + "/p_test.rego:16: does not hold:\n    authz.allow with input as {\"action\": action}"},
			{"todo_test_later", 19, false, ""},
			{"test_cases", 21, false, "case flags fails"},
		} {
			r := report.Results[i]
			if r.Name != "data.mezzo.authz_test."+want.name || r.Location.Line != want.line || r.Location.File != filepath.Join(dir, "p_test.rego") ||
				r.Passed != want.passed || r.Skipped != (i == 3) || !strings.Contains(r.Output, want.output) {
				t.Errorf("%d: %+v", i, r)
			}
		}
		if out := report.Results[2].Output; !strings.Contains(out, `"view_flags"`) {
			t.Errorf("the value of the variable is not told: %s", out)
		}
	}
	report, err := a.Test(t.Context(), authorizer.TestOptions{Paths: []string{dir}, Run: `\.test_(roles|nothing)`})
	if err != nil || len(report.Results) != 2 {
		t.Errorf("some: %+v, %v", report, err)
	}
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	dir := policyDir(t, testedPolicy)
	write(t, dir, "p_test.rego", policyTests)
	a := tools(t, dir)
	_, err := a.Coverage(t.Context(), authorizer.TestOptions{})
	if sdk.CodeOf(err) != sdk.FailedPrecondition || !strings.Contains(err.Error(), "2 of the tests fail") || !strings.Contains(err.Error(), "p_test.rego:13") {
		t.Errorf("with tests that fail: %v", err)
	}
	c, err := a.Coverage(t.Context(), authorizer.TestOptions{Run: "test_roles"})
	if err != nil || len(c.Files) != 1 || c.Files[0].File != filepath.Join(dir, "p.rego") || c.Percent != c.Files[0].Percent {
		t.Fatalf("%+v, %v", c, err)
	}
	if got := c.Files[0].NotCovered; !slices.Equal(got, []authorizer.LineRange{{First: 2, Last: 2}, {First: 6, Last: 8}}) || c.Percent != 20 {
		t.Errorf("%+v", c)
	}
}

func TestToolsRefuse(t *testing.T) {
	t.Parallel()
	dir := policyDir(t, "allow if {")
	a := tools(t, dir)
	for name, c := range map[string]struct {
		call func() error
		code sdk.Code
		want string
	}{
		"expression": {func() error { _, err := a.Test(t.Context(), authorizer.TestOptions{Run: "("}); return err }, sdk.InvalidArgument, "missing closing )"},
		"nowhere":    {func() error { _, err := a.Check(t.Context(), []string{dir + "/x"}); return err }, sdk.InvalidArgument, dir + "/x"},
		"relative":   {func() error { _, err := a.Check(t.Context(), []string{"x"}); return err }, sdk.InvalidArgument, "not absolute"},
		"broken":     {func() error { _, err := a.Test(t.Context(), authorizer.TestOptions{}); return err }, sdk.FailedPrecondition, "p.rego:2"},
		"unasked": {func() error {
			_, err := a.Explain(t.Context(), authorizer.ExplainOptions{Request: authorizer.Request{Action: authorizer.RunTask}})
			return err
		}, sdk.FailedPrecondition, "p.rego:2"},
		"action": {func() error {
			o := authorizer.ExplainOptions{Request: authorizer.Request{Action: "RUN_TASKS"}, Paths: []string{shippedPath(t)}}
			_, err := a.Explain(t.Context(), o)
			return err
		}, sdk.InvalidArgument, `did you mean "run_task"`},
		"decision": {func() error {
			_, err := a.Authorize(t.Context(), authorizer.Request{Action: authorizer.RunTask})
			return err
		}, sdk.FailedPrecondition, "tools alone"},
		"filter": {func() error {
			_, err := a.Filter(t.Context(), authorizer.Subject{}, authorizer.ViewTask)
			return err
		}, sdk.FailedPrecondition, "tools alone"},
		"revisions": {func() error {
			return a.Revisions(t.Context(), func(authorizer.Revision) error { return nil })
		}, sdk.FailedPrecondition, "tools alone"},
		"nothing": {func() error { _, err := tools(t, "").Check(t.Context(), nil); return err }, sdk.InvalidArgument, "neither"},
	} {
		if err := c.call(); sdk.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v (%v)", name, err, sdk.CodeOf(err))
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	a := start(t, shippedPath(t))
	web := authorizer.Subject{Principal: "web", Authenticated: true}
	explain := func(action authorizer.Action, kind authorizer.Kind, fields ...map[string]any) (authorizer.Answer, string) {
		t.Helper()
		r := authorizer.Request{Subject: web, Action: action}
		for _, f := range fields {
			r.Objects = append(r.Objects, authorizer.Object{Kind: kind, Fields: f})
		}
		e, err := a.Explain(t.Context(), authorizer.ExplainOptions{Request: r})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := a.Authorize(t.Context(), r)
		if err != nil || !slices.Equal(answer.Decisions, e.Answer.Decisions) || answer.Revision != e.Answer.Revision {
			t.Errorf("Authorize says %+v, Explain %+v, %v", answer, e.Answer, err)
		}
		return e.Answer, strings.Join(e.Trace, "\n")
	}
	answer, lines := explain(authorizer.RegisterFramework, authorizer.RoleKind, map[string]any{"name": "eng/website"})
	for _, want := range []string{
		"authz.rego:", "does not hold\n    line ", `within(input.object.name, role)`, `input.object.name is "eng/website"`, `role is "eng/web"`,
		"\n    within at ", "\n        line ", "is false by default", `data.admins is ["operator"]`, `input.action is "register_framework"`,
	} {
		if answer.Decisions[0].Allowed || !strings.Contains(lines, want) {
			t.Errorf("%q is not told:\n%s", want, lines)
		}
	}
	rooted := map[string]any{"user": "root", "framework": map[string]any{"principal": "web"}}
	_, lines = explain(authorizer.RunTask, authorizer.TaskKind, rooted, map[string]any{})
	for _, want := range []string{": holds\n", `gives "tasks run as root only for administrators`, "object 1, task:", "object 2, task:", "input.object.user is absent"} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q is not told:\n%s", want, lines)
		}
	}
	// What allows does not hide the rules after it.
	answer, lines = explain(authorizer.ViewRole, authorizer.RoleKind)
	if !answer.Decisions[0].Allowed || !strings.Contains(lines, `input.action == "get_endpoint_with_path"`) {
		t.Errorf("not all rules are told:\n%s", lines)
	}
}

// Other policies than the configured ones are asked where paths say so.
func TestExplainOfPaths(t *testing.T) {
	t.Parallel()
	o := authorizer.ExplainOptions{Request: authorizer.Request{Action: authorizer.RunTask}, Paths: []string{policyDir(t, "allow if false")}}
	e, err := start(t, shippedPath(t)).Explain(t.Context(), o)
	if err != nil || e.Answer.Decisions[0].Allowed {
		t.Errorf("%+v, %v", e, err)
	}
}
