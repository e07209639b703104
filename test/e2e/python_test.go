//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

const permissions = `
[groups]
admins = ["operator"]
teams  = ["web"]

[[allow]]
to      = ["@admins"]
actions = ["*"]

[[allow]]
to      = ["@teams"]
actions = ["register_framework", "run_task", "view_*"]
roles   = ["eng/*"]
`

const frozen = permissions + `
[[deny]]
to      = ["web"]
actions = ["run_task"]
roles   = ["eng/web"]
reason  = "eng/web is frozen until Monday"
`

// withPython is a site whose authorizer is the one in Python, and the file with its permissions.
func withPython(t *testing.T) (site, string) {
	t.Helper()
	s := guarded(t)
	_, s.plugins = hobbled(t)
	build := exec.Command(filepath.Join(suite.root, "examples", "authorizer-python", "build"), filepath.Join(s.plugins, "authorizer-python"))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the authorizer in Python (make deps installs what that needs): %v\n%s", err, out)
	}
	s.permissions = write(t, t.TempDir(), "permissions.toml", permissions)
	return s, s.permissions
}

// A plugin that is not in Go is a plugin like any other: it decides, comes back when it is killed, and is replaced.
func TestAuthorizerInPython(t *testing.T) {
	t.Parallel()
	s, file := withPython(t)
	c := startCluster(t, s)
	refusal := "Not authorized to use role 'ops': no rule allows web to register_framework in the role ops"
	if err := newFramework(t, c, as(webTeam, "ops")).subscribe(); err == nil || !strings.Contains(err.Error(), refusal) {
		t.Errorf("web in the role ops: %v", err)
	}
	ops := subscribe(t, c, as(operator, "ops"))
	ops.run(sleeper("ops-runs"))
	ops.stepAside()
	web := subscribe(t, c, as(webTeam, "eng/web"))
	web.run(sleeper("web-runs"))
	mustSay(t, c.mezzoAs(webTeam, "plugin", "reload", "allocator", "drf"), 1, "not authorized")
	checkSees(t, c, webTeam, "web-runs")
	checkSees(t, c, operator, "ops-runs", "web-runs")

	replaceFile(t, file, frozen)
	web.awaitRefused("eng/web is frozen until Monday")
	replaceFile(t, file, strings.Replace(permissions, "actions", "action", 1))
	eventually(t, "the mistake is logged", func() error {
		if !strings.Contains(c.master.output(), "allow[0].action: a rule has to, actions, roles and reason") {
			return errNotYet("nothing is")
		}
		return nil
	})
	web.awaitRefused("eng/web is frozen until Monday")
	mustSay(t, c.mezzo("plugin", "reload", "authorizer", "python"), 1, "permissions.toml: allow[0].action", "master.hcl:", "permissions = ")

	replaceFile(t, file, permissions)
	before := readyAs(t, c, 0)
	// The kernel keeps 15 bytes of the name.
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", before.PID)); err != nil || string(name) != "authorizer-pyth\n" {
		t.Errorf("the process is called %q, %v", name, err)
	}
	before.send(t, syscall.SIGKILL)
	after := readyAs(t, c, before.PID)
	if after.Restarts != before.Restarts+1 {
		t.Errorf("it was %+v and is %+v", before, after)
	}
	web.run(shell("web-again", "exit 0"))
	web.end("web-again", "STARTING RUNNING FINISHED")
	if r := c.mezzo("plugin", "reload", "authorizer", "python"); r.status != 0 {
		t.Errorf("a reload: %s", r)
	}
	readyAs(t, c, after.PID)
	gone(t, []int{before.PID, after.PID})
	if err := newFramework(t, c, as(webTeam, "ops")).subscribe(); err == nil {
		t.Error("after a reload everything is allowed")
	}
}

// awaitRefused launches tasks until one is refused, for a reason.
func (f *framework) awaitRefused(reason string) {
	f.t.Helper()
	eventually(f.t, "a task is refused: "+reason, func() error {
		id := fmt.Sprintf("refused-%d", time.Now().UnixNano())
		f.launch(shell(id, "exit 0"))
		s := f.awaitStatus(id, "ends", func(s *mesos.TaskStatus) bool { return terminal(s.GetState()) })
		if s.GetReason() != mesos.TaskStatus_REASON_TASK_UNAUTHORIZED || !strings.Contains(s.GetMessage(), reason) {
			return errNotYet(s.String())
		}
		return nil
	})
}

// checkSees checks whose tasks are shown to somebody.
func checkSees(t *testing.T, c *cluster, who login, want ...string) {
	t.Helper()
	seen := map[string]bool{}
	for _, task := range decode[[]struct{ ID string }](t, c.mezzoAs(who, "ps", "--all", "--output", "json").stdout) {
		seen[task.ID] = true
	}
	for _, id := range want {
		if !seen[id] || len(seen) != len(want) {
			t.Errorf("%s sees %v and should see %v", who.principal, seen, want)
		}
	}
}

// replaceFile puts a file in the place of another at once, as careful people do.
func replaceFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.Rename(write(t, filepath.Dir(path), "new", content), path); err != nil {
		t.Fatal(err)
	}
}

// readyAs is ready for the authorizer of a cluster that asks who is calling.
func readyAs(t *testing.T, c *cluster, before int) pluginStatus {
	t.Helper()
	var now pluginStatus
	eventually(t, "the authorizer is ready", func() error {
		r := c.mezzo("plugin", "list", "--output", "json")
		if r.status != 0 {
			return fmt.Errorf("%s", r)
		}
		for _, p := range decode[[]pluginStatus](t, r.stdout) {
			if p.Kind == "authorizer" && p.State == "ready" && p.PID != before {
				now = p
				return nil
			}
		}
		return fmt.Errorf("it is not: %s", r.stdout)
	})
	return now
}
