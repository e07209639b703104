//go:build linux

package e2e

import (
	"errors"
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

// pluginStatus is what of /plugins the tests look at.
type pluginStatus struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	State    string `json:"state"`
	PID      int    `json:"pid"`
	Restarts int    `json:"restarts"`
	Error    string `json:"error"`
	Problem  string `json:"problem"`
	// LastError is why it was down before.
	LastError string `json:"last_error"`
}

// plugin says how the plugin of a kind is, as the daemon at an address sees it.
func plugin(address, kind string) (pluginStatus, error) {
	var all []pluginStatus
	if err := getJSON(address, "/plugins", &all); err != nil {
		return pluginStatus{}, err
	}
	for _, p := range all {
		if p.Kind == kind {
			return p, nil
		}
	}
	return pluginStatus{}, fmt.Errorf("no %s among %+v", kind, all)
}

// ready waits until a plugin is ready, in another process than before, and returns how it is.
func ready(t *testing.T, address, kind string, before int) pluginStatus {
	t.Helper()
	var now pluginStatus
	eventually(t, kind+" is ready", func() (err error) {
		if now, err = plugin(address, kind); err == nil && (now.State != "ready" || now.PID == before) {
			err = fmt.Errorf("%+v", now)
		}
		return err
	})
	return now
}

// send sends a signal to a plugin's process.
func (p pluginStatus) send(t *testing.T, s syscall.Signal) {
	t.Helper()
	if p.PID == 0 {
		t.Fatalf("%s has no process", p.Kind)
	}
	if err := syscall.Kill(p.PID, s); err != nil {
		t.Fatal(err)
	}
}

func healthy(address string) error {
	r, err := request(http.MethodGet, address, "/health", "", nil)
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("%d %s", r.status, r.body)
	}
	return err
}

// hobbled is a site whose plugins are in a folder of the test's own, in which one can be broken.
func hobbled(t *testing.T) (site, string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"allocator-drf", "authorizer-opa", "isolator-cgroups"} {
		if err := os.Link(filepath.Join(suite.bin, name), filepath.Join(dir, name)); err != nil {
			data, err := os.ReadFile(filepath.Join(suite.bin, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return site{plugins: dir}, dir
}

// hide takes a plugin's program away, so that it cannot be started; the result puts it back.
func hide(t *testing.T, dir, name string) (back func()) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.Rename(path, path+".hidden"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Rename(path+".hidden", path); err != nil {
			t.Error(err)
		}
	}
}

// While there is no allocator, offers stay good and are accepted; when it is back, offers are made again.
func TestAllocatorKilled(t *testing.T) {
	t.Parallel()
	s, dir := hobbled(t)
	c := startCluster(t, s)
	f := subscribe(t, c)
	f.run(sleeper("runs-on"))
	stay := processesOf(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	o := f.offer(nil)
	p := ready(t, c.address, "allocator", 0)
	back := hide(t, dir, "allocator-drf")
	p.send(t, syscall.SIGKILL)
	eventually(t, "/health says so", func() error {
		if err := healthy(c.address); err == nil || !strings.Contains(err.Error(), `allocator "drf" is backing off`) {
			return fmt.Errorf("it says %v", err)
		}
		return nil
	})
	if err := f.accept(o, shell("meanwhile", "exit 0"), sleeper("runs-on-too")); err != nil {
		t.Fatal(err)
	}
	f.end("meanwhile", "STARTING RUNNING FINISHED")
	back()
	now := ready(t, c.address, "allocator", p.PID)
	if now.Restarts == 0 {
		t.Errorf("it counts no restart: %+v", now)
	}
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
	eventually(t, "the master is healthy", func() error { return healthy(c.address) })
	allSame(t, stay)
	f.kill("runs-on", 0)
	f.kill("runs-on-too", 0)
	f.end("runs-on-too", "STARTING RUNNING KILLED")
	checkWholeOffers(t, f, 1)
}

// Without the authorizer nothing is allowed, and nothing is lost: calls that need it are to be made again, those
// that only report go through.
func TestAuthorizerKilled(t *testing.T) {
	t.Parallel()
	s, dir := hobbled(t)
	c := startCluster(t, s)
	f := subscribe(t, c, notAcknowledging)
	f.launch(sleeper("runs-on"))
	starting := f.await("runs-on", mesos.TaskState_TASK_STARTING)
	o := f.offer(nil)
	p := ready(t, c.address, "authorizer", 0)
	back := hide(t, dir, "authorizer-opa")
	p.send(t, syscall.SIGKILL)
	eventually(t, "the authorizer is down", func() error {
		if now, err := plugin(c.address, "authorizer"); err == nil && now.State == "ready" {
			return errNotYet(now.State)
		}
		return nil
	})
	mustBeUnavailable(t, "ACCEPT", f.accept(o, shell("denied", "exit 0")))
	mustBeUnavailable(t, "SUBSCRIBE", newFramework(t, c).subscribe())
	if r := ask(t, http.MethodGet, c.address, "/state", "", nil); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("/state: %d %s", r.status, r.body)
	}
	if err := f.acknowledge(starting); err != nil {
		t.Errorf("an acknowledgement: %v", err)
	}
	if err := f.acknowledge(f.await("runs-on", mesos.TaskState_TASK_RUNNING)); err != nil {
		t.Errorf("an acknowledgement: %v", err)
	}
	back()
	ready(t, c.address, "authorizer", p.PID)
	f.mu.Lock()
	f.silent = false
	f.mu.Unlock()
	if err := f.accept(o, shell("allowed", "exit 0")); err != nil {
		t.Fatalf("the offer that could not be accepted: %v", err)
	}
	f.end("allowed", "STARTING RUNNING FINISHED")
	if h := f.history("denied"); len(h) > 0 {
		t.Errorf("what was not allowed went %s", way(h))
	}
	f.kill("runs-on", 0)
	f.end("runs-on", "STARTING RUNNING KILLED")
}

func mustBeUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	var refused *refusalError
	if !errors.As(err, &refused) || refused.status != http.StatusServiceUnavailable || refused.header.Get("Retry-After") == "" {
		t.Errorf("%s without an authorizer: %v", what, err)
	}
}

// Without the isolator containers run on and new ones wait for it.
func TestIsolatorKilled(t *testing.T) {
	t.Parallel()
	s, dir := hobbled(t)
	s.agent = `launch_timeout = "30s"`
	c := startCluster(t, s)
	a, f := c.agents[0], subscribe(t, c)
	f.run(sleeper("runs-on"), shell("greedy-later", newGateIn(dir).wait()+`x=$(head -c 200000000 /dev/zero | tr '\0' x); echo ${#x}`))
	running := f.await("runs-on", mesos.TaskState_TASK_RUNNING)
	stay, id := processesOf(t, running), running.GetContainerStatus().GetContainerId().GetValue()
	p := ready(t, a.address, "isolator", 0)
	back := hide(t, dir, "isolator-cgroups")
	p.send(t, syscall.SIGKILL)
	eventually(t, "the agent is not healthy", func() error {
		if healthy(a.address) == nil {
			return errNotYet("it is")
		}
		return nil
	})
	checkListedUnmeasured(t, a, id)
	f.launch(shell("waits", "exit 0"))
	meanwhile(t, time.Second, "the launch waits", func() error {
		if h := f.history("waits"); len(h) > 0 {
			return fmt.Errorf("it went %s", way(h))
		}
		return nil
	})
	back()
	ready(t, a.address, "isolator", p.PID)
	f.end("waits", "STARTING RUNNING FINISHED")
	allSame(t, stay)
	newGateIn(dir).open(t)
	if s := f.end("greedy-later", "STARTING RUNNING FAILED"); s.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY {
		t.Errorf("a limit under the new process: %s, %s", s.GetReason(), s.GetMessage())
	}
	f.kill("runs-on", 0)
	f.end("runs-on", "STARTING RUNNING KILLED")
}

// checkListedUnmeasured: while its isolator is down, a container is listed with what else is known of it, and the log
// and the metrics tell why that is not all.
func checkListedUnmeasured(t *testing.T, a *agent, id string) {
	t.Helper()
	var all []struct {
		ID         string             `json:"container_id"`
		Statistics map[string]float64 `json:"statistics"`
		Status     struct {
			PID int `json:"executor_pid"`
		} `json:"status"`
	}
	if err := getJSON(a.address, "/containers?container_id="+id, &all); err != nil || len(all) != 1 || all[0].Status.PID == 0 {
		t.Fatalf("/containers: %v %+v", err, all)
	}
	_, limited := all[0].Statistics["mem_limit_bytes"]
	if _, measured := all[0].Statistics["cpus_user_time_secs"]; !measured || limited {
		t.Errorf("without the isolator, only what the processes tell is known: %v", all[0].Statistics)
	}
	if !strings.Contains(a.output(), "what containers use is not known, or in part only") {
		t.Error("the log does not say why figures are missing")
	}
	r, err := request(http.MethodGet, a.address, "/metrics", "", nil)
	if err != nil || !strings.Contains(r.body, `mezzo_plugin_up{kind="isolator",plugin="cgroups"} 0`) {
		t.Errorf("/metrics does not say that the isolator is down: %v", err)
	}
}

func newGateIn(dir string) gate { return gate(filepath.Join(dir, "open")) }

// A launch does not wait for the isolator for ever.
func TestLaunchTimeout(t *testing.T) {
	t.Parallel()
	s, dir := hobbled(t)
	s.agent = `launch_timeout = "1s"`
	c := startCluster(t, s)
	f := subscribe(t, c)
	p := ready(t, c.agents[0].address, "isolator", 0)
	back := hide(t, dir, "isolator-cgroups")
	p.send(t, syscall.SIGKILL)
	began := time.Now()
	f.launch(shell("waits", "exit 0"))
	last := f.end("waits", "FAILED")
	if d := time.Since(began); d < time.Second || d > 5*time.Second {
		t.Errorf("the launch failed after %v, the timeout is 1s", d)
	}
	checkWholeOffers(t, f, 1) // though the isolator is still to be told to clean up
	if last.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(last.GetMessage(), "cgroups") {
		t.Errorf("%s: %s", last.GetReason(), last.GetMessage())
	}
	back()
	if r := c.mezzo("plugin", "reload", "isolator", "cgroups", "--agent", c.agents[0].address); r.status != 0 {
		t.Errorf("reload: %s", r)
	}
	ready(t, c.agents[0].address, "isolator", p.PID)
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
}

// A plugin that hangs is found out, killed and started again.
func TestPluginsHang(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	f.run(sleeper("runs-on"))
	stay := processesOf(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	where := map[string]string{"allocator": c.address, "authorizer": c.address, "isolator": c.agents[0].address}
	before := map[string]pluginStatus{}
	for kind, address := range where {
		before[kind] = ready(t, address, kind, 0)
		before[kind].send(t, syscall.SIGSTOP)
	}
	for kind, address := range where {
		ready(t, address, kind, before[kind].PID)
		gone(t, []int{before[kind].PID})
	}
	allSame(t, stay)
	eventually(t, "a task can be launched", func() error { return f.accept(f.offer(nil), shell("after", "exit 0")) })
	f.end("after", "STARTING RUNNING FINISHED")
	f.kill("runs-on", 0)
	f.end("runs-on", "STARTING RUNNING KILLED")
}

// A plugin that keeps dying is failed, which is shown; one that can be started again is by a reload, at once.
func TestPluginKeepsDying(t *testing.T) {
	t.Parallel()
	s, dir := hobbled(t)
	c := startCluster(t, s)
	f := subscribe(t, c)
	f.run(sleeper("runs-on"))
	p := ready(t, c.address, "allocator", 0)
	back := hide(t, dir, "allocator-drf")
	write(t, dir, "allocator-drf", "#!/bin/sh\nexit 3\n")
	if err := os.Chmod(filepath.Join(dir, "allocator-drf"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.send(t, syscall.SIGKILL)
	within(t, 2*time.Minute, "it is failed", func() error {
		if now, err := plugin(c.address, "allocator"); err != nil || now.State != "failed" {
			return fmt.Errorf("%+v %w", now, err)
		}
		return nil
	})
	if r := c.mezzo("plugin", "list"); r.status != 0 || !strings.Contains(r.stdout, "failed") {
		t.Errorf("plugin list: %s", r)
	}
	if r := ask(t, http.MethodGet, c.address, "/health", "", nil); r.status != http.StatusServiceUnavailable || !strings.Contains(r.body, `allocator "drf" is failed`) {
		t.Errorf("/health: %d %s", r.status, r.body)
	}
	if r := c.mezzo("plugin", "reload", "allocator", "drf"); r.status != 1 || !strings.Contains(r.stderr, "allocator") {
		t.Errorf("reload of what cannot be started: %s", r)
	}
	back()
	if r := c.mezzo("plugin", "reload", "allocator", "drf"); r.status != 0 {
		t.Errorf("reload: %s", r)
	}
	ready(t, c.address, "allocator", p.PID)
	if err := healthy(c.address); err != nil {
		t.Error(err)
	}
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
	f.kill("runs-on", 0)
	f.end("runs-on", "STARTING RUNNING KILLED")
}

// An agent that asks an authorizer does so of each task, and waits for one that is down.
func TestAgentsAuthorizerKilled(t *testing.T) {
	t.Parallel()
	s, dir := hobbled(t)
	s.asking, s.agent = true, `launch_timeout = "30s"`
	c := startCluster(t, s)
	a, f := c.agents[0], subscribe(t, c)
	f.launch(shell("before", "exit 0"))
	f.end("before", "STARTING RUNNING FINISHED")
	p := ready(t, a.address, "authorizer", 0)
	back := hide(t, dir, "authorizer-opa")
	p.send(t, syscall.SIGKILL)
	f.launch(shell("waits", "exit 0"))
	meanwhile(t, time.Second, "the task waits", func() error {
		if h := f.history("waits"); len(h) > 0 {
			return fmt.Errorf("it went %s", way(h))
		}
		return nil
	})
	back()
	ready(t, a.address, "authorizer", p.PID)
	f.end("waits", "STARTING RUNNING FINISHED")
}

// Plugins see nothing of the host's environment that is not let through, and run as who they are told to.
func TestPluginPrivileges(t *testing.T) {
	t.Parallel()
	c := newCluster(t, site{allocator: "user = \"nobody\"\n  group = \"1\"", authorizer: "user = \"nobody\"\n  env = [\"HOME\"]"})
	for dir := c.site.policies; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(c.stop)
	c.master.start()
	c.agents[0].start()
	c.wait()
	f := subscribe(t, c)
	for kind, want := range map[string]struct{ group, through string }{"allocator": {"1", ""}, "authorizer": {"65534", "HOME"}} {
		p := ready(t, c.address, kind, 0)
		checkPrivileges(t, p, want.group, want.through)
		p.send(t, syscall.SIGKILL)
		checkPrivileges(t, ready(t, c.address, kind, p.PID), want.group, want.through)
	}
	eventually(t, "a task can be launched", func() error { return f.accept(f.offer(nil), shell("after", "exit 0")) })
	f.end("after", "STARTING RUNNING FINISHED")
}

// checkPrivileges looks whether a plugin runs by its name as nobody, with that group, and sees of the tests' variables the
// one that is let through.
func checkPrivileges(t *testing.T, p pluginStatus, group, through string) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Name:\t" + p.Kind + "-" + p.Name + "\n", "Uid:\t65534\t65534\t65534\t65534", "Gid:" + strings.Repeat("\t"+group, 4), "Groups:\t \n", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("%s: its status lacks %q:\n%s", p.Kind, want, status)
		}
	}
	seen, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range strings.Split(string(seen), "\x00") {
		name, value, _ := strings.Cut(v, "=")
		if ours, ok := os.LookupEnv(name); ok && ours == value && name != through && name != "PATH" {
			t.Errorf("%s sees %s", p.Kind, v)
		}
	}
	if through != "" && !strings.Contains("\x00"+string(seen), "\x00"+through+"="+os.Getenv(through)) {
		t.Errorf("%s does not see %s", p.Kind, through)
	}
}
