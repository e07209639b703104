//go:build linux && !cgroups2

package linux_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
	"github.com/mezzo-cluster/mezzo/host/containerizer/linux"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// agentVariable makes the test's program an agent that launches what is in a folder, to be killed.
const agentVariable = "MEZZO_TEST_AGENT"

// fileStore is a store that another process can read.
type fileStore string

func (s fileStore) Put(id string, record []byte) error {
	return os.WriteFile(filepath.Join(string(s), id), record, 0o600)
}

func (s fileStore) Delete(id string) error { return os.Remove(filepath.Join(string(s), id)) }

func (s fileStore) checkpoints(t testing.TB) []containerizer.Checkpoint {
	t.Helper()
	entries, err := os.ReadDir(string(s))
	if err != nil {
		t.Fatal(err)
	}
	var out []containerizer.Checkpoint
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(string(s), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, containerizer.Checkpoint{ID: e.Name(), Record: b})
	}
	return out
}

// agentOrders is what the other process is to do.
type agentOrders struct {
	Config struct{ Instance, RuntimeDir, InitPath, Store string }
	Specs  []containerizer.Spec
	Hold   string // the container that never gets past its isolators
}

// holder is an isolator that holds one container for ever.
type holder struct {
	*recorder
	hold string
}

func (h holder) Isolate(ctx context.Context, c isolator.Container, pid int) error {
	if c.ID == h.hold {
		fmt.Println("held", c.ID, pid)
		<-ctx.Done()
		return ctx.Err()
	}
	return h.recorder.Isolate(ctx, c, pid)
}

// beAgent runs containers until it is killed.
func beAgent(folder string) {
	b, err := os.ReadFile(filepath.Join(folder, "orders"))
	var o agentOrders
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	var l *launcher.Launcher
	if err == nil {
		l, err = linux.New(launcher.Config{
			Instance: o.Config.Instance, RuntimeDir: o.Config.RuntimeDir, InitPath: o.Config.InitPath, SwitchUser: true,
			Store:     fileStore(o.Config.Store),
			Isolators: []containerizer.IsolatorInstance{{Name: "h", Isolator: holder{newRecorder("h", &journal{}), o.Hold}}},
		})
	}
	if err == nil {
		_, err = l.Recover(context.Background(), nil)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, s := range o.Specs {
		l.Launch(context.Background(), s)
	}
	for e := range l.Events() {
		if s, ok := e.(containerizer.Started); ok {
			fmt.Println("started", s.ID, s.Pid)
		}
	}
}

// otherAgent is an agent in a process of its own.
type otherAgent struct {
	command *exec.Cmd
	lines   *bufio.Scanner
	pids    map[string]int
	orders  agentOrders
}

func startAgent(t *testing.T, r *rig, hold string, specs ...containerizer.Spec) *otherAgent {
	t.Helper()
	folder := t.TempDir()
	a := &otherAgent{pids: map[string]int{}}
	a.orders.Config.Instance = "agent-" + filepath.Base(filepath.Dir(folder)) + itoa(os.Getpid())
	a.orders.Config.RuntimeDir, a.orders.Config.InitPath = filepath.Join(folder, "run"), initPath
	a.orders.Config.Store = filepath.Join(folder, "store")
	a.orders.Specs, a.orders.Hold = specs, hold
	if err := os.Mkdir(a.orders.Config.Store, 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(a.orders)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "orders"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	a.command = exec.Command(os.Args[0], "-test.run=^$")
	a.command.Env = append(os.Environ(), agentVariable+"="+folder)
	out, err := a.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.command.Start(); err != nil {
		t.Fatal(err)
	}
	a.lines = bufio.NewScanner(io.TeeReader(out, io.Discard))
	for range specs {
		if !a.lines.Scan() {
			t.Fatal("the agent ended:", a.lines.Text())
		}
		var what, id string
		var pid int
		if n, err := fmt.Sscan(a.lines.Text(), &what, &id, &pid); n != 3 {
			t.Fatal(a.lines.Text(), err)
		}
		a.pids[id] = pid
	}
	return a
}

// kill kills the agent as nothing can prevent.
func (a *otherAgent) kill(t *testing.T) {
	t.Helper()
	if err := a.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = a.command.Wait() // killed
}

// takeOver makes the rig the agent that was killed.
func (r *rig) takeOver(a *otherAgent) {
	r.t.Helper()
	r.config.Instance, r.config.RuntimeDir = a.orders.Config.Instance, a.orders.Config.RuntimeDir
	store := fileStore(a.orders.Config.Store)
	r.store = &memoryStore{records: map[string][]byte{}}
	for _, c := range store.checkpoints(r.t) {
		r.store.records[c.ID] = c.Record
	}
	r.config.Store = r.store
	r.config.Isolators = []containerizer.IsolatorInstance{{Name: "h", Isolator: newRecorder("h", &journal{})}}
	r.restart()
}

func (r *rig) found(id string) containerizer.Recovered {
	r.t.Helper()
	i := slices.IndexFunc(r.recovered, func(x containerizer.Recovered) bool { return x.ID == id })
	if i < 0 {
		r.t.Fatalf("container %q was not recovered", id)
	}
	return r.recovered[i]
}

func TestAgentKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	mark := filepath.Join(r.folder, "mark")
	a := startAgent(t, r, "held",
		r.shell("running", "trap 'exit 5' USR1; echo ready; while :; do sleep 0.01; done"),
		r.shell("ended", "trap 'exit 4' USR1; echo ready; while :; do sleep 0.01; done"),
		r.shell("signalled", "sleep 1000"),
		r.shell("init-killed", "sleep 1000"),
		r.shell("held", "touch "+mark),
	)
	for _, id := range []string{"running", "ended"} {
		until(t, "the trap of "+id, func() bool { return r.read(id, "stdout") == "ready\n" })
	}
	a.kill(t)
	// While there is no agent, one ends by itself, one by a signal, one loses its init.
	signalInside(t, a.pids["ended"], syscall.SIGUSR1)
	signalInside(t, a.pids["signalled"], syscall.SIGTERM)
	signalInside(t, a.pids["init-killed"], syscall.SIGKILL)
	for _, id := range []string{"ended", "signalled", "init-killed", "held"} {
		until(t, "the end of "+id, func() bool { return !alive(a.pids[id]) })
	}
	r.takeOver(a)

	if got := r.found("running"); got.State != containerizer.Running || got.Pid != a.pids["running"] {
		t.Errorf("%+v", got)
	}
	for id, wanted := range map[string]containerizer.Recovered{
		"ended":       {ID: "ended", State: containerizer.Ended, WaitStatus: 4 << 8, Known: true},
		"signalled":   {ID: "signalled", State: containerizer.Ended, WaitStatus: 15, Known: true},
		"init-killed": {ID: "init-killed", State: containerizer.Ended},
	} {
		if got := r.found(id); got != wanted {
			t.Errorf("recovered %+v, want %+v", got, wanted)
		}
		if e := want[containerizer.Exited](r, id); e != (containerizer.Exited{ID: id, WaitStatus: wanted.WaitStatus, Known: wanted.Known}) {
			t.Errorf("%+v", e)
		}
		want[containerizer.Cleaned](r, id)
	}
	if got := r.found("held"); got.State != containerizer.Unstarted {
		t.Errorf("%+v", got)
	}
	want[containerizer.Failed](r, "held")
	want[containerizer.Cleaned](r, "held")
	if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
		t.Error("a command ran that was never let go")
	}
	if err := r.c.Kill(context.Background(), "running", syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if e := want[containerizer.Exited](r, "running"); e.WaitStatus != 5<<8 || !e.Known {
		t.Errorf("%+v", e)
	}
	want[containerizer.Cleaned](r, "running")
}

// TestEndIsKept has the agent die after a container ended and before the agent took note of that.
func TestEndIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := context.Background()
	for id, command := range map[string]string{"exits": "exit 7", "destroyed": "sleep 1000", "fails": ""} {
		spec := r.shell(id, command)
		if id == "fails" {
			spec.User = "no-such-user"
		}
		r.c.Launch(ctx, spec)
	}
	want[containerizer.Started](r, "destroyed")
	r.c.Destroy(ctx, "destroyed")
	for range 2 {
		for _, id := range []string{"exits", "destroyed", "fails"} {
			for _, ok := r.next(id).(containerizer.Cleaned); !ok; _, ok = r.next(id).(containerizer.Cleaned) {
			}
		}
		r.restart()
		for id, wanted := range map[string]containerizer.Recovered{
			"exits":     {ID: "exits", State: containerizer.Ended, WaitStatus: 7 << 8, Known: true},
			"destroyed": {ID: "destroyed", State: containerizer.Ended, WaitStatus: 9, Known: true},
			"fails":     {ID: "fails", State: containerizer.Unstarted},
		} {
			if got := r.found(id); got != wanted {
				t.Errorf("recovered %+v, want %+v", got, wanted)
			}
		}
	}
	// Dismissed in whatever state: just recovered, and cleaned up.
	r.c.Destroy(ctx, "exits")
	for _, ok := r.next("fails").(containerizer.Cleaned); !ok; _, ok = r.next("fails").(containerizer.Cleaned) {
	}
	r.c.Destroy(ctx, "fails")
	until(t, "two are forgotten", func() bool { return len(r.store.checkpoints()) == 1 })
	r.restart()
	if len(r.recovered) != 1 || r.recovered[0].ID != "destroyed" {
		t.Errorf("recovered %+v", r.recovered)
	}
}

// signalInside signals a container's init once its command runs.
func signalInside(t *testing.T, init int, s syscall.Signal) {
	t.Helper()
	until(t, "the command", func() bool { return len(descendants(t, init)) > 1 })
	if err := syscall.Kill(init, s); err != nil {
		t.Fatal(err)
	}
}

func TestTwoAgents(t *testing.T) {
	t.Parallel()
	r, other := newRig(t), newRig(t)
	a := startAgent(t, r, "", r.shell("same-id", "sleep 1000"))
	other.c.Launch(context.Background(), other.shell("same-id", "sleep 1000"))
	mine := want[containerizer.Started](other, "same-id")
	a.kill(t)
	r.takeOver(a)
	if got := r.found("same-id"); got.State != containerizer.Running {
		t.Errorf("%+v", got)
	}
	other.restart()
	if got := other.found("same-id"); got.State != containerizer.Running || got.Pid != mine.Pid {
		t.Errorf("%+v", got)
	}
	r.c.Destroy(context.Background(), "same-id")
	want[containerizer.Exited](r, "same-id")
	if !alive(mine.Pid) {
		t.Error("the other agent's container ended, too")
	}
}

func TestOrphans(t *testing.T) {
	t.Parallel()
	r, other := newRig(t), newRig(t)
	a := startAgent(t, r, "", r.shell("orphan", "sleep 1000"), r.shell("kept", "sleep 1000"))
	other.c.Launch(context.Background(), other.shell("orphan", "sleep 1000"))
	mine := want[containerizer.Started](other, "orphan")
	a.kill(t)
	if err := os.Remove(filepath.Join(a.orders.Config.Store, "orphan")); err != nil {
		t.Fatal(err)
	}
	r.takeOver(a)
	if alive(a.pids["orphan"]) {
		t.Error("a container without a checkpoint lives on")
	}
	if !alive(a.pids["kept"]) || !alive(mine.Pid) {
		t.Error("a container with a checkpoint was destroyed")
	}
}

// TestStatusFileGone has somebody clean up the runtime folder under a running container.
func TestStatusFileGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.c.Launch(context.Background(), r.shell("kept", "sleep 1000"))
	started := want[containerizer.Started](r, "kept")
	if err := os.Remove(filepath.Join(r.config.RuntimeDir, r.config.Instance, "kept")); err != nil {
		t.Fatal(err)
	}
	r.restart()
	if got := r.found("kept"); got.State != containerizer.Running || got.Pid != started.Pid {
		t.Errorf("%+v", got)
	}
	if err := r.c.Kill(context.Background(), "kept", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exited := want[containerizer.Exited](r, "kept"); exited.Known {
		t.Errorf("%+v", exited)
	}
	want[containerizer.Cleaned](r, "kept")
}

func TestPidReused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	sleep := exec.Command("sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sleep.Process.Kill()
		_ = sleep.Wait()
	}()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	record := fmt.Sprintf(`{"version":1,"boot":%q,"pid":%d,"start":1}`, strings.TrimSpace(string(boot)), sleep.Process.Pid)
	if err := r.store.Put("gone", []byte(record)); err != nil {
		t.Fatal(err)
	}
	r.restart()
	if got := r.found("gone"); got.State != containerizer.Unstarted {
		t.Errorf("%+v", got)
	}
	want[containerizer.Failed](r, "gone")
	want[containerizer.Cleaned](r, "gone")
	if !alive(sleep.Process.Pid) {
		t.Error("another process of the same number was killed")
	}
}

func TestRecoverRefuses(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]string{
		"not a record":        "{",
		"another version":     `{"version":99}`,
		"an isolator is away": `{"version":1,"handles":{"gone":{}}}`,
	} {
		r := newRig(t)
		l, err := linux.New(r.config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Recover(context.Background(), []containerizer.Checkpoint{{ID: "some-id", Record: []byte(record)}})
		if err == nil || !strings.Contains(err.Error(), "some-id") {
			t.Errorf("%s: %v", name, err)
		}
		_ = l.Close()
	}
}
