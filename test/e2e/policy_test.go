//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

const denyNamed = `package mezzo.authz

default allow := true

deny contains "tasks named forbidden are not run here" if {
	input.action == "run_task"
	startswith(input.object.id, "forbidden")
}
`

// A policy that changes is taken at once; one that does not compile is not, and the old one stays.
func TestPolicyChanges(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	f.launch(shell("forbidden-not-yet", "exit 0"))
	f.end("forbidden-not-yet", "STARTING RUNNING FINISHED")
	// The shipped policies' tests do not go with the new policy.
	if err := os.Remove(filepath.Join(c.site.policies, "authz_test.rego")); err != nil {
		t.Fatal(err)
	}
	write(t, c.site.policies, "authz.rego", denyNamed)
	eventually(t, "the new policy is in force", func() error {
		id := fmt.Sprintf("forbidden-soon-%d", time.Now().UnixNano())
		f.launch(shell(id, "exit 0"))
		if s := f.awaitStatus(id, "ends", func(s *mesos.TaskStatus) bool { return terminal(s.GetState()) }); s.GetState() != mesos.TaskState_TASK_ERROR {
			return errNotYet(s.GetState().String())
		}
		return nil
	})
	f.launch(shell("forbidden-now", "exit 0"), shell("permitted", "exit 0"))
	s := f.end("forbidden-now", "ERROR")
	if s.GetReason() != mesos.TaskStatus_REASON_TASK_UNAUTHORIZED || !strings.Contains(s.GetMessage(), "tasks named forbidden are not run here") {
		t.Errorf("%s: %s", s.GetReason(), s.GetMessage())
	}
	f.end("permitted", "STARTING RUNNING FINISHED")
	write(t, c.site.policies, "authz.rego", "package mezzo.authz\n\nallow if {\n\tno_such_function(input)\n}\n")
	eventually(t, "the mistake is logged", func() error {
		if !strings.Contains(c.master.output(), "no_such_function") {
			return errNotYet("nothing is")
		}
		return nil
	})
	f.launch(shell("forbidden-still", "exit 0"), shell("permitted-still", "exit 0"))
	f.end("forbidden-still", "ERROR")
	f.end("permitted-still", "STARTING RUNNING FINISHED")
	if r := c.mezzo("plugin", "reload", "authorizer", "opa"); r.status != 1 || !strings.Contains(r.stderr, "no_such_function") {
		t.Errorf("a reload with a policy that does not compile: %s", r)
	}
	f.launch(shell("forbidden-after", "exit 0"))
	f.end("forbidden-after", "ERROR")
}

// While what is in the policies' folder is not what is in force, /health and the list of plugins say so, of the master and
// of an agent that asks; everything works on by the old policy.
func TestPolicyNotTakenIsTold(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{asking: true})
	addresses := []string{c.address, c.agents[0].address}
	path := filepath.Join(c.site.policies, "more.rego")
	const bad, good = "package mezzo.authz\n\nallow if {\n\tno_such_function(input)\n}\n", "package mezzo.authz\n\nallow if input.action == \"run_task\"\n"
	told := func(what string) {
		t.Helper()
		for _, address := range addresses {
			eventually(t, what+": "+address+" tells", func() error {
				r := ask(t, http.MethodGet, address, "/health", "", nil)
				if want := `authorizer "opa": the changed policy is not taken`; r.status != http.StatusServiceUnavailable || !strings.HasPrefix(r.body, want) ||
					!strings.Contains(r.body, path+":4: ") || strings.Count(strings.TrimSpace(r.body), "\n") > 0 || strings.Contains(r.body, "(input)") {
					return fmt.Errorf("/health: %d %s", r.status, r.body)
				}
				p, err := plugin(address, "authorizer")
				if err == nil && (p.State != "ready" || !strings.Contains(p.Problem, path+":4: ")) {
					err = fmt.Errorf("%+v", p)
				}
				return err
			})
		}
		if r := c.mezzo("plugin", "list"); r.status != 0 || !strings.Contains(r.stdout, "the changed policy is not taken") {
			t.Errorf("%s: %s", what, r)
		}
	}
	untold := func(what string) {
		t.Helper()
		for _, address := range addresses {
			eventually(t, what+": "+address+" is well", func() error {
				if err := healthy(address); err != nil {
					return err
				}
				if p, err := plugin(address, "authorizer"); err != nil || p.Problem != "" {
					return fmt.Errorf("%+v, %v", p, err)
				}
				return nil
			})
		}
	}
	untold("at the start")
	f := subscribe(t, c)
	write(t, c.site.policies, "more.rego", bad)
	told("a policy that does not compile")
	f.launch(shell("by-the-old", "exit 0"))
	f.end("by-the-old", "STARTING RUNNING FINISHED")
	write(t, c.site.policies, "more.rego", good)
	untold("another policy")
	write(t, c.site.policies, "more.rego", bad)
	told("again one that does not compile")
	write(t, c.site.policies, "more.rego", good)
	untold("back to what is in force")
	write(t, c.site.policies, "more.rego", bad)
	told("once more")
	p := ready(t, c.address, "authorizer", 0)
	p.send(t, syscall.SIGKILL)
	eventually(t, "a policy that does not compile starts nothing", func() error {
		if err := healthy(c.address); err == nil || !strings.Contains(err.Error(), `authorizer "opa" is `) || !strings.Contains(err.Error(), path+":4: ") || strings.Contains(err.Error(), "(input)") {
			return fmt.Errorf("/health: %v", err)
		}
		return nil
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	ready(t, c.address, "authorizer", p.PID)
	untold("the policy is mended")
}
