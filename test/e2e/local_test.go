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

// startLocal starts `mezzo local` with the three plugins. Its parts are as a cluster's of which master and agent
// are one process.
func startLocal(t *testing.T) (*cluster, *daemon) {
	t.Helper()
	c := newCluster(t, site{})
	master, agent := c.masterConfig(), c.agentConfig(c.agents[0])
	// No checksums are needed here.
	lines := strings.Split(master+agent, "\n")
	kept := lines[:0]
	for _, l := range lines {
		if !strings.Contains(l, "sha256") {
			kept = append(kept, l)
		}
	}
	d := newDaemon(t, "local", c.dir, "local", write(t, c.dir, "local.hcl", strings.Join(kept, "\n")))
	c.master, c.agents[0].daemon = d, d
	d.start()
	return c, d
}

// `mezzo local` asked to end ends its tasks; killed, it finds them again.
func TestLocal(t *testing.T) {
	t.Parallel()
	c, d := startLocal(t)
	c.wait()
	f := subscribe(t, c)
	f.run(sleeper("stays"), stubborn("stays-too"))
	stay := append(processesOf(t, f.await("stays", mesos.TaskState_TASK_RUNNING)), initOf(t, f.await("stays-too", mesos.TaskState_TASK_RUNNING)))
	d.kill()
	allSame(t, stay)
	d.start()
	c.wait()
	f.resubscribe()
	allSame(t, stay)
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
	d.end(syscall.SIGTERM)
	gone(t, pidsOf(stay))
	c.checkNothingLeft(c.agents[0])
}

// Many tasks come and go, and the daemons hold no more of anything than before.
func TestNothingAccumulates(t *testing.T) {
	t.Parallel()
	c, d := startLocal(t)
	t.Cleanup(func() {
		d.end(syscall.SIGTERM)
		c.checkNothingLeft(c.agents[0])
		if strings.Contains(d.output(), "level=WARN") || strings.Contains(d.output(), "level=ERROR") {
			t.Error("the log warns, though all went well")
		}
	})
	c.wait()
	f := subscribe(t, c)
	round := func(n int) {
		var tasks []*mesos.TaskInfo
		for i := range 25 {
			tasks = append(tasks, program(fmt.Sprintf("r%d-%d", n, i), []string{"/bin/true"}))
		}
		if err := f.accept(f.wholeOffer(4), tasks...); err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			f.end(task.GetTaskId().GetValue(), "STARTING RUNNING FINISHED")
		}
	}
	round(0)
	processes := append(descendants(t, d.pid(), suite.bin), look(t, d.pid()))
	before := map[int]int{}
	for _, p := range processes {
		before[p.PID] = settledDescriptors(t, p.PID)
	}
	for n := range 4 {
		round(n + 1)
	}
	for _, p := range processes {
		// A connection or two may be kept open for the next request.
		const slack = 6
		eventually(t, "descriptors are closed", func() error {
			if now := descriptors(t, p.PID); now > before[p.PID]+slack {
				return fmt.Errorf("%s has %d open, before 100 tasks %d", p, now, before[p.PID])
			}
			return nil
		})
	}
	eventually(t, "the cgroups are gone", func() error {
		for _, root := range c.agents[0].cgroupRoots() {
			if below, _ := filepath.Glob(root + "/*/"); len(below) > 0 {
				return fmt.Errorf("%v", below)
			}
		}
		return nil
	})
	if left, _ := filepath.Glob("/run/mezzo/" + c.agents[0].instance() + "/*"); len(left) > 0 {
		t.Errorf("left at run time: %v", left)
	}
}

func descriptors(t *testing.T, pid int) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// settledDescriptors waits until a process has as few descriptors as it will.
func settledDescriptors(t *testing.T, pid int) int {
	t.Helper()
	n := descriptors(t, pid)
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		n = min(n, descriptors(t, pid))
	}
	return n
}

// The README's first command, without the building. It needs the ports that Mezzo has by default.
func TestDemo(t *testing.T) {
	if suite.bin != filepath.Join(suite.root, "bin") {
		t.Log("the demo uses bin/, whatever MEZZO_BIN says")
	}
	cmd := exec.Command(filepath.Join(suite.root, "scripts", "demo"))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &out, environment()
	if err := suite.family.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := suite.family.Wait(cmd); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for i := range 5 {
		if !strings.Contains(out.String(), fmt.Sprintf("task-%d", i+1)) {
			t.Errorf("task-%d is not shown", i+1)
		}
	}
	if !strings.Contains(out.String(), "FINISHED") || strings.Contains(out.String(), "FAILED") {
		t.Errorf("the demo printed:\n%s", out.String())
	}
}
