//go:build linux

package e2e

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func TestTasksRunToTheirEnds(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	for _, codec := range []codec{inJSON, inProtobuf} {
		f := subscribe(t, c, speaking(codec))
		id := func(name string) string { return name + strings.TrimPrefix(codec.media, "application/") }
		cases := []struct {
			task    *mesos.TaskInfo
			way     string
			message string
		}{
			{shell(id("good"), "exit 0"), "STARTING RUNNING FINISHED", "Command exited with status 0"},
			{shell(id("three"), "exit 3"), "STARTING RUNNING FAILED", "Command exited with status 3"},
			{shell(id("signal"), "kill -SEGV $$"), "STARTING RUNNING FAILED", "Command terminated with signal Segmentation fault"},
			{program(id("missing"), []string{"/no/such/program"}), "STARTING RUNNING FAILED", ""},
			{program(id("argv"), []string{"/bin/sh", "-c", `test "$1" = 'a b' && test "$0" = zero`, "zero", "a b"}), "STARTING RUNNING FINISHED", ""},
			{program(id("path"), []string{"true"}), "STARTING RUNNING FINISHED", ""},
		}
		var tasks []*mesos.TaskInfo
		for _, one := range cases {
			tasks = append(tasks, one.task)
		}
		f.launch(tasks...)
		for _, one := range cases {
			name := one.task.GetTaskId().GetValue()
			last := f.end(name, one.way)
			if !strings.HasPrefix(last.GetMessage(), one.message) {
				t.Errorf("%s: the message is %q, want %q", name, last.GetMessage(), one.message)
			}
			if last.GetSource() != mesos.TaskStatus_SOURCE_EXECUTOR || len(last.GetUuid()) != 16 || last.GetTimestamp() == 0 {
				t.Errorf("%s: the last status is %v", name, last)
			}
		}
		f.teardown()
		f.awaitClosed()
	}
}

// The program of a task without shell gets the arguments alone, the first of them as its own name.
func TestArgumentVector(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	task := program("argv", []string{"/bin/sh"})
	task.Command.Arguments = []string{"other-name", "-c", `echo "$0|$#|$1"; tr '\0' '|' </proc/$$/cmdline`, "zero", "one two"}
	f.launch(task)
	f.end("argv", "STARTING RUNNING FINISHED")
	out := f.sandboxFile(c.agents[0], "argv", "stdout")
	if !strings.HasPrefix(out, "zero|1|one two\nother-name|-c|") {
		t.Errorf("got %q", out)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{agent: `executor_environment_variables = { SITE = "ours" }`})
	a := c.agents[0]
	f := subscribe(t, c)
	set := func(t *mesos.TaskInfo) {
		t.Command.Environment = &mesos.Environment{Variables: []*mesos.Environment_Variable{{Name: proto.String("GREETING"), Value: proto.String("a 'b' $c")}}}
	}
	env := map[string]string{}
	for _, line := range strings.Split(f.output(a, "env", "env", set), "\n") {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	status := f.await("env", mesos.TaskState_TASK_RUNNING)
	for name, want := range map[string]string{
		"GREETING":                             "a 'b' $c",
		"SITE":                                 "ours",
		"MESOS_FRAMEWORK_ID":                   f.id.GetValue(),
		"MESOS_EXECUTOR_ID":                    "env",
		"MESOS_SLAVE_ID":                       status.GetAgentId().GetValue(),
		"MESOS_AGENT_ENDPOINT":                 a.address,
		"MESOS_SLAVE_PID":                      "slave(1)@" + a.address,
		"MESOS_CHECKPOINT":                     "1",
		"LIBPROCESS_PORT":                      "0",
		"MESOS_RECOVERY_TIMEOUT":               "15mins",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
		"MESOS_HTTP_COMMAND_EXECUTOR":          "0",
		"MESOS_SUBSCRIPTION_BACKOFF_MAX":       "2secs",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	if env["MESOS_SANDBOX"] == "" || env["MESOS_DIRECTORY"] != env["MESOS_SANDBOX"] || env["PATH"] == "" {
		t.Errorf("MESOS_SANDBOX %q, MESOS_DIRECTORY %q, PATH %q", env["MESOS_SANDBOX"], env["MESOS_DIRECTORY"], env["PATH"])
	}
	for _, ours := range []string{"TMPDIR", "HOME", "GOPATH", "LANG"} {
		if v, ok := env[ours]; ok {
			t.Errorf("the agent's own %s=%s is in the task's environment", ours, v)
		}
	}
}

func TestUser(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	line := `id -un; id -Gn; stat -c %U . stdout; echo mine > file; stat -c %U file`
	if out := f.output(c.agents[0], "as-nobody", line, user("nobody")); out != "nobody\nnogroup\nnobody\nnobody\nnobody\n" {
		t.Errorf("as nobody: %q", out)
	}
	daemonly := subscribe(t, c, with(func(i *mesos.FrameworkInfo) { i.User = proto.String("daemon") }))
	if out := daemonly.output(c.agents[0], "as-daemon", `id -un`); out != "daemon\n" {
		t.Errorf("by the framework's user: %q", out)
	}
	f.launch(shell("as-noone", "true", user("no-such-user")))
	if s := f.end("as-noone", "FAILED"); !strings.Contains(s.GetMessage(), "no-such-user") || s.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED {
		t.Errorf("an unknown user: %s %q", s.GetReason(), s.GetMessage())
	}
}

// A container has its own processes, mounts, host name and System V objects, and its first process is mezzo-init.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	f.run(shell("look", `echo $$; ls -d /proc/[0-9]* | wc -l; hostname changed; hostname; mkdir mnt; mount -t tmpfs none mnt; touch mnt/inside; ls mnt; ipcmk -Q >/dev/null; touch ready; sleep 1000`))
	status := f.await("look", mesos.TaskState_TASK_RUNNING)
	first := initOf(t, status)
	if !strings.Contains(first.Command, "mezzo-init") {
		t.Errorf("the container's first process is %s", first)
	}
	checkNamespaces(t, first.PID)
	eventually(t, "the task has looked around", func() error { return f.has(c.agents[0], "look", "ready") })
	out := strings.Fields(f.sandboxFile(c.agents[0], "look", "stdout"))
	if len(out) < 4 || out[0] == "1" || len(out[0]) > 2 || len(out[1]) > 1 || out[2] != "changed" || out[3] != "inside" {
		t.Errorf("the task saw %q", out)
	}
	f.kill("look", 0)
	f.end("look", "STARTING RUNNING KILLED")
}
