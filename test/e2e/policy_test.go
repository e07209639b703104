//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
