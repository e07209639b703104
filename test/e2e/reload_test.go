//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// Plugins are replaced under running tasks, none of which is lost, and no resources are offered twice.
func TestReload(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a, f := c.agents[0], subscribe(t, c)
	f.run(sleeper("runs-on"), shell("greedy-later", newGateIn(c.dir).wait()+`x=$(head -c 200000000 /dev/zero | tr '\0' x); echo ${#x}`))
	stay := processesOf(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	held := f.offer(nil)
	for round := range 2 {
		for _, one := range []struct{ kind, name, address string }{
			{"allocator", "drf", c.address}, {"authorizer", "opa", c.address}, {"isolator", "cgroups", a.address},
		} {
			before := ready(t, one.address, one.kind, 0)
			args := []string{"plugin", "reload", one.kind, one.name}
			if one.kind == "isolator" {
				args = append(args, "--agent", a.address)
			}
			if r := c.mezzo(args...); r.status != 0 || !strings.Contains(r.stdout, "was reloaded") {
				t.Fatalf("%v: %s", args, r)
			}
			now := ready(t, one.address, one.kind, before.PID)
			if now.Restarts != before.Restarts {
				t.Errorf("a reload counts as a restart: %+v", now)
			}
			gone(t, []int{before.PID})
		}
		if held != nil { // an offer of before is as good as ever
			if err := f.accept(held, shell("on-an-old-offer", "exit 0")); err != nil {
				t.Fatal(err)
			}
			f.end("on-an-old-offer", "STARTING RUNNING FINISHED")
			held = nil
		}
		id := fmt.Sprintf("after-%d", round)
		f.launch(shell(id, "exit 0"))
		f.end(id, "STARTING RUNNING FINISHED")
	}
	allSame(t, stay)
	for dir, plugins := range map[string]int{c.masterRuntime(): 2, "/run/mezzo/" + a.instance() + ".plugins": 1} {
		if left, err := os.ReadDir(dir); err != nil || len(left) != plugins {
			t.Errorf("%s holds the sockets of %d plugins, and has %v %v", dir, plugins, left, err)
		}
	}
	newGateIn(c.dir).open(t)
	if s := f.end("greedy-later", "STARTING RUNNING FAILED"); s.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY {
		t.Errorf("a limit after reloads: %s, %s", s.GetReason(), s.GetMessage())
	}
	f.kill("runs-on", 0)
	f.end("runs-on", "STARTING RUNNING KILLED")
	checkWholeOffers(t, f, 1)
	if r := c.mezzo("plugin", "reload", "allocator", "nobody"); r.status != 1 || !strings.Contains(r.stderr, "nobody") {
		t.Errorf("reload of an unknown plugin: %s", r)
	}
}

// A reload that cannot succeed leaves the plugin as it was, and says at which line the mistake is.
func TestReloadFails(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	before := ready(t, c.address, "allocator", 0)
	config := filepath.Join(c.dir, "master.hcl")
	good, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.dir, "master.hcl", strings.Replace(string(good), `plugin "allocator" "drf" {`, "plugin \"allocator\" \"drf\" {\n  config {\n    fairness_excluded = []\n  }", 1))
	mustSay(t, c.mezzo("plugin", "reload", "allocator", "drf"), 1, "master.hcl:", "fairness_excluded", "fairness_exclude")
	if now := ready(t, c.address, "allocator", 0); now.PID != before.PID {
		t.Errorf("it was %+v, now %+v", before, now)
	}
	write(t, c.dir, "master.hcl", string(good))
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
	var refused *refusalError
	if err := f.send(&scheduler.Call{Type: scheduler.Call_ACCEPT.Enum()}); !errors.As(err, &refused) {
		t.Errorf("a bad call: %v", err)
	}
}

// SIGHUP replaces the plugins, as after their programs or the configuration have changed; a configuration with a
// mistake is not taken.
func TestHangup(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a, f := c.agents[0], subscribe(t, c)
	f.run(sleeper("runs-on"))
	stay := processesOf(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	before := map[string]int{}
	for _, kind := range []string{"allocator", "authorizer"} {
		before[kind] = ready(t, c.address, kind, 0).PID
	}
	isolator := ready(t, a.address, "isolator", 0).PID
	c.master.signal(syscall.SIGHUP)
	a.signal(syscall.SIGHUP)
	for kind, pid := range before {
		before[kind] = ready(t, c.address, kind, pid).PID
	}
	ready(t, a.address, "isolator", isolator)
	config := filepath.Join(c.dir, "master.hcl")
	good, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.dir, "master.hcl", "master {{\n")
	c.master.signal(syscall.SIGHUP)
	eventually(t, "the mistake is logged", func() error {
		if !strings.Contains(c.master.output(), "master.hcl:1:") {
			return errNotYet("it is not")
		}
		return nil
	})
	for kind, pid := range before {
		if now := ready(t, c.address, kind, 0).PID; now != pid {
			t.Errorf("the %s was replaced", kind)
		}
	}
	write(t, c.dir, "master.hcl", string(good))
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
	allSame(t, stay)
	f.kill("runs-on", 0)
	f.end("runs-on", "STARTING RUNNING KILLED")
}
