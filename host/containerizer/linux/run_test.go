//go:build linux && !cgroups2

package linux_test

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, c := range []struct {
		name    string
		command containerizer.Command
		status  int
		stdout  string
		stderr  string // a part of it
	}{
		{"true", containerizer.Command{Shell: true, Value: "true"}, 0, "", ""},
		{"exit-3", containerizer.Command{Shell: true, Value: "exit 3"}, 3 << 8, "", ""},
		{"signal", containerizer.Command{Shell: true, Value: "kill -TERM $$"}, 15, "", ""},
		{"output", containerizer.Command{Shell: true, Value: "echo out; echo err >&2"}, 0, "out\n", "err\n"},
		{"argv", containerizer.Command{Value: "echo", Arguments: []string{"echo", "a b", "$HOME"}}, 0, "a b $HOME\n", ""},
		{"argv0", containerizer.Command{Value: "/bin/sh", Arguments: []string{"named", "-c", "echo $0"}}, 0, "named\n", ""},
		{"no-argv", containerizer.Command{Value: "/bin/true"}, 0, "", ""},
		{"missing", containerizer.Command{Value: "/no/such/program"}, 1 << 8, "", "Failed to execute '/no/such/program': no such file"},
		{"missing-in-path", containerizer.Command{Value: "no-such-program"}, 1 << 8, "", "Failed to execute 'no-such-program'"},
		{"not-executable", containerizer.Command{Value: "/etc/passwd"}, 1 << 8, "", "permission denied"},
		{"stdin", containerizer.Command{Shell: true, Value: "cat; echo done"}, 0, "done\n", ""},
		{"pid-1-is-init", containerizer.Command{Shell: true, Value: "tr '\\0' ' ' </proc/1/cmdline | cut -d' ' -f1"}, 0, "mezzo-init\n", ""},
		{"leads-its-group", containerizer.Command{Shell: true, Value: "cut -d' ' -f1,5,6 /proc/$$/stat | tr ' ' '\\n' | sort -u | wc -l"}, 0, "1\n", ""},
		{"orphans", containerizer.Command{Shell: true, Value: "(sleep 0 & sleep 0 &) ; sleep 0.05; cat /proc/[0-9]*/stat | grep -c ' Z '; true"}, 0, "0\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := r.shell(c.name, "")
			spec.Command = c.command
			status, stdout, stderr := r.runToEnd(spec)
			if status != c.status {
				t.Errorf("wait status %d, want %d; stderr: %s", status, c.status, stderr)
			}
			if c.stdout != "" && stdout != c.stdout {
				t.Errorf("stdout %q, want %q", stdout, c.stdout)
			}
			if !strings.Contains(stderr, c.stderr) {
				t.Errorf("stderr %q, want in it %q", stderr, c.stderr)
			}
		})
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, stdout, _ := r.runToEnd(r.shell("ns", "for n in pid mnt ipc uts net; do readlink /proc/self/ns/$n; done; ls /proc | grep -c '^[0-9]'"))
	lines := strings.Fields(stdout)
	for i, n := range []string{"pid", "mnt", "ipc", "uts"} {
		if host, err := os.Readlink("/proc/self/ns/" + n); err != nil || host == lines[i] {
			t.Errorf("the container has the host's %s namespace: %s %v", n, lines[i], err)
		}
	}
	if host, err := os.Readlink("/proc/self/ns/net"); err != nil || host != lines[4] {
		t.Errorf("the container has not the host's network namespace: %s %v", lines[4], err)
	}
	if lines[5] != "4" && lines[5] != "3" { // mezzo-init, sh, ls, and grep if that is there in time
		t.Errorf("the container sees %s processes, want 3 or 4", lines[5])
	}
}

// TestMounts checks, on a mount that is shared, that what is mounted inside does not show outside, and the other way
// round that it does.
func TestMounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	shared := filepath.Join(r.folder, "shared")
	for _, name := range []string{shared, filepath.Join(shared, "inside"), filepath.Join(shared, "outside")} {
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
		if name == shared {
			mount(t, name)
			if err := syscall.Mount("", name, "", syscall.MS_SHARED, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	inside, outside := filepath.Join(shared, "inside", "mark"), filepath.Join(shared, "outside", "mark")
	spec := r.shell("mount", "mount -t tmpfs none "+filepath.Dir(inside)+" && touch "+inside+" && exec sleep 1000")
	r.c.Launch(context.Background(), spec)
	root := "/proc/" + itoa(want[containerizer.Started](r, spec.ID).Pid) + "/root"
	until(t, "the mount inside", func() bool {
		_, err := os.Stat(root + inside)
		return err == nil
	})
	if _, err := os.Stat(inside); err == nil {
		t.Error("the mount shows on the host")
	}
	mount(t, filepath.Dir(outside))
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root + outside); err != nil {
		t.Error("a mount of the host does not show inside:", err)
	}
	r.c.Destroy(context.Background(), spec.ID)
	if exited := want[containerizer.Exited](r, spec.ID); exited.WaitStatus != 9 || !exited.Known {
		t.Errorf("destroyed: %+v", exited)
	}
	want[containerizer.Cleaned](r, spec.ID)
}

// mount mounts a tmpfs until the test ends.
func mount(t *testing.T, at string) {
	t.Helper()
	if err := syscall.Mount("none", at, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *launcher.Config) {
		c.Surroundings.Executor = []containerizer.Variable{{Name: "SITE", Value: "1"}, {Name: "BOTH", Value: "site"}}
	})
	spec := r.shell("env", "")
	spec.Command = containerizer.Command{
		Value: "/usr/bin/env", Environment: []containerizer.Variable{{Name: "BOTH", Value: "task"}, {Name: "A", Value: "b=c"}},
	}
	_, stdout, _ := r.runToEnd(spec)
	box := r.sandbox("env")
	wanted := []string{
		"A=b=c", "BOTH=task", "LIBPROCESS_PORT=0", "MESOS_AGENT_ENDPOINT=127.0.0.1:5051", "MESOS_CHECKPOINT=1",
		"MESOS_DIRECTORY=" + box, "MESOS_EXECUTOR_ID=env", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=5secs",
		"MESOS_FRAMEWORK_ID=framework-1", "MESOS_HTTP_COMMAND_EXECUTOR=0", "MESOS_RECOVERY_TIMEOUT=15mins",
		"MESOS_SANDBOX=" + box, "MESOS_SLAVE_ID=agent-1", "MESOS_SLAVE_PID=slave(1)@127.0.0.1:5051",
		"MESOS_SUBSCRIPTION_BACKOFF_MAX=2secs", "PATH=" + containerizer.DefaultPath, "SITE=1",
	}
	got := strings.Split(strings.TrimSpace(stdout), "\n")
	slices.Sort(got)
	if !slices.Equal(got, wanted) {
		t.Errorf("environment:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
}

func TestUser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	spec := r.shell("user", "id -u; id -g; cat /proc/self/status | grep CapEff; touch mine; stat -c %U:%a .; ls -l /proc/1/fd 2>&1 | grep -c denied")
	spec.User = "nobody"
	status, stdout, stderr := r.runToEnd(spec)
	wanted := nobody.Uid + "\n" + nobody.Gid + "\nCapEff:\t0000000000000000\nnobody:750\n1\n"
	if status != 0 || stdout != wanted {
		t.Errorf("status %d, stdout %q, want %q; stderr %q", status, stdout, wanted, stderr)
	}
	spec = r.shell("unknown-user", "true")
	spec.User = "no-such-user"
	r.c.Launch(context.Background(), spec)
	failed := want[containerizer.Failed](r, spec.ID)
	if !strings.Contains(failed.Message, "no-such-user") {
		t.Errorf("message %q does not name the user", failed.Message)
	}
	want[containerizer.Cleaned](r, spec.ID)
	if _, err := os.Stat(r.sandbox(spec.ID)); err == nil {
		t.Error("there is a sandbox for a user that does not exist")
	}
}

func TestRlimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	spec := r.shell("rlimits", "ulimit -Sn; ulimit -Hn; ulimit -c; id -un")
	spec.User = "nobody"
	spec.Rlimits = []containerizer.Rlimit{{Type: "RLIMIT_NOFILE", Soft: 100, Hard: 200}, {Type: "RLIMIT_CORE"}}
	if status, stdout, stderr := r.runToEnd(spec); status != 0 || stdout != "100\n200\n0\nnobody\n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	spec = r.shell("bad-rlimit", "true")
	spec.Rlimits = []containerizer.Rlimit{{Type: "RLIMIT_NONSENSE"}}
	r.c.Launch(context.Background(), spec)
	if failed := want[containerizer.Failed](r, spec.ID); !strings.Contains(failed.Message, "RLIMIT_NONSENSE") {
		t.Errorf("message %q", failed.Message)
	}
	want[containerizer.Cleaned](r, spec.ID)
}

func TestSignals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := context.Background()
	spec := r.shell("graceful", "trap 'echo term; exit 7' TERM; echo ready; while :; do sleep 0.01; done")
	r.c.Launch(ctx, spec)
	want[containerizer.Started](r, spec.ID)
	until(t, "the trap", func() bool { return r.read(spec.ID, "stdout") == "ready\n" })
	if err := r.c.Kill(ctx, spec.ID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exited := want[containerizer.Exited](r, spec.ID); exited.WaitStatus != 7<<8 {
		t.Errorf("%+v", exited)
	}
	want[containerizer.Cleaned](r, spec.ID)
	if out := r.read(spec.ID, "stdout"); out != "ready\nterm\n" {
		t.Errorf("stdout %q", out)
	}

	// A signal is for all of the command's process group: the shell waits for its child, which ends.
	spec = r.shell("group", "trap : TERM; echo ready; sleep 1000; exit 8")
	r.c.Launch(ctx, spec)
	started := want[containerizer.Started](r, spec.ID)
	until(t, "the child", func() bool { return len(descendants(t, started.Pid)) == 3 })
	if err := r.c.Kill(ctx, spec.ID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exited := want[containerizer.Exited](r, spec.ID); exited.WaitStatus != 8<<8 {
		t.Errorf("%+v", exited)
	}
	want[containerizer.Cleaned](r, spec.ID)

	// A command that takes no notice, and has children that left its group, ends with Destroy.
	spec = r.shell("stubborn", "trap '' TERM; setsid sleep 1000 & setsid sh -c 'setsid sleep 1000 & sleep 1000' & echo ready; sleep 1000")
	r.c.Launch(ctx, spec)
	started = want[containerizer.Started](r, spec.ID)
	until(t, "the children", func() bool { return len(descendants(t, started.Pid)) >= 5 })
	all := descendants(t, started.Pid)
	if err := r.c.Kill(ctx, spec.ID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.c.Kill(ctx, spec.ID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if exited := want[containerizer.Exited](r, spec.ID); exited.WaitStatus != 9 || !exited.Known {
		t.Errorf("%+v", exited)
	}
	for _, pid := range all {
		if alive(pid) {
			t.Errorf("process %d of the container lives", pid)
		}
	}
	want[containerizer.Cleaned](r, spec.ID)
	if err := r.c.Kill(ctx, spec.ID, syscall.SIGTERM); err == nil {
		t.Error("a container that is gone can be signalled")
	}
}

func TestInitKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	spec := r.shell("orphaned", "sleep 1000")
	r.c.Launch(context.Background(), spec)
	started := want[containerizer.Started](r, spec.ID)
	until(t, "the command", func() bool { return len(descendants(t, started.Pid)) >= 2 })
	all := descendants(t, started.Pid)
	if err := syscall.Kill(started.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if exited := want[containerizer.Exited](r, spec.ID); exited.Known {
		t.Errorf("%+v: nobody can know", exited)
	}
	want[containerizer.Cleaned](r, spec.ID)
	for _, pid := range all {
		if alive(pid) {
			t.Errorf("process %d of the container lives", pid)
		}
	}
}

func TestDestroyWhileLaunching(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 30 {
		spec := r.shell("d"+itoa(i), "sleep 1000")
		r.c.Launch(context.Background(), spec)
		time.Sleep(time.Duration(i) * 150 * time.Microsecond) // to hit every stage of a launch
		r.c.Destroy(context.Background(), spec.ID)
		switch e := r.next(spec.ID).(type) {
		case containerizer.Failed:
			if e.Reason != containerizer.Destroyed {
				t.Errorf("%+v", e)
			}
		case containerizer.Started:
			if exited := want[containerizer.Exited](r, spec.ID); exited.WaitStatus != 9 {
				t.Errorf("%+v", exited)
			}
		default:
			t.Fatalf("%T", e)
		}
		if cleaned := want[containerizer.Cleaned](r, spec.ID); cleaned.Err != nil {
			t.Error(cleaned.Err)
		}
	}
}

func TestBadSpecs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, change := range map[string]func(*containerizer.Spec){
		"no id":         func(s *containerizer.Spec) { s.ID = "" },
		"id is a path":  func(s *containerizer.Spec) { s.ID = "../x" },
		"relative":      func(s *containerizer.Spec) { s.Sandbox = "relative" },
		"is a file":     func(s *containerizer.Spec) { s.Sandbox = "/etc/passwd" },
		"stdout a link": func(s *containerizer.Spec) { link(t, s.Sandbox, "stdout") },
		"stderr a link": func(s *containerizer.Spec) { link(t, s.Sandbox, "stderr") },
	} {
		spec := r.shell("bad-"+strings.ReplaceAll(name, " ", "-"), "true")
		change(&spec)
		r.c.Launch(context.Background(), spec)
		failed := want[containerizer.Failed](r, spec.ID)
		if failed.Message == "" || failed.Reason != containerizer.LaunchFailed {
			t.Errorf("%s: %+v", name, failed)
		}
		want[containerizer.Cleaned](r, spec.ID)
	}
}

// link puts a link where the output of a command is to go.
func link(t *testing.T, sandbox, name string) {
	if err := os.MkdirAll(sandbox, 0o755); err != nil {
		t.Error(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(sandbox, name)); err != nil {
		t.Error(err)
	}
}

// TestDescriptors checks that a container has no descriptor but its own, even of those that the agent was started with.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	stray, err := syscall.Dup(2) // as a shell leaves it behind: not to be closed on exec
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(stray) //nolint:errcheck // ours alone
	r := newRig(t)
	_, stdout, stderr := r.runToEnd(r.shell("fds", "ls /proc/self/fd; cd /proc/1/fd && for f in *; do readlink $f; done"))
	wanted := "0\n1\n2\n3\n" // the last is of ls
	init := strings.Join([]string{"/dev/null", r.sandbox("fds") + "/stdout", r.sandbox("fds") + "/stderr", ""}, "\n")
	rest, ok := strings.CutPrefix(stdout, wanted)
	if rest, ok2 := strings.CutPrefix(rest, init); !ok || !ok2 || strings.Count(rest, "\n") != 1 {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
}
