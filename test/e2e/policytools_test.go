//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

const clumsyPolicy = `package mezzo.authz

default allow := false

allow if {
	input.action == "view_taks"
	input.object.name == "a"
}

allow if {
	input.action == "view_task"
	count(input.object.labels) > 1
}
`

const clumsyTests = `package mezzo.authz_test

import data.mezzo.authz

test_two_labels if {
	authz.allow with input as {"action": "view_task", "object": {"labels": {"a": "1", "b": "2"}}}
}

test_one_label if {
	labels := {"a": "1"}
	print("labels are", labels)
	authz.allow with input as {"action": "view_task", "object": {"labels": labels}}
}
`

// saysAll checks a command's exit status and that its output contains texts, in their order.
func saysAll(t *testing.T, r result, status int, want ...string) {
	t.Helper()
	rest := r.stdout
	for _, w := range want {
		i := strings.Index(rest, w)
		if i < 0 {
			t.Errorf("%q is not said: %s", w, r)
			return
		}
		rest = rest[i+len(w):]
	}
	if r.status != status {
		t.Errorf("want exit status %d: %s", status, r)
	}
}

// Policies are tested and checked before they are used, by the configured authorizer's program and without a cluster.
func TestPolicyTools(t *testing.T) {
	t.Parallel()
	s, plugins := hobbled(t)
	c := newCluster(t, s)
	config := filepath.Join(c.dir, "master.hcl")
	policy := func(args ...string) result {
		t.Helper()
		return command(t, "mezzo", append([]string{"policy"}, args...)...)
	}
	saysAll(t, policy("test", "--config", config), 0, "TESTS", "8      8       0       0")
	saysAll(t, policy("check", "--strict", "--config", config), 0, "0 errors, 0 warnings.")
	saysAll(t, policy("coverage", "--min", "100", "--config", config), 0, "authz.rego", "100.0%")

	clumsy := t.TempDir()
	write(t, clumsy, "p.rego", clumsyPolicy)
	write(t, clumsy, "p_test.rego", clumsyTests)
	// Paths are in place of the configured policies, with a configuration and without one.
	for _, with := range [][]string{{"--config", config}, nil} {
		saysAll(t, policy(append([]string{"test", clumsy}, with...)...), 1,
			"FAIL  data.mezzo.authz_test.test_one_label  "+clumsy+"/p_test.rego:9", `labels are {"a": "1"}`,
			clumsy+"/p_test.rego:12: does not hold:", `authz.allow with input`, "2      1       1       0")
	}
	saysAll(t, policy("check", clumsy), 0,
		clumsy+`/p.rego:6:18: warning: there is no action "view_taks"; did you mean "view_task"? [unknown_action]`,
		"   6 | \tinput.action == \"view_taks\"\n     | \t                ^",
		clumsy+"/p.rego:12:2: warning: what a call gives has no predicate (view_task)", "  12 | \tcount(input.object.labels) > 1", "0 errors, 2 warnings.")
	saysAll(t, policy("check", "--strict", clumsy), 1, "2 warnings")
	mustSay(t, policy("coverage", clumsy), 1, "1 of the tests fail", "p_test.rego:9")
	saysAll(t, policy("coverage", "--run", "two_labels", clumsy), 0, clumsy+"/p.rego  42.9%    3, 5-7")
	mustSay(t, policy("coverage", "--run", "two_labels", "--min", "80", clumsy), 1, "42.9%", "80.0%")
	mustSay(t, policy("test", "--run", "^no", clumsy), 1, `"^no"`)
	checkPolicyJSON(t, clumsy)

	write(t, clumsy, "p.rego", "package mezzo.authz\n\nallow if {\n\tno_such_function(input)\n}\n")
	saysAll(t, policy("check", clumsy), 1, clumsy+"/p.rego:4:2: error: undefined function no_such_function [rego_type_error]", "   4 | \tno_such_function(input)")
	mustSay(t, policy("test", clumsy), 1, `authorizer "opa": `, clumsy+"/p.rego:4", "no_such_function")
	// Nor need the configured ones be there, or right.
	saysAll(t, policy("check", "--config", replaced(t, config, c.site.policies, clumsy)), 1, "p.rego:4:2: error")
	mustSay(t, policy("check", "--config", replaced(t, config, c.site.policies, clumsy+"/absent")), 1, `authorizer "opa": `, clumsy+"/absent")
	badPolicyCommands(t, config, plugins)
	checkNothingStarted(t, c, plugins)
}

func badPolicyCommands(t *testing.T, config, plugins string) {
	t.Helper()
	sum := checksum(t, filepath.Join(plugins, "authorizer-opa"))
	other := strings.Repeat("0", len(sum))
	// What is started is what the configuration trusts, here as elsewhere.
	mustSay(t, command(t, "mezzo", "policy", "test", "--config", replaced(t, config, sum, other)), 1, `authorizer "opa"`, sum, other)
	mustSay(t, command(t, "mezzo", "policy", "test", "--config", replaced(t, config, "plugin \"authorizer\" \"opa\" {\n  sha256 = \""+sum+"\"",
		"plugin \"authorizer\" \"opa\" {\n  binary = \""+plugins+"/allocator-drf\"")), 1, `authorizer "opa"`, "allocator-drf", "is no authorizer")
	without := replaced(t, config, `plugin "authorizer" "opa"`, `plugin "isolator" "opa"`)
	mustSay(t, command(t, "mezzo", "policy", "test", "--config", without), 1, "configures no authorizer")
	mustSay(t, command(t, "mezzo", "policy", "test"), 2, "--config")
	mustSay(t, command(t, "mezzo", "policy", "tst"), 2, `did you mean "test"`)
	mustSay(t, command(t, "mezzo", "policy", "test", "--run", "(", plugins), 2, "--run")
	mustSay(t, command(t, "mezzo", "policy", "coverage", "--min", "101", plugins), 2, "--min")
	mustSay(t, command(t, "mezzo", "policy", "test", plugins+"/nowhere"), 1, plugins+"/nowhere")
	mustSay(t, command(t, "mezzo", "policy", "test", plugins), 1, "no .rego file in "+plugins)
	mustSay(t, command(t, "mezzo", "policy", "explain", "--config", config), 2, "--action")
	mustSay(t, command(t, "mezzo", "policy", "explain", "--config", config, "--action", "RUN_TASKS"), 2, `did you mean "run_task"`)
	mustSay(t, command(t, "mezzo", "policy", "explain", "--config", config, "--action", "run_task", "--object", `{"usr": "root"}`), 2, `did you mean "user"`)
}

// checkPolicyJSON looks at what scripts get.
func checkPolicyJSON(t *testing.T, policies string) {
	t.Helper()
	type place struct {
		File string
		Line int
	}
	tests := decode[struct {
		Passed, Failed, Skipped int
		Tests                   []struct {
			place
			Name, Result, Output string
			Duration             int64
		}
	}](t, command(t, "mezzo", "policy", "test", "-o", "json", policies).stdout)
	if tests.Passed != 1 || tests.Failed != 1 || len(tests.Tests) != 2 || tests.Tests[1].Result != "failed" || tests.Tests[1].Line != 9 ||
		tests.Tests[1].File != policies+"/p_test.rego" || tests.Tests[1].Duration <= 0 || !strings.Contains(tests.Tests[1].Output, "labels are") {
		t.Errorf("test has %+v", tests)
	}
	found := decode[struct {
		Errors, Warnings int
		Findings         []struct {
			place
			Severity, Code, Message string
			Column                  int
		}
	}](t, command(t, "mezzo", "policy", "check", "-o", "json", policies).stdout)
	if found.Warnings != 2 || len(found.Findings) != 2 || found.Findings[1].Code != "no_predicate" || found.Findings[1].Line != 12 || found.Findings[1].Severity != "warning" {
		t.Errorf("check has %+v", found)
	}
	reached := decode[struct {
		Percent float64
		Files   []struct {
			File       string
			NotCovered []struct{ First, Last int } `json:"not_covered"`
		}
	}](t, command(t, "mezzo", "policy", "coverage", "-o", "json", "--run", "two", policies).stdout)
	if int(reached.Percent) != 42 || len(reached.Files) != 1 || len(reached.Files[0].NotCovered) != 2 || reached.Files[0].NotCovered[1].First != 5 {
		t.Errorf("coverage has %+v", reached)
	}
}

// What is explained is what happens, and says why.
func TestPolicyExplain(t *testing.T) {
	t.Parallel()
	policies := t.TempDir()
	if err := os.Chmod(policies, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, policies, "authz.rego", denyNamed)
	c := startCluster(t, site{policies: policies})
	f := subscribe(t, c)
	f.launch(shell("forbidden-task", "exit 0"))
	reason := f.end("forbidden-task", "ERROR")
	if reason.GetReason() != mesos.TaskStatus_REASON_TASK_UNAUTHORIZED {
		t.Fatalf("%s: %s", reason.GetReason(), reason.GetMessage())
	}
	explain := func(args ...string) result {
		t.Helper()
		return command(t, "mezzo", append([]string{"policy", "explain", "--config", filepath.Join(c.dir, "master.hcl")}, args...)...)
	}
	r := explain("--principal", "web", "--action", "RUN_TASK", "--set", "id=forbidden-task")
	saysAll(t, r, 0, "denied: tasks named forbidden are not run here\n", "allow at "+policies+"/authz.rego:3: is true by default\n",
		"deny at "+policies+`/authz.rego:5: gives "tasks named forbidden are not run here"`)
	if why, _, _ := strings.Cut(strings.TrimPrefix(r.stdout, "denied: "), "\n"); !strings.Contains(reason.GetMessage(), why) {
		t.Errorf("the cluster says %q, and it is explained by %q", reason.GetMessage(), why)
	}
	saysAll(t, explain("--principal", "web", "--action", "run_task", "--object", `{"id": "permitted"}`, "--fail-denied"), 0,
		"allowed\n", `startswith(input.object.id, "forbidden")`, `input.object.id is "permitted"`)
	saysAll(t, explain("--action", "run_task", "--set", "id=forbidden", "--fail-denied"), 1, "denied: ")
	one := decode[struct {
		Action, Kind, Reason, Revision string
		Allowed                        bool
		Trace                          []string
	}](t, explain("--action", "RUN_TASK", "--set", "id=forbidden", "-o", "json").stdout)
	if one.Action != "run_task" || one.Kind != "task" || one.Allowed || one.Reason != "tasks named forbidden are not run here" || one.Revision == "" || len(one.Trace) < 2 {
		t.Errorf("%+v", one)
	}
	// By other policies than the configured ones.
	saysAll(t, explain("--principal", "web", "--action", "register_framework", "--role", "eng/website", filepath.Join(suite.root, "configs", "policies")), 0,
		"denied: no rule of package mezzo.authz allows register_framework", "within(input.object.name, role)", `role is "eng/web"`)
}
