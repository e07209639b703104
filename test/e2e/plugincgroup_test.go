//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// isIn tells whether a process is a member of a cgroup.
func isIn(pid int, group string) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err == nil && !strings.Contains(string(text), ":/"+group+"\n") {
		err = fmt.Errorf("process %d is not in %s:\n%s", pid, group, text)
	}
	return err
}

// limit reads a file of a group in the hierarchy of a controller.
func limit(t *testing.T, controller, group, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", controller, group, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// stray starts a process in a plugin's cgroup, as one that the plugin has started and that has detached itself.
func stray(t *testing.T, group string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := suite.family.Start(cmd); err != nil {
		t.Fatal(err)
	}
	for _, controller := range []string{"cpu", "memory", "pids"} {
		file := filepath.Join("/sys/fs/cgroup", controller, group, "cgroup.procs")
		if err := os.WriteFile(file, []byte(fmt.Sprint(cmd.Process.Pid)), 0); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// mustBeKilled waits for a process to end by SIGKILL.
func mustBeKilled(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	err := suite.family.Wait(cmd)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("process %d ended with %v", cmd.Process.Pid, err)
	}
}

// A plugin is in its own cgroup, with its limits. Whatever it leaves there ends with it, or at the latest when the
// next host starts, and nothing of it stays. A task's cgroup is none of its business.
func TestPluginCgroup(t *testing.T) {
	t.Parallel()
	c := newCluster(t, site{
		allocator: "cgroup {\n  cpus   = 1.5\n  memory = \"256MiB\"\n  pids   = 200\n}", isolator: "cgroup {}",
	})
	group := "mezzo/" + filepath.Base(c.masterRuntime()) + "/allocator-drf"
	t.Cleanup(func() { // when the cluster has stopped
		if left, _ := filepath.Glob("/sys/fs/cgroup/*/" + filepath.Dir(group)); len(left) > 0 {
			t.Errorf("the master has left the cgroups %v", left)
		}
	})
	t.Cleanup(c.stop)
	c.master.start()
	a := c.agents[0]
	a.start()
	c.wait()
	p := ready(t, c.address, "allocator", 0)
	if err := isIn(p.PID, group); err != nil {
		t.Error(err)
	}
	for _, l := range [][3]string{
		{"cpu", "cpu.cfs_quota_us", "150000"}, {"memory", "memory.limit_in_bytes", "268435456"}, {"pids", "pids.max", "200"},
	} {
		if got := limit(t, l[0], group, l[1]); got != l[2] {
			t.Errorf("%s is %s, want %s", l[1], got, l[2])
		}
	}
	f := subscribe(t, c)
	f.run(sleeper("stays"))
	stay := processesOf(t, f.await("stays", mesos.TaskState_TASK_RUNNING))

	left := stray(t, group)
	p.send(t, syscall.SIGKILL)
	mustBeKilled(t, left)
	next := ready(t, c.address, "allocator", p.PID)
	if err := isIn(next.PID, group); err != nil {
		t.Error(err)
	}

	isolator := ready(t, a.address, "isolator", 0)
	isolators := "mezzo/" + a.instance() + ".plugins/isolator-cgroups"
	if err := isIn(isolator.PID, isolators); err != nil {
		t.Error(err)
	}
	left, other := stray(t, isolators), stray(t, group)
	a.kill()
	c.master.kill()
	gone(t, []int{isolator.PID, next.PID})
	c.master.start()
	c.restart(a)
	mustBeKilled(t, left)
	mustBeKilled(t, other)
	if err := isIn(ready(t, a.address, "isolator", 0).PID, isolators); err != nil {
		t.Error(err)
	}
	allSame(t, stay)
	f.resubscribe()
	f.kill("stays", 0)
	f.await("stays", mesos.TaskState_TASK_KILLED)
}

// buildTestPlugin builds the SDK's test plugin under a name, which says how it behaves.
func buildTestPlugin(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", path, "github.com/mezzo-cluster/mezzo/sdk/plugintest/testplugin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the test plugin: %v\n%s", err, out)
	}
	return path
}

// A plugin that wants more memory than its cgroup has is killed and started again, and it is told why. The launch
// during which that happens goes on.
func TestPluginOutOfMemory(t *testing.T) {
	t.Parallel()
	plugin := buildTestPlugin(t, "isolator-greedy")
	c := startCluster(t, site{
		isolators: func(*cluster) string {
			return fmt.Sprintf("plugin \"isolator\" \"greedy\" {\n  binary = %q\n  sha256 = %q\n  cgroup {\n    memory = \"64MiB\"\n  }\n}\n",
				plugin, checksum(t, plugin))
		},
	})
	a, f := c.agents[0], subscribe(t, c)
	f.launch(sleeper("lucky"))
	f.await("lucky", mesos.TaskState_TASK_RUNNING)
	const want = "signal: killed, since its cgroup ran out of memory"
	eventually(t, "it is ready again, and the reason is told", func() error {
		var all []pluginStatus
		if err := getJSON(a.address, "/plugins", &all); err != nil {
			return err
		}
		for _, p := range all {
			if p.Name == "greedy" && p.State == "ready" && p.Restarts == 1 && strings.Contains(p.LastError, want) {
				return nil
			}
		}
		return fmt.Errorf("%+v", all)
	})
	if !strings.Contains(a.output(), want) {
		t.Error("the agent's log does not tell the reason")
	}
	if r := c.mezzo("plugin", "list", "--agent", a.address); r.status != 0 || !strings.Contains(r.stdout, want) {
		t.Errorf("the list does not tell the reason: %s", r)
	}
	f.kill("lucky", 0)
	f.end("lucky", "STARTING RUNNING KILLED")
}

// Where there are no cgroups, a block that wants one is a mistake, shown at its line.
func TestPluginCgroupWithoutCgroups(t *testing.T) {
	t.Parallel()
	c := newCluster(t, site{allocator: "cgroup {\n    pids = 200\n  }"})
	config := filepath.Join(c.dir, "master.hcl")
	mezzo := exec.Command("unshare", "--mount", "sh", "-c", `mount -t tmpfs none /sys/fs/cgroup && exec "$@"`, "-",
		filepath.Join(suite.bin, "mezzo"), "config", "validate", config)
	mezzo.Env = environment()
	var said strings.Builder
	mezzo.Stdout, mezzo.Stderr = &said, &said
	if err := suite.family.Start(mezzo); err != nil {
		t.Fatal(err)
	}
	if err := suite.family.Wait(mezzo); err == nil {
		t.Error("it has succeeded")
	}
	for _, want := range []string{
		config + ":", ":3: Not possible here: no cgroup can be made: there is neither a hierarchy of version 2", "leave the block out", "|   cgroup {", "^^^^^^",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not said:\n%s", want, &said)
		}
	}
	if r := c.mezzo("config", "validate", config); r.status != 0 {
		t.Errorf("with cgroups: %s", r)
	}
}
