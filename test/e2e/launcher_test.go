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
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/test/leak"
)

// launching is a site whose agents have, besides the cgroups isolator, one that starts the containers and contributes
// resources. Its program is in a folder of the test's own.
func launching(t *testing.T, resources string) (site, string) {
	t.Helper()
	s, dir := hobbled(t)
	data, err := os.ReadFile(filepath.Join(suite.bin, "isolator-process"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "isolator-process"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	s.isolators = func(c *cluster) string {
		return c.plugin("isolator", "process", fmt.Sprintf("config {\n    resources = %q\n  }", resources))
	}
	return s, dir
}

// isolatorNamed says how an agent's isolator is.
func (a *agent) isolatorNamed(name string) (pluginStatus, error) {
	var all []pluginStatus
	if err := getJSON(a.address, "/plugins", &all); err != nil {
		return pluginStatus{}, err
	}
	for _, p := range all {
		if p.Kind == "isolator" && p.Name == name {
			return p, nil
		}
	}
	return pluginStatus{}, fmt.Errorf("no isolator %s among %+v", name, all)
}

// launcher waits until the isolator that starts containers is ready, in another process than before.
func (a *agent) launcher(before int) pluginStatus {
	a.t.Helper()
	var now pluginStatus
	eventually(a.t, "the launching isolator is ready", func() (err error) {
		if now, err = a.isolatorNamed("process"); err == nil && (now.State != "ready" || now.PID == before) {
			err = fmt.Errorf("%+v", now)
		}
		return err
	})
	return now
}

// mustBeLaunchedByPlugin fails unless a task's first process was made by the launching isolator.
func mustBeLaunchedByPlugin(t *testing.T, s *mesos.TaskStatus) {
	t.Helper()
	if first := initOf(t, s); !strings.HasPrefix(first.Command, "isolator-process hold") {
		t.Errorf("the container's first process is %s", first)
	}
}

// sleeping are the processes of a sleeper's container, once it sleeps: a task runs from when its command was let go.
func sleeping(t *testing.T, s *mesos.TaskStatus) []leak.Process {
	t.Helper()
	var all []leak.Process
	eventually(t, "the command runs", func() error {
		if all = processesOf(t, s); len(all) != 2 || !strings.HasPrefix(all[1].Command, "/bin/sleep") {
			return fmt.Errorf("there are %v", all)
		}
		return nil
	})
	return all
}

// Tasks run by way of an isolator that starts containers, with what it contributes and as the other isolators demand.
func TestLauncher(t *testing.T) {
	t.Parallel()
	s, _ := launching(t, "widgets:4")
	c := startCluster(t, s)
	a, f := c.agents[0], subscribe(t, c)
	o := f.offer(func(o *mesos.Offer) bool { return amount(o, "widgets") == 4 })
	if err := f.accept(o, shell("plain", "sleep 1000", resources(scalar("cpus", 0.1), scalar("mem", 32), scalar("widgets", 3))),
		stubborn("stubborn", grace(500*time.Millisecond)),
		shell("clean", `trap "echo cleaned up; exit 0" TERM; echo ready; while :; do sleep 0.1; done`)); err != nil {
		t.Fatal(err)
	}
	running := f.await("plain", mesos.TaskState_TASK_RUNNING)
	mustBeLaunchedByPlugin(t, running)
	if len(a.cgroupsOf(running)) == 0 {
		t.Error("the container has no cgroup")
	}
	f.launch(shell("ends-7", `echo "$MESOS_SANDBOX"; pwd; echo aside >&2; exit 7`), shell("ends-by-signal", "kill -SEGV $$"),
		shell("nobody", "id -u", user("nobody")), program("missing", []string{"/no/such/program"}), program("path", []string{"true"}),
		shell("greedy", `x=$(head -c 200000000 /dev/zero | tr '\0' x); echo ${#x}`))
	for id, message := range map[string]string{
		"ends-7": "Command exited with status 7", "ends-by-signal": "Command terminated with signal Segmentation fault", "missing": "Command exited",
	} {
		if s := f.end(id, "STARTING RUNNING FAILED"); !strings.HasPrefix(s.GetMessage(), message) {
			t.Errorf("%s: %q", id, s.GetMessage())
		}
	}
	f.end("path", "STARTING RUNNING FINISHED")
	f.end("nobody", "STARTING RUNNING FINISHED")
	if s := f.end("greedy", "STARTING RUNNING FAILED"); s.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY {
		t.Errorf("out of memory: %s, %s", s.GetReason(), s.GetMessage())
	}
	if out := f.sandboxFile(a, "nobody", "stdout"); out != "65534\n" {
		t.Errorf("the user is %q", out)
	}
	if out := strings.Split(f.sandboxFile(a, "ends-7", "stdout"), "\n"); len(out) != 3 || out[0] == "" || out[0] != out[1] {
		t.Errorf("its output is %q", out)
	}
	if out := f.sandboxFile(a, "ends-7", "stderr"); out != "aside\n" {
		t.Errorf("its errors are %q", out)
	}
	readied(t, c, f, "stubborn", "ready")
	readied(t, c, f, "clean", "ready")
	asked := time.Now()
	for id, message := range map[string]string{
		"plain": "Command terminated with signal Terminated", "stubborn": "Command terminated with signal Killed", "clean": "Command exited with status 0",
	} {
		pids := pidsOf(processesOf(t, f.await(id, mesos.TaskState_TASK_RUNNING)))
		f.kill(id, -1)
		if s := f.end(id, "STARTING RUNNING KILLED"); s.GetMessage() != message {
			t.Errorf("%s: %q", id, s.GetMessage())
		}
		gone(t, pids)
	}
	if waited := time.Since(asked); waited < 450*time.Millisecond {
		t.Errorf("SIGKILL came before the grace was over, after %v", waited)
	}
	checkWholeOffers(t, f, 1)
}

// Containers outlive the plugin that started them and the agent, and their true ends are told.
func TestLauncherKilled(t *testing.T) {
	t.Parallel()
	s, dir := launching(t, "widgets:4")
	c := startCluster(t, s)
	a, f := c.agents[0], subscribe(t, c)
	first, second := newGate(t), newGate(t)
	f.run(sleeper("runs-on"), sleeper("killed-meanwhile"), shell("ends-with-plugin-down", first.wait()+"exit 5"),
		shell("ends-with-agent-down", second.wait()+"exit 6"))
	stay := sleeping(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	unwanted := pidsOf(processesOf(t, f.await("killed-meanwhile", mesos.TaskState_TASK_RUNNING)))
	ends := initOf(t, f.await("ends-with-plugin-down", mesos.TaskState_TASK_RUNNING)).PID

	p := a.launcher(0)
	back := hide(t, dir, "isolator-process")
	p.send(t, syscall.SIGKILL)
	eventually(t, "the plugin is down", func() error {
		if now, err := a.isolatorNamed("process"); err != nil || now.State == "ready" {
			return errNotYet(now.State)
		}
		return nil
	})
	first.open(t)
	gone(t, []int{ends})
	f.kill("killed-meanwhile", 0)
	allSame(t, stay)
	back()
	a.launcher(p.PID)
	if s := f.end("ends-with-plugin-down", "STARTING RUNNING FAILED"); s.GetMessage() != "Command exited with status 5" {
		t.Errorf("it ended while the plugin was down: %q", s.GetMessage())
	}
	f.end("killed-meanwhile", "STARTING RUNNING KILLED")
	gone(t, unwanted)

	ends = initOf(t, f.await("ends-with-agent-down", mesos.TaskState_TASK_RUNNING)).PID
	a.kill()
	second.open(t)
	gone(t, []int{ends})
	c.restart(a)
	allSame(t, stay)
	if s := f.end("ends-with-agent-down", "STARTING RUNNING FAILED"); s.GetMessage() != "Command exited with status 6" {
		t.Errorf("it ended while the agent was down: %q", s.GetMessage())
	}
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
	allSame(t, stay)
	f.kill("runs-on", -1)
	if s := f.end("runs-on", "STARTING RUNNING KILLED"); s.GetMessage() != "Command terminated with signal Terminated" {
		t.Errorf("it was asked to end: %q", s.GetMessage())
	}
}

// An agent that starts while the plugin is down has what the plugin contributed, and starts no container without it.
func TestLauncherDownAtStart(t *testing.T) {
	t.Parallel()
	s, dir := launching(t, "widgets:4")
	s.agent = `launch_timeout = "2s"`
	c := startCluster(t, s)
	a, f := c.agents[0], subscribe(t, c)
	f.run(sleeper("runs-on"))
	stay := sleeping(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	back := hide(t, dir, "isolator-process")
	a.kill()
	c.restart(a)
	o := f.offer(func(o *mesos.Offer) bool { return amount(o, "widgets") == 4 })
	if err := healthy(a.address); err == nil || !strings.Contains(err.Error(), `isolator "process"`) {
		t.Errorf("/health says %v", err)
	}
	if err := f.accept(o, shell("too-early", "exit 0")); err != nil {
		t.Fatal(err)
	}
	if s := f.await("too-early", mesos.TaskState_TASK_FAILED); s.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(s.GetMessage(), `isolator "process"`) {
		t.Errorf("%s: %s", s.GetReason(), s.GetMessage())
	}
	allSame(t, stay)
	back()
	a.launcher(0)
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
	f.kill("runs-on", 0)
	f.end("runs-on", "STARTING RUNNING KILLED")
}

// A reload keeps the tasks. One that would change what the agent has is refused, and so is such an agent, unless its
// configuration allows it to have more.
func TestLauncherReload(t *testing.T) {
	t.Parallel()
	s, _ := launching(t, "widgets:4")
	c := startCluster(t, s)
	a, f := c.agents[0], subscribe(t, c)
	f.run(sleeper("runs-on"))
	stay := sleeping(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	p := a.launcher(0)
	reload := []string{"plugin", "reload", "isolator", "process", "--agent", a.address}
	if r := c.mezzo(reload...); r.status != 0 {
		t.Fatalf("%v: %s", reload, r)
	}
	now := a.launcher(p.PID)
	if now.Restarts != p.Restarts {
		t.Errorf("a reload counts as a restart: %+v", now)
	}
	allSame(t, stay)
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")

	good, err := os.ReadFile(a.config)
	if err != nil {
		t.Fatal(err)
	}
	more := strings.Replace(string(good), "widgets:4", "widgets:5", 1)
	write(t, a.dir, "agent.hcl", more)
	mustSay(t, c.mezzo(reload...), 1, `isolator "process"`, "widgets:5", "widgets:4", "the present process goes on")
	if after := a.launcher(0); after.PID != now.PID {
		t.Errorf("it was %+v, now %+v", now, after)
	}
	allSame(t, stay)

	a.kill()
	mustSay(t, command(t, "mezzo", "agent", a.config), 1, "incompatible agent info", "widgets")
	write(t, a.dir, "agent.hcl", strings.Replace(more, "agent {", "agent {\n  reconfiguration_policy = \"additive\"", 1))
	c.restart(a)
	allSame(t, stay)
	f.offer(func(o *mesos.Offer) bool { return amount(o, "widgets") == 5 })
	f.kill("runs-on", -1)
	f.end("runs-on", "STARTING RUNNING KILLED")
}

// Whatever plugin or agent is doing when they are killed, every task comes to exactly one end.
func TestLauncherKilledWhileLaunching(t *testing.T) {
	t.Parallel()
	s, _ := launching(t, "")
	s.resources = "cpus:100;mem:100000;disk:1000"
	c := startCluster(t, s)
	a, f := c.agents[0], subscribe(t, c)
	for round := range 4 {
		var tasks []*mesos.TaskInfo
		for i := range 8 {
			tasks = append(tasks, shell(fmt.Sprintf("round%d-%d", round, i), "sleep 0.1; exit 0"))
		}
		if err := f.accept(f.wholeOffer(100), tasks...); err != nil {
			t.Fatal(err)
		}
		first := tasks[2*round].GetTaskId().GetValue()
		eventually(t, first+" is on its way", func() error {
			if len(f.history(first)) == 0 {
				return errNotYet("no update")
			}
			return nil
		})
		if round%2 == 0 {
			a.launcher(0).send(t, syscall.SIGKILL)
		} else {
			a.kill()
			c.restart(a)
		}
		for _, task := range tasks {
			id := task.GetTaskId().GetValue()
			s := f.awaitStatus(id, "comes to an end", func(s *mesos.TaskStatus) bool { return terminal(s.GetState()) })
			if state := s.GetState(); state != mesos.TaskState_TASK_FINISHED && (round%2 == 0 || state != mesos.TaskState_TASK_DROPPED) {
				t.Errorf("%s: %v", id, s)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(a.workDir(), "plugins", "isolator-process", "containers", "*", "*")); err != nil || len(left) > 0 {
		eventually(t, "the plugin has forgotten all containers", func() error {
			left, err := filepath.Glob(filepath.Join(a.workDir(), "plugins", "isolator-process", "containers", "*", "*"))
			if len(left) > 0 {
				err = errors.Join(err, errNotYet(fmt.Sprint(left)))
			}
			return err
		})
	}
}

// What isolators cannot be to an agent together is refused at its start, with the names of both.
func TestLauncherConfigurations(t *testing.T) {
	t.Parallel()
	s, dir := launching(t, "widgets:4")
	c := newCluster(t, s)
	a := c.agents[0]
	second := func(resources string) string {
		return fmt.Sprintf("plugin \"isolator\" \"other\" {\n  binary = %q\n  sha256 = %q\n  config {\n    resources = %q\n  }\n}\n",
			filepath.Join(dir, "isolator-process"), checksum(t, filepath.Join(dir, "isolator-process")), resources)
	}
	good, err := os.ReadFile(a.config)
	if err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]struct {
		text string
		want []string
	}{
		"two launchers":     {string(good) + second(""), []string{`"process" and "other" both start containers`, "take one of them out"}},
		"configured, too":   {strings.Replace(string(good), `"`+defaultResources, `"widgets:1;`+defaultResources, 1), []string{`isolator "process" contributes widgets`, "configuration (resources)"}},
		"a role of its own": {strings.Replace(string(good), `"widgets:4"`, `"widgets(ops):4"`, 1), []string{`isolator "process"`, "is reserved", "default_role"}},
		"no resources":      {strings.Replace(string(good), `"widgets:4"`, `"widgets"`, 1), []string{"agent.hcl:", "widgets"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), "agent.hcl", one.text)
			mustSay(t, command(t, "mezzo", "agent", path), 1, one.want...)
			c.checkNothingLeft(a)
		})
	}
}
