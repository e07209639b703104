//go:build linux

package posix_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
	"github.com/mezzo-cluster/mezzo/host/containerizer/posix"
)

// nobody is the user that the tests run as in a second process, to have neither rights nor namespaces.
const nobody = 65534

// childVariable marks that process, and carries its mezzo-init.
const childVariable = "MEZZO_TEST_AS_NOBODY"

var initPath string

func TestMain(m *testing.M) {
	if initPath = os.Getenv(childVariable); initPath != "" {
		os.Exit(m.Run())
	}
	folder, err := os.MkdirTemp("", "mezzo-init-*")
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	initPath = filepath.Join(folder, "mezzo-init")
	build := exec.Command("go", "build", "-o", initPath, "github.com/mezzo-cluster/mezzo/host/cmd/mezzo-init")
	build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build mezzo-init:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// TestAsNobody runs the tests of this package as a user without rights.
func TestAsNobody(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		return // this is that process
	}
	if os.Geteuid() != 0 {
		t.Fatal("this test becomes another user, so it must run as root")
	}
	folder, err := os.MkdirTemp("", "mezzo-posix-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chown(folder, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(folder, "test")
	if err := os.WriteFile(copied, program, 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(copied, "-test.v")
	command.Dir = folder
	command.Env = []string{childVariable + "=" + initPath, "TMPDIR=" + folder, "PATH=" + os.Getenv("PATH")}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := command.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("PASS: TestTree")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestSources reads what mezzo-init is built from, so that the go tool runs these tests again when that changes.
func TestSources(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		return
	}
	files, err := filepath.Glob("../../cmd/mezzo-init/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if _, err := os.ReadFile(f); err != nil {
			t.Error(err)
		}
	}
}

type memoryStore struct {
	mu      sync.Mutex
	records map[string][]byte
}

func (s *memoryStore) Put(id string, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[id] = slices.Clone(record)
	return nil
}

func (s *memoryStore) Delete(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, id)
	return nil
}

func (s *memoryStore) checkpoints() []containerizer.Checkpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []containerizer.Checkpoint
	for _, id := range slices.Sorted(maps.Keys(s.records)) {
		out = append(out, containerizer.Checkpoint{ID: id, Record: s.records[id]})
	}
	return out
}

type rig struct {
	t         *testing.T
	folder    string
	config    launcher.Config
	store     *memoryStore
	log       *bytes.Buffer
	c         containerizer.Containerizer
	recovered []containerizer.Recovered
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, folder: t.TempDir(), store: &memoryStore{records: map[string][]byte{}}, log: &bytes.Buffer{}}
	r.config = launcher.Config{
		Instance: "test", RuntimeDir: filepath.Join(r.folder, "run"), InitPath: initPath, Store: r.store,
		SwitchUser: true, Logger: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	r.start()
	t.Cleanup(func() {
		until(t, "everything is forgotten", func() bool {
			for _, p := range r.store.checkpoints() {
				r.c.Destroy(context.Background(), p.ID)
			}
			select {
			case <-r.c.Events():
			default:
			}
			return len(r.store.checkpoints()) == 0
		})
		_ = r.c.Close()
	})
	return r
}

func (r *rig) start() {
	r.t.Helper()
	l, err := posix.New(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	r.c = l
	if r.recovered, err = l.Recover(context.Background(), r.store.checkpoints()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) launch(id, command string) containerizer.Started {
	r.t.Helper()
	r.c.Launch(context.Background(), containerizer.Spec{
		ID: id, Command: containerizer.Command{Shell: true, Value: command}, Sandbox: filepath.Join(r.folder, id),
	})
	return want[containerizer.Started](r)
}

func want[E containerizer.Event](r *rig) E {
	r.t.Helper()
	select {
	case e := <-r.c.Events():
		if got, ok := e.(E); ok {
			return got
		}
		r.t.Fatalf("got %T %+v", e, e)
	case <-time.After(20 * time.Second):
		r.t.Fatal("no event came")
	}
	panic("not reached")
}

func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not come about", what)
		}
	}
}

// pids reads the process ids that a command wrote into its sandbox, once there are n.
func (r *rig) pids(id string, n int) []int {
	r.t.Helper()
	var out []int
	until(r.t, "the processes of "+id, func() bool {
		b, err := os.ReadFile(filepath.Join(r.folder, id, "pids"))
		fields := strings.Fields(string(b))
		if err != nil || len(fields) != n {
			return false
		}
		out = nil
		for _, f := range fields {
			pid, err := strconv.Atoi(f)
			if err != nil {
				return false
			}
			out = append(out, pid)
		}
		return true
	})
	return out
}

func gone(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X")
}

// lastThread tells whether a process has at most one thread left: it has ended only when all others have.
func lastThread(pid int) bool {
	threads, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	return len(threads) <= 1
}

func TestSaysThatNothingIsIsolated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if n := strings.Count(r.log.String(), "without isolation"); n != 1 {
		t.Errorf("%d lines say it: %s", n, r.log)
	}
}

// TestTree has a command leave processes behind that took pains to get away.
func TestTree(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	away := "echo $$ >>pids; setsid sh -c 'echo $$ >>pids; sleep 1000' & (setsid sh -c 'echo $$ >>pids; sleep 1000' &); "
	r.launch("ends", away+"while [ $(wc -l <pids) -lt 3 ]; do sleep 0.01; done; exit 3")
	if exited := want[containerizer.Exited](r); exited.WaitStatus != 3<<8 || !exited.Known {
		t.Errorf("%+v", exited)
	}
	want[containerizer.Cleaned](r)
	for _, pid := range r.pids("ends", 3) {
		if !gone(pid) {
			t.Errorf("process %d lives", pid)
		}
	}
}

func TestSignalAndDestroy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.launch("asked", "echo $$ >pids; sleep 1000")
	r.pids("asked", 1)
	if err := r.c.Kill(context.Background(), "asked", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exited := want[containerizer.Exited](r); exited.WaitStatus != 15 || !exited.Known {
		t.Errorf("%+v", exited)
	}
	want[containerizer.Cleaned](r)
	r.launch("destroyed", "trap '' TERM; echo $$ >pids; while :; do sleep 0.1; done")
	pids := r.pids("destroyed", 1)
	r.c.Destroy(context.Background(), "destroyed")
	if exited := want[containerizer.Exited](r); exited.WaitStatus != 9 || !exited.Known {
		t.Errorf("%+v", exited)
	}
	want[containerizer.Cleaned](r)
	until(t, "its end", func() bool { return gone(pids[0]) })
}

func TestInitKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	started := r.launch("orphaned", "echo $$ >pids; sleep 1000 & echo $! >>pids; wait")
	pids := r.pids("orphaned", 2)
	if err := syscall.Kill(started.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if exited := want[containerizer.Exited](r); exited.Known {
		t.Errorf("%+v", exited)
	}
	want[containerizer.Cleaned](r)
	for _, pid := range pids {
		until(t, "the end of its processes", func() bool { return gone(pid) })
	}
}

// TestInitKilledUnwatched has that happen while there is no agent to kill the rest.
func TestInitKilledUnwatched(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	started := r.launch("orphaned", "echo $$ >pids; while :; do sleep 0.1; done")
	pids := r.pids("orphaned", 1)
	if err := r.c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(started.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of its command", func() bool { return gone(pids[0]) })
	until(t, "its own end", func() bool { return gone(started.Pid) && lastThread(started.Pid) })
	r.start()
	if len(r.recovered) != 1 || r.recovered[0] != (containerizer.Recovered{ID: "orphaned", State: containerizer.Ended}) {
		t.Errorf("%+v", r.recovered)
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	started := r.launch("kept", "trap 'exit 6' USR1; echo $$ >pids; while :; do sleep 0.01; done")
	r.pids("kept", 1)
	if err := r.c.Close(); err != nil {
		t.Fatal(err)
	}
	r.start()
	wanted := containerizer.Recovered{ID: "kept", State: containerizer.Running, Pid: started.Pid}
	if len(r.recovered) != 1 || r.recovered[0] != wanted {
		t.Errorf("%+v", r.recovered)
	}
	if err := r.c.Kill(context.Background(), "kept", syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if exited := want[containerizer.Exited](r); exited.WaitStatus != 6<<8 || !exited.Known {
		t.Errorf("%+v", exited)
	}
	want[containerizer.Cleaned](r)
}

func TestOtherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		return // root may; package linux tests that
	}
	r := newRig(t)
	r.c.Launch(context.Background(), containerizer.Spec{
		ID: "as-root", User: "root", Command: containerizer.Command{Shell: true, Value: "true"}, Sandbox: filepath.Join(r.folder, "x"),
	})
	// Without the right to become somebody else, commands run as the agent's user, as with switch_user = false.
	want[containerizer.Started](r)
	want[containerizer.Exited](r)
	want[containerizer.Cleaned](r)
}

// TestUsage measures a task, its children that run and those that have ended.
func TestUsage(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("other systems have no /proc")
	}
	r := newRig(t)
	r.launch("busy", `i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done
		(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done)
		setsid sleep 1000 & sleep 1000 & echo done >pids; wait`)
	r.launch("idle", "echo $$ >pids; sleep 1000")
	r.pids("idle", 1)
	until(t, "two children", func() bool {
		u := usageOf(t, r, "busy")
		return u.Processes != nil && *u.Processes == 4 // with mezzo-init
	})
	busy, idle := usageOf(t, r, "busy"), usageOf(t, r, "idle")
	if *busy.CPUsUserTimeSecs+*busy.CPUsSystemTimeSecs < 0.1 || *idle.CPUsUserTimeSecs+*idle.CPUsSystemTimeSecs > 0.1 {
		t.Errorf("busy has used %v s, idle %v s", *busy.CPUsUserTimeSecs, *idle.CPUsUserTimeSecs)
	}
	if *idle.Threads < *idle.Processes || *idle.MemRSSBytes < 1<<20 || *idle.MemRSSBytes > 1<<28 || idle.Timestamp.IsZero() {
		t.Errorf("idle has %d processes, %d threads and %d bytes, at %v", *idle.Processes, *idle.Threads, *idle.MemRSSBytes, idle.Timestamp)
	}
}

func usageOf(t *testing.T, r *rig, id string) containerizer.Usage {
	t.Helper()
	usage, err := r.c.Usage(t.Context(), []string{id})
	if err != nil {
		t.Fatal(err)
	}
	return usage[id]
}
