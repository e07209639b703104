//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// What is configured is what happens, and what /flags shows.
func TestSettings(t *testing.T) {
	t.Parallel()
	home, short := t.TempDir(), shortDir(t)
	write(t, home, "at-home", "fetched\n")
	c := startCluster(t, site{
		master: `hostname = "boss.example"
  cluster = "testers"
  max_completed_frameworks = 1
  max_completed_tasks_per_framework = 2`,
		agent: fmt.Sprintf(`hostname = "worker.example"
  default_role = "eng"
  executor_shutdown_grace_period = "1h"
  executor_reregistration_timeout = "3s"
  recovery_timeout = "1m"
  gc_delay = "1h"
  frameworks_home = %q
  runtime_dir = %q`, home, short),
	})
	a := c.agents[0]
	f := subscribe(t, c, multiRole("*", "eng"), capable(mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT))
	o := f.offer(nil)
	for _, r := range o.GetResources() {
		if len(r.GetReservations()) != 1 || r.GetReservations()[0].GetRole() != "eng" {
			t.Errorf("resources of the default role are offered as %v", r)
		}
	}
	if o.GetHostname() != "worker.example" || o.GetAllocationInfo().GetRole() != "eng" {
		t.Errorf("the offer is of %s for %s", o.GetHostname(), o.GetAllocationInfo().GetRole())
	}
	if left, err := filepath.Glob(filepath.Join(short, a.instance()+"*")); err != nil || len(left) == 0 || exists("/run/mezzo/"+a.instance()) {
		t.Errorf("in runtime_dir is %v %v", left, err)
	}
	gate := newGate(t)
	tasks := []*mesos.TaskInfo{shell("env", "env; cat at-home", fetching(uri("at-home"))), shell("two", "true"), shell("three", "true"), graceful("cleans-up", gate)}
	for _, task := range tasks {
		for _, r := range task.Resources {
			r.Reservations = o.GetResources()[0].GetReservations()
		}
	}
	if err := f.accept(o, tasks...); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"env", "two", "three"} {
		f.end(id, "STARTING RUNNING FINISHED")
	}
	out := f.sandboxFile(a, "env", "stdout")
	for _, want := range []string{"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=1hrs\n", "MESOS_SUBSCRIPTION_BACKOFF_MAX=3secs\n", "MESOS_RECOVERY_TIMEOUT=1mins\n", "\nfetched\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the task lacks %q in %q", want, out)
		}
	}
	c.checkFlags(t, c.address, "hostname boss.example", "cluster testers", "max_completed_frameworks 1", "max_completed_tasks_per_framework 2")
	c.checkFlags(t, a.address, "hostname worker.example", "default_role eng", "executor_shutdown_grace_period 1h0m0s",
		"executor_reregistration_timeout 3s", "recovery_timeout 1m0s", "gc_delay 1h0m0s", "frameworks_home "+home, "runtime_dir "+short)
	c.checkKept(t, 2, 0)
	f.await("cleans-up", mesos.TaskState_TASK_RUNNING)
	readied(t, c, f, "cleans-up", "ready")
	checkGrace(t, a, f, gate)
	f = subscribe(t, c)
	f.teardown()
	f.awaitClosed()
	c.checkKept(t, 0, 1)
}

// shortDir is a folder of few letters, for sockets. Nothing may be left in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// graceful is a task that, asked to end, does so in its own time: when the gate opens.
func graceful(id string, g gate) *mesos.TaskInfo {
	return shell(id, `trap "echo asked; `+g.wait()+` echo cleaned up; exit 0" TERM; echo ready; while :; do sleep 0.1; done`)
}

// checkGrace tears a framework down whose task cleans up, for longer than it may unless it is told otherwise.
func checkGrace(t *testing.T, a *agent, f *framework, g gate) {
	t.Helper()
	s := f.latest("cleans-up")
	first := initOf(t, s)
	out := filepath.Join(a.workDir(), "slaves", s.GetAgentId().GetValue(), "frameworks", f.id.GetValue(),
		"executors", "cleans-up", "runs", s.GetContainerStatus().GetContainerId().GetValue(), "stdout")
	f.teardown()
	meanwhile(t, 6*time.Second, "the task may clean up", func() error {
		if !first.Same() {
			return errNotYet("it is gone")
		}
		return nil
	})
	g.open(t)
	gone(t, []int{first.PID})
	if data, err := os.ReadFile(out); err != nil || string(data) != "ready\nasked\ncleaned up\n" {
		t.Errorf("it wrote %q %v", data, err)
	}
}

// checkFlags looks for flags, each a name and a value.
func (c *cluster) checkFlags(t *testing.T, address string, want ...string) {
	t.Helper()
	var doc struct{ Flags map[string]string }
	if err := getJSON(address, "/flags", &doc); err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		if name, value, _ := strings.Cut(w, " "); doc.Flags[name] != value {
			t.Errorf("%s is %q, want %q: %v", name, doc.Flags[name], value, doc.Flags)
		}
	}
}

// checkKept waits until the master remembers that much of what has ended.
func (c *cluster) checkKept(t *testing.T, tasks, frameworks int) {
	t.Helper()
	eventually(t, "what is kept is bounded", func() error {
		var doc struct {
			Cluster, Hostname string
			Frameworks        []struct {
				Completed []any `json:"completed_tasks"`
			}
			Completed []any `json:"completed_frameworks"`
		}
		if err := c.get("/state", &doc); err != nil {
			return err
		}
		n := 0
		for _, f := range doc.Frameworks {
			n += len(f.Completed)
		}
		if n != tasks || len(doc.Completed) != frameworks || doc.Cluster != "testers" || doc.Hostname != "boss.example" {
			return fmt.Errorf("%d tasks, %d frameworks of %s at %s", n, len(doc.Completed), doc.Cluster, doc.Hostname)
		}
		return nil
	})
}

// Sandboxes that are kept for no time are gone at once, and tasks that may not have a user of their own have the agent's.
func TestNothingIsKept(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{agent: `gc_delay = "0s"
  executor_shutdown_grace_period = "0s"
  switch_user = false`})
	f := subscribe(t, c, with(func(i *mesos.FrameworkInfo) { i.User = proto.String("daemon") }))
	told := filepath.Join(t.TempDir(), "told")
	f.launch(shell("told", `{ id -un; echo $MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD; } > `+told, user("nobody")))
	s := f.end("told", "STARTING RUNNING FINISHED")
	if data, err := os.ReadFile(told); err != nil || string(data) != "root\n0ns\n" {
		t.Errorf("the task wrote %q %v", data, err)
	}
	sandbox := filepath.Join(c.agents[0].workDir(), "slaves", s.GetAgentId().GetValue(), "frameworks", f.id.GetValue(), "executors", "told", "runs")
	eventually(t, "the sandbox is gone", func() error {
		if left, _ := filepath.Glob(filepath.Join(sandbox, "*-*")); len(left) > 0 {
			return fmt.Errorf("there is %v", left)
		}
		return nil
	})
}

// What an agent is not told it finds out: all cpus, and memory and disk less a reserve. What it is told may have any name.
func TestFoundResources(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{resources: "bricks:3;bugs:{a,b};ports:[40000-40001]"})
	var machine syscall.Sysinfo_t
	var disk syscall.Statfs_t
	if err := errors.Join(syscall.Sysinfo(&machine), syscall.Statfs(c.agents[0].workDir(), &disk)); err != nil {
		t.Fatal(err)
	}
	spare := func(bytes uint64, reserve float64) float64 {
		mb := float64(bytes >> 20)
		if mb < 2*reserve {
			return float64(bytes >> 20 / 2)
		}
		return mb - reserve
	}
	o := subscribe(t, c).offer(nil)
	for name, want := range map[string]float64{
		"cpus": float64(runtime.NumCPU()), "mem": spare(machine.Totalram*uint64(machine.Unit), 1024),
		"disk": spare(disk.Blocks*uint64(disk.Bsize), 5120), "bricks": 3,
	} {
		if got := amount(o, name); got != want {
			t.Errorf("%g %s are offered, want %g", got, name, want)
		}
	}
	for _, r := range o.GetResources() {
		if r.GetName() == "bugs" && strings.Join(r.GetSet().GetItem(), " ") != "a b" ||
			r.GetName() == "ports" && (len(r.GetRanges().GetRange()) != 1 || r.GetRanges().GetRange()[0].GetEnd() != 40001) {
			t.Errorf("offered is %v", r)
		}
	}
	if len(o.GetResources()) != 6 {
		t.Errorf("offered are %v", o.GetResources())
	}
}

// A call of a plugin may take as long as its block says.
func TestPluginTimeout(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{authorizer: `timeout = "6s"`})
	p := ready(t, c.address, "authorizer", 0)
	p.send(t, syscall.SIGSTOP)
	began := time.Now()
	mustBeUnavailable(t, "SUBSCRIBE", newFramework(t, c).subscribe())
	if d := time.Since(began); d < 5*time.Second {
		t.Errorf("it was given up after %v", d)
	}
	p.send(t, syscall.SIGCONT)
}
