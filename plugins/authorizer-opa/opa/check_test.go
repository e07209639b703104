package opa

import (
	"fmt"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rego string
		want []string // parts of lines, in their order; none for nothing
	}{
		"clean":           {`allow if input.action == "view_task"`, nil},
		"syntax":          {"allow if {", []string{"p.rego:2:10: error: unexpected eof token [rego_parse_error]"}},
		"unsafe":          {"allow if x == 2\nallow if y", []string{"p.rego:2:10: error: var x is unsafe", "p.rego:3:10: error: var y is unsafe"}},
		"type":            {"allow if startswith(1, input.action)", []string{"p.rego:2:10: error: startswith: invalid argument(s)\nhave:"}},
		"no entry":        {"permit if true", []string{"p.rego:1:1: error: the policies define no rule `allow` in package mezzo.authz"}},
		"form of entry":   {"allow if true\ndeny if true", []string{"p.rego:3:1: error: rule `deny` is a set of texts"}},
		"conflict":        {"allow if true\nallow := false if true", []string{"p.rego:3:1: error: rule data.mezzo.authz.allow produced conflicting values [eval_conflict_error]"}},
		"unused":          {"import data.foo\nallow if { x := 1 }", []string{"p.rego:2:1: warning: import data.foo unused [strict]", "p.rego:3:12: warning: assigned var x unused [strict]"}},
		"action":          {`allow if input.action == "view_tsk"`, []string{`p.rego:2:26: warning: there is no action "view_tsk"; did you mean "view_task"? [unknown_action]`}},
		"action's case":   {`allow if "RUN_TASK" == input.action`, []string{`did you mean "run_task"`}},
		"action of set":   {`allow if input.action in {"run_task", "xxxxxxxx"}`, []string{`there is no action "xxxxxxxx" [`}},
		"action of rule":  {"reading := {\"view_taks\"}\nallow if input.action in reading", []string{`p.rego:2:13: warning: there is no action "view_taks"`}},
		"action in term":  {`allow if [1 | input.action == "view_taks"] == [1]`, []string{`"view_taks"`}},
		"kind":            {`allow if input.kind == "tusk"`, []string{`there is no kind "tusk"; did you mean "task"? [unknown_kind]`}},
		"field":           {`allow if input.object.framework.princpal == "x"`, []string{`p.rego:2:33: warning: input.object.framework never has a field "princpal"; did you mean "principal"? [unknown_field]`}},
		"field of input":  {`allow if input.acton == "run_task"`, []string{`input never has a field "acton"; did you mean "action"`}},
		"labels":          {`allow if input.object.labels.anything == input.subject.claims.whatever`, nil},
		"time":            {`allow if { input.action == "run_task"; time.now_ns() > 0 }`, []string{"p.rego:2:40: warning: time.now_ns may give another result each time, so no answer of these policies is remembered [not_steady]"}},
		"call":            {"allow if {\n\tinput.action == \"view_task\"\n\tcount(input.object.roles) > 1\n}", []string{"p.rego:4:2: warning: what a call gives has no predicate (view_task): what is listed is not filtered by one condition"}},
		"call of no list": {"allow if {\n\tinput.action == \"run_task\"\n\tcount(input.object.roles) > 1\n}", nil},
		"deny's text":     {"allow if true\ndeny contains msg if {\n\tinput.object.name == \"a\"\n\tmsg := sprintf(\"not %s\", [input.object.name])\n}", []string{"p.rego:5:9: warning: a variable that is made of the object has no predicate (get_endpoint_with_path, view_role, get_quota, 10 more actions)"}},
		"several":         {"allow if lower(input.object.name) == \"a\"\nallow if regex.match(\"x\", input.object.name)", []string{"p.rego:2:", "p.rego:3:"}},
		"else":            {"allow if own\nown if input.object.name == \"a\" else := true if input.object.name == \"b\"", []string{"p.rego:2:10: warning: a rule that looks at the object and has an `else`"}},
		// What is left depends on who asks: here on a name that only the policy knows.
		"for one alone":         {"allow if {\n\tinput.subject.principal == \"auditor\"\n\tlower(input.object.name) == \"a\"\n}", []string{"p.rego:4:"}},
		"for one alone in data": {"people := {\"auditor\": {}}\nallow if {\n\tpeople[input.subject.principal]\n\tlower(input.object.name) == \"a\"\n}", []string{"p.rego:5:"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs, err := tools(t, "").Check(t.Context(), []string{policyDir(t, c.rego)})
			if err != nil {
				t.Fatal(err)
			}
			rest := said(fs)
			if len(c.want) == 0 && rest != "" {
				t.Errorf("said %s", rest)
			}
			for _, w := range c.want {
				i := strings.Index(rest, w)
				if i < 0 {
					t.Fatalf("%q is not said:\n%s", w, said(fs))
				}
				rest = rest[i+len(w):]
			}
		})
	}
}

// A package of another name is found, and bad tests and bad data are mistakes, too.
func TestCheckFiles(t *testing.T) {
	t.Parallel()
	dir := policyDir(t, "permit if true")
	write(t, dir, "q.rego", "package site\nallow if true")
	write(t, dir, "p_test.rego", "package mezzo.authz_test\ntest_x if nothing")
	fs, err := tools(t, dir).Check(t.Context(), nil)
	if err != nil || !strings.Contains(said(fs), "p_test.rego:2:11: error: var nothing is unsafe") {
		t.Errorf("%s%v", said(fs), err)
	}
	write(t, dir, "p_test.rego", "package mezzo.authz_test\ntest_x if true")
	if fs, err = tools(t, dir).Check(t.Context(), nil); err != nil || !strings.Contains(said(fs), `q.rego:1:1: error: `) || !strings.Contains(said(fs), `set package = "site"`) {
		t.Errorf("%s%v", said(fs), err)
	}
	write(t, dir, "data.json", "{")
	if fs, err = tools(t, dir).Check(t.Context(), nil); err != nil || !strings.Contains(said(fs), "data.json") {
		t.Errorf("%s%v", said(fs), err)
	}
	var many strings.Builder
	for i := range 150 {
		fmt.Fprintf(&many, "allow if input.object.name == \"name-%d\"\n", i)
	}
	many.WriteString("allow if {\n\tinput.subject.principal == \"zoe\"\n\tlower(input.object.name) == \"a\"\n}\n")
	// Names of objects do not crowd out those of principals.
	if fs, err = tools(t, "").Check(t.Context(), []string{policyDir(t, many.String())}); err != nil || len(fs) != 1 || fs[0].Location.Line != 154 {
		t.Errorf("of many names: %s%v", said(fs), err)
	}
}
