//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/test/leak"
)

func TestRun(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	for _, one := range []struct {
		args           []string
		status         int
		stdout, stderr string
	}{
		{[]string{"--", "echo to stdout; echo to stderr >&2"}, 0, "to stdout\n", "to stderr\n"},
		{[]string{"--", "exit 7"}, 7, "", ""},
		{[]string{"--", "kill -TERM $$"}, 143, "", ""},
		{[]string{"--env", "N=a b", "--cpus", "0.2", "--mem", "64", "--", "echo $N"}, 0, "a b\n", ""},
		{[]string{"--", "/bin/echo", "two  words", "$N"}, 0, "two  words $N\n", ""},
		{[]string{"--user", "nobody", "--", "id -un"}, 0, "nobody\n", ""},
		{[]string{"--uri", filepath.Join(suite.root, "README.md"), "--", "head -n 1 README.md"}, 0, "# Mezzo\n", ""},
		{[]string{"--uri", "/no/such/file", "--", "true"}, 125, "", "/no/such/file"},
		{[]string{"--mem", "40", "--", `x=$(head -c 200000000 /dev/zero | tr '\0' x); echo ${#x}`}, 125, "", "emory"},
	} {
		r := c.mezzo(append([]string{"run"}, one.args...)...)
		if r.status != one.status || r.stdout != one.stdout || !strings.Contains(r.stderr, one.stderr) {
			t.Errorf("run %q: want exit status %d: %s", one.args, one.status, r)
		}
	}
	mustSay(t, c.mezzo("run"), 2, "arg")
	mustSay(t, c.mezzo("run", "--env", "novalue", "--", "true"), 2, "NAME=VALUE")
	mustSay(t, c.mezzo("run", "--cpus", "NaN", "--", "true"), 2, "--cpus")
	mustSay(t, c.mezzo("run", "--mem", "1e300", "--", "true"), 2, "--mem")
	mustSay(t, c.mezzo("run", "--cpus", "lots", "--", "true"), 2, "--cpus", "lots")
	mustSay(t, c.mezzo("run", "--role", "a//b", "--", "true"), 125, "a//b", "two adjacent slashes")
	nobody := freeAddress(t)
	mustSay(t, command(t, "mezzo", "run", "--master", nobody, "--", "true"), 125, "no master answers at "+nobody, "pass --master")
}

// An address that is somebody else's is told apart from a master's.
func TestWrongAddress(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	for address, says := range map[string]string{
		c.agents[0].address: "that is an agent", c.link: "does not speak HTTP", "https://" + c.address: "HTTP response to HTTPS client",
	} {
		mustSay(t, command(t, "mezzo", "ps", "--master", address), 1, says)
		mustSay(t, command(t, "mezzo", "run", "--master", address, "--", "true"), 125, says)
	}
	// A master among others is found all the same.
	if r := command(t, "mezzo", "ps", "--master", c.agents[0].address+","+c.address); r.status != 0 || !strings.Contains(r.stdout, "No tasks are running") {
		t.Errorf("ps: %s", r)
	}
	mustSay(t, c.mezzo("logs", "-f", "nothing"), 1, `task "nothing": there is no such task`)
}

// runUntil begins `mezzo run` and returns when its first line is there.
func (c *cluster) runUntil(t *testing.T, line, command string) (*exec.Cmd, io.Closer) {
	t.Helper()
	cmd := exec.Command(filepath.Join(suite.bin, "mezzo"), "run", "--master", c.address, "--", command)
	cmd.Env = environment()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := suite.family.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(out).ReadString('\n'); err != nil || got != line+"\n" {
		t.Errorf("its first line: %q %v", got, err)
	}
	return cmd, out
}

// Output comes while the task runs, and Ctrl-C ends the task with the command.
func TestRunInterrupted(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	cmd, _ := c.runUntil(t, "begun", "echo begun; sleep 100000; echo never")
	var sleeps []leak.Process
	eventually(t, "the task sleeps", func() error {
		if sleeps = descendants(t, c.agents[0].pid(), "sleep 100000"); len(sleeps) != 1 {
			return errNotYet(fmt.Sprint(sleeps))
		}
		return nil
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = suite.family.Wait(cmd)
	if status := cmd.ProcessState.ExitCode(); status != 130 {
		t.Errorf("the exit status is %d", status)
	}
	gone(t, pidsOf(sleeps))
	if r := c.mezzo("ps"); r.status != 0 || !strings.Contains(r.stdout, "No tasks are running") {
		t.Errorf("ps: %s", r)
	}
}

// Who stops reading the output, as head does, ends the task, too.
func TestRunNotRead(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	cmd, out := c.runUntil(t, "more", "while :; do echo more; sleep 0.1; done")
	out.Close()
	_ = suite.family.Wait(cmd)
	if status := cmd.ProcessState.ExitCode(); status != 130 {
		t.Errorf("the exit status is %d", status)
	}
	if r := c.mezzo("ps"); r.status != 0 || !strings.Contains(r.stdout, "No tasks are running") {
		t.Errorf("ps: %s", r)
	}
}

// What cannot be written is an error.
func TestOutputNotWritten(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	drf := filepath.Join(suite.bin, "allocator-drf")
	for _, args := range [][]string{{"version"}, {"version", "-o", "json"}, {"plugin", "inspect", drf}} {
		cmd := exec.Command(filepath.Join(suite.bin, "mezzo"), args...)
		cmd.Stdout = full
		if err := suite.family.Start(cmd); err != nil {
			t.Fatal(err)
		}
		if _ = suite.family.Wait(cmd); cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("%v with a full disk: %s", args, cmd.ProcessState)
		}
	}
}

// A command whose output nobody reads says nothing of it, and leaves nothing behind.
func TestOutputNotRead(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"version"}, {"plugin", "inspect", filepath.Join(suite.bin, "allocator-drf")},
		{"policy", "explain", "../../configs/policies", "--principal", "web", "--action", "run_task", "--user", "root"},
	} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read.Close()
		var stderr bytes.Buffer
		cmd := exec.Command(filepath.Join(suite.bin, "mezzo"), args...)
		cmd.Stdout, cmd.Stderr = write, &stderr
		cmd.Env = append(environment(), "TMPDIR="+shortDir(t)) // which is to be empty in the end
		if err := suite.family.Start(cmd); err != nil {
			t.Fatal(err)
		}
		write.Close()
		if _ = suite.family.Wait(cmd); cmd.ProcessState.ExitCode() != 141 || stderr.Len() > 0 {
			t.Errorf("%v: %s, %s", args, cmd.ProcessState, &stderr)
		}
	}
}

// A launch that is lost with master and agent comes to an end, too.
func TestRunIsLost(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a := c.agents[0]
	a.signal(syscall.SIGSTOP)
	var out bytes.Buffer
	cmd := exec.Command(filepath.Join(suite.bin, "mezzo"), "run", "--master", c.address, "--", "true")
	cmd.Env, cmd.Stderr = environment(), &out
	if err := suite.family.Start(cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = suite.family.Wait(cmd)
	}()
	eventually(t, "the master has launched it", func() error {
		if r := c.mezzo("ps", "--output", "json"); !strings.Contains(r.stdout, "TASK_STAGING") {
			return errNotYet(r.stdout)
		}
		return nil
	})
	a.kill()
	c.master.kill()
	c.master.start()
	a.start()
	select {
	case <-ended:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Fatal("it waits for ever")
	}
	if status := cmd.ProcessState.ExitCode(); status != 125 || !strings.Contains(out.String(), "Task is unknown to the agent") {
		t.Errorf("the exit status is %d: %s", status, &out)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{agent: `attributes = { rack = "r7" }`})
	f := subscribe(t, c)
	f.launch(sleeper("runs"), shell("ended", "exit 3"))
	f.await("runs", mesos.TaskState_TASK_RUNNING)
	f.end("ended", "STARTING RUNNING FAILED")
	for _, one := range []struct {
		args      []string
		want, not string
	}{
		{[]string{"ps"}, "runs", "ended"},
		{[]string{"ps", "--all"}, "FAILED", ""},
		{[]string{"ps", "--all"}, "RUNNING", ""},
		{[]string{"agents"}, "rack:r7", ""},
		{[]string{"agents"}, "0.1/4", ""},
		{[]string{"frameworks"}, f.id.GetValue(), ""},
		{[]string{"plugin", "list"}, "drf", "cgroups"},
		{[]string{"plugin", "list", "--agent", c.agents[0].address}, "cgroups", "drf"},
		{[]string{"wait", "--agents", "1"}, "ready", ""},
		{[]string{"--help"}, "Exit codes", ""},
		{[]string{"run", "--help"}, "Ctrl-C", ""},
		{[]string{"version"}, "MEZZO", ""},
	} {
		r := c.mezzo(one.args...)
		if r.status != 0 || !strings.Contains(r.stdout, one.want) || one.not != "" && strings.Contains(r.stdout, one.not) {
			t.Errorf("%v: want %q and not %q: %s", one.args, one.want, one.not, r)
		}
	}
	checkJSON(t, c, f)
	mustSay(t, c.mezzo("rn"), 2, `did you mean "run"`)
	mustSay(t, c.mezzo("agnets"), 2, "agnets", `did you mean "agents"`)
	mustSay(t, c.mezzo("plugin", "lst"), 2, "lst", `did you mean "list"`)
	mustSay(t, c.mezzo("ps", "--no-such-flag"), 2, "no-such-flag")
	mustSay(t, c.mezzo("ps", "--output", "yaml"), 2, "yaml")
	mustSay(t, c.mezzo("logs"), 2, "logs")
	mustSay(t, c.mezzo("wait", "--agents", "9", "--timeout", "300ms"), 1, "1 of 9")
	nobody := freeAddress(t)
	mustSay(t, command(t, "mezzo", "ps", "--master", nobody), 1, nobody)
}

// checkJSON looks at what scripts get.
func checkJSON(t *testing.T, c *cluster, f *framework) {
	t.Helper()
	tasks := decode[[]struct {
		ID, State, Framework, Agent string
		CPUs, Mem                   float64
	}](t, c.mezzo("ps", "--all", "--output", "json").stdout)
	states := map[string]string{}
	for _, task := range tasks {
		states[task.ID] = task.State
		if task.CPUs != 0.1 || task.Mem != 32 || task.Framework != f.id.GetValue() {
			t.Errorf("ps has %+v", task)
		}
	}
	if len(states) != 2 || states["runs"] != "TASK_RUNNING" || states["ended"] != "TASK_FAILED" {
		t.Errorf("ps has %v", states)
	}
	agents := decode[[]struct {
		Active           bool
		Total, Allocated map[string]float64
		Attributes       map[string]string
	}](t, c.mezzo("agents", "-o", "json").stdout)
	if len(agents) != 1 || !agents[0].Active || agents[0].Total["cpus"] != 4 || agents[0].Allocated["cpus"] != 0.1 || agents[0].Attributes["rack"] != "r7" {
		t.Errorf("agents has %+v", agents)
	}
	if frameworks := decode[[]map[string]any](t, c.mezzo("frameworks", "-o", "json").stdout); len(frameworks) != 1 || frameworks[0]["id"] != f.id.GetValue() {
		t.Errorf("frameworks has %v", frameworks)
	}
	if p := decode[pluginStatus](t, c.mezzo("plugin", "reload", "allocator", "drf", "-o", "json").stdout); p.Name != "drf" || p.State != "ready" {
		t.Errorf("plugin reload has %+v", p)
	}
	if plugins := decode[[]pluginStatus](t, c.mezzo("plugin", "list", "-o", "json").stdout); len(plugins) != 2 || plugins[0].State != "ready" {
		t.Errorf("plugin list has %+v", plugins)
	}
}

func TestPluginInspectAndVerify(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"allocator-drf": "fairness_exclude", "authorizer-opa": "policies", "isolator-cgroups": "config {"} {
		binary := filepath.Join(suite.bin, name)
		kind, instance, _ := strings.Cut(name, "-")
		r := command(t, "mezzo", "plugin", "inspect", binary)
		if r.status != 0 || !strings.Contains(r.stdout, want) || !strings.Contains(r.stdout, `plugin "`+kind+`" "`+instance+`"`) || !strings.Contains(r.stdout, checksum(t, binary)) {
			t.Errorf("inspect %s: %s", name, r)
		}
		said := decode[struct {
			Name, SHA256 string
			Schema       map[string]any
		}](t, command(t, "mezzo", "plugin", "inspect", "-o", "json", binary).stdout)
		if said.Name != instance || said.SHA256 != checksum(t, binary) || said.Schema == nil {
			t.Errorf("inspect %s as JSON: %+v", name, said)
		}
	}
	mustSay(t, command(t, "mezzo", "plugin", "inspect", "/bin/true"), 1, "/bin/true")
	mustSay(t, command(t, "mezzo", "plugin", "inspect", "/no/such/file"), 1, "/no/such/file")
	if r := command(t, "mezzo", "plugin", "verify", filepath.Join(suite.bin, "isolator-cgroups")); r.status != 0 || !strings.Contains(r.stdout, "kill and recover") && !strings.Contains(r.stderr, "kill and recover") {
		t.Errorf("verify: %s", r)
	}
	if r := command(t, "mezzo", "plugin", "verify", "/bin/true"); r.status != 1 {
		t.Errorf("verify of what is no plugin: %s", r)
	}
}
