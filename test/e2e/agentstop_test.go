//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// An agent that is asked to stop leaves its tasks running for the next; one that is asked to leave ends them.
func TestAgentStops(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a, f := c.agents[0], subscribe(t, c)
	f.run(sleeper("runs-on"))
	stay := processesOf(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		a.end(s)
		allSame(t, stay)
		c.restart(a)
		allSame(t, stay)
	}
	a.end(syscall.SIGUSR1)
	gone(t, pidsOf(stay))
	f.end("runs-on", "STARTING RUNNING KILLED")
	eventually(t, "the agent has left", func() error {
		var list slaves
		if err := c.get("/slaves", &list); err != nil || len(list.Slaves) != 0 {
			return fmt.Errorf("the agents are %v %w", list, err)
		}
		return nil
	})
}

// The tasks of a framework that does not checkpoint are lost with the agent, and nothing of them is left after it is
// started again.
func TestWithoutCheckpoints(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a := c.agents[0]
	f := subscribe(t, c, with(func(i *mesos.FrameworkInfo) { i.Checkpoint = proto.Bool(false) }))
	f.run(sleeper("goes"))
	pids := pidsOf(processesOf(t, f.await("goes", mesos.TaskState_TASK_RUNNING)))
	a.kill()
	if s := f.end("goes", "STARTING RUNNING LOST"); s.GetReason() != mesos.TaskStatus_REASON_AGENT_DISCONNECTED {
		t.Errorf("the reason is %s", s.GetReason())
	}
	c.restart(a)
	gone(t, pids)
	checkWholeOffers(t, f, 1)
}

// An agent whose resources or attributes have changed says what has, unless it may have more than it had.
func TestAgentReconfigured(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a, f := c.agents[0], subscribe(t, c)
	f.run(sleeper("runs-on"))
	stay := processesOf(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	a.kill()
	more := replaced(t, a.config, "cpus:4;", "cpus:6;", "work_dir ", "attributes = { rack = \"r9\" }\n  work_dir ")
	mustSay(t, command(t, "mezzo", "agent", more), 1, "reconfiguration_policy", "cpus", "6")
	less := replaced(t, a.config, "cpus:4;", "cpus:2;", "work_dir ", "reconfiguration_policy = \"additive\"\n  work_dir ")
	mustSay(t, command(t, "mezzo", "agent", less), 1, "cpus")
	allSame(t, stay)
	more = replaced(t, a.config, "cpus:4;", "cpus:6;", "work_dir ", "attributes = { rack = \"r9\" }\n  reconfiguration_policy = \"additive\"\n  work_dir ")
	a.args = []string{"agent", more}
	c.restart(a)
	allSame(t, stay)
	eventually(t, "what is new is on offer", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, o := range f.offers {
			if len(o.GetAttributes()) == 1 && amount(o, "cpus") > 5 {
				return nil
			}
		}
		return fmt.Errorf("the offers are %v", f.offers)
	})
	f.kill("runs-on", 0)
	f.end("runs-on", "STARTING RUNNING KILLED")
}

// What an agent cannot read it says with the path, and does not go on; told not to be strict, it goes on without.
func TestAgentStateDamaged(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a, f := c.agents[0], subscribe(t, c)
	f.run(sleeper("forgotten"), shell("more", "exit 0"))
	pids := pidsOf(processesOf(t, f.await("forgotten", mesos.TaskState_TASK_RUNNING)))
	f.end("more", "STARTING RUNNING FINISHED")
	a.kill()
	logs, err := filepath.Glob(filepath.Join(a.workDir(), "run", "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("the run store has no log: %v", err)
	}
	damage(t, logs[len(logs)-1])
	mustSay(t, command(t, "mezzo", "agent", a.config), 1, logs[len(logs)-1], "strict = false")
	a.args = []string{"agent", replaced(t, a.config, "work_dir ", "strict = false\n  work_dir ")}
	c.restart(a)
	if !strings.Contains(a.output(), "cannot be read") {
		t.Error("it does not say that something was left out")
	}
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
	f.teardown()
	gone(t, pids)
}

// damage changes a byte in the middle of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0x55
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
