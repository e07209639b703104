//go:build linux

package launcher_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// store keeps checkpoints in memory.
type store struct {
	mu      sync.Mutex
	records map[string][]byte
}

func (s *store) Put(id string, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[id] = slices.Clone(record)
	return nil
}

func (s *store) Delete(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, id)
	return nil
}

func (s *store) record(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.records[id])
}

// rig is a launcher under test.
type rig struct {
	t         *testing.T
	dir       string
	store     *store
	log       bytes.Buffer // read it after close
	isolators []*fake
	l         *launcher.Launcher
	recovered []containerizer.Recovered
}

func newRig(t *testing.T, isolators ...*fake) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), store: &store{records: map[string][]byte{}}, isolators: isolators}
	t.Cleanup(func() { r.close() })
	r.start()
	return r
}

func (r *rig) close() {
	if err := r.l.Close(); err != nil {
		r.t.Error(err)
	}
}

// start makes a launcher, which recovers what an earlier one has left.
func (r *rig) start() {
	r.t.Helper()
	config := launcher.Config{
		Instance: "test", RuntimeDir: filepath.Join(r.dir, "run"), InitPath: "/bin/true", Store: r.store, LaunchTimeout: 2 * time.Second,
		Logger: slog.New(slog.NewTextHandler(&r.log, nil)),
	}
	for _, f := range r.isolators {
		config.Isolators = append(config.Isolators, containerizer.IsolatorInstance{Name: f.name, Isolator: f, Launcher: f})
	}
	var err error
	if r.l, err = launcher.New(config); err != nil {
		r.t.Fatal(err)
	}
	var points []containerizer.Checkpoint
	for id, record := range r.store.records {
		points = append(points, containerizer.Checkpoint{ID: id, Record: record})
	}
	if r.recovered, err = r.l.Recover(r.t.Context(), points); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) restart() {
	r.t.Helper()
	r.close()
	r.start()
}

func (r *rig) launch(id string) {
	r.l.Launch(r.t.Context(), containerizer.Spec{
		ID: id, Sandbox: filepath.Join(r.dir, id), Command: containerizer.Command{Shell: true, Value: "exit 0", Environment: []containerizer.Variable{{Name: "OWN", Value: "1"}}},
		Rlimits: []containerizer.Rlimit{{Type: "RLIMIT_CORE", Soft: 1, Hard: 2}},
	})
}

// next is the next event, which must come and be of a type.
func next[E containerizer.Event](r *rig) E {
	r.t.Helper()
	select {
	case e := <-r.l.Events():
		if e, ok := e.(E); ok {
			return e
		}
		r.t.Fatalf("got %T %+v", e, e)
	case <-time.After(20 * time.Second):
		r.t.Fatalf("no event comes, and a %T should", *new(E))
	}
	return *new(E)
}

// silent fails when an event comes within a while.
func (r *rig) silent(d time.Duration) {
	r.t.Helper()
	select {
	case e := <-r.l.Events():
		r.t.Fatalf("got %T %+v", e, e)
	case <-time.After(d):
	}
}

func (r *rig) eventually(what string, condition func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("never: %s", what)
		}
	}
}

// TestPluginOrder: isolators see a container that is held, and the launcher gets all plans as one.
func TestPluginOrder(t *testing.T) {
	t.Parallel()
	first, last := newFake("first"), newFake("last")
	first.quiet = true
	first.plan = isolator.Plan{Env: []string{"A=b"}, RootFS: "/roots/1", Devices: []isolator.Device{{Path: "/dev/x", Type: "c"}}}
	last.plan = isolator.Plan{Handle: isolator.Handle{HandleVersion: 3, Data: []byte("mine")}, Hostname: "h"}
	r := newRig(t, first, last)
	r.launch("c1")
	if e := next[containerizer.Started](r); e.Pid != 0 {
		t.Errorf("%+v", e)
	}
	last.end("c1") <- isolator.ExitStatus{Code: 3, Known: true}
	if e := next[containerizer.Exited](r); e.WaitStatus != 3<<8 || !e.Known {
		t.Errorf("%+v", e)
	}
	next[containerizer.Cleaned](r)
	for _, want := range []struct {
		of    *fake
		calls string
	}{
		{first, "first.Recover |first.Prepare c1|first.Isolate c1 0|first.Cleanup c1"},
		{last, "last.Recover |last.Prepare c1|last.Launch c1|last.Isolate c1 0|last.Start c1|last.Wait c1|last.Cleanup c1"},
	} {
		if got := strings.Join(want.of.called(), "|"); got != want.calls {
			t.Errorf("got %s, want %s", got, want.calls)
		}
	}
	s, p := last.launched()
	if s.Path != "/bin/sh" || !slices.Equal(s.Args, []string{"sh", "-c", "exit 0"}) || !slices.Contains(s.Env, "A=b") || !slices.Contains(s.Env, "OWN=1") || string(s.Container.Handle.Data) != "mine" {
		t.Errorf("the spec is %+v", s)
	}
	if p.RootFS != "/roots/1" || p.Hostname != "h" || len(p.Devices) != 1 || len(p.Rlimits) != 1 || p.Rlimits[0].Hard != 2 {
		t.Errorf("the plan is %+v", p)
	}
}

func TestPluginTwoLaunchers(t *testing.T) {
	t.Parallel()
	r := newRig(t, newFake("one"), newFake("two"))
	r.launch("c1")
	if e := next[containerizer.Failed](r); !strings.Contains(e.Message, `"one" and "two" both start containers`) {
		t.Errorf("%+v", e)
	}
	next[containerizer.Cleaned](r)
}

// TestPluginFails: what fails before the command was let go never ran, whatever another launcher finds.
func TestPluginFails(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Launch", "Isolate", "Start"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			f := newFake("one")
			f.answering(method, sdk.Errorf(sdk.ResourceExhausted, "no more of it"))
			r := newRig(t, f)
			r.launch("c1")
			if e := next[containerizer.Failed](r); !strings.Contains(e.Message, `isolator "one": `) || !strings.Contains(e.Message, "no more of it") {
				t.Errorf("%+v", e)
			}
			next[containerizer.Cleaned](r)
			if !f.noted("one.Cleanup c1") {
				t.Error("it is not cleaned up")
			}
			r.restart()
			if len(r.recovered) != 1 || r.recovered[0].State != containerizer.Unstarted {
				t.Errorf("another launcher finds %+v", r.recovered)
			}
		})
	}
}

// TestPluginWrongPid: neither a process that is not there nor another container's is taken.
func TestPluginWrongPid(t *testing.T) {
	t.Parallel()
	f := newFake("one")
	f.saying(1 << 22)
	r := newRig(t, f)
	r.launch("c1")
	if e := next[containerizer.Failed](r); !strings.Contains(e.Message, "is not there or is another container's") || f.bug() == "" {
		t.Errorf("%+v", e)
	}
	next[containerizer.Cleaned](r)
	f.saying(sleeper(t).Process.Pid)
	r.launch("c2")
	next[containerizer.Started](r)
	r.launch("c3")
	next[containerizer.Failed](r)
	next[containerizer.Cleaned](r)
}

// sleeper is a process that can be a container's first.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// TestPluginEarlyWait: a container whose process runs has not ended, whatever its launcher says.
func TestPluginEarlyWait(t *testing.T) {
	t.Parallel()
	f, process := newFake("one"), sleeper(t)
	f.saying(process.Process.Pid)
	r := newRig(t, f)
	r.launch("c1")
	next[containerizer.Started](r)
	f.end("c1") <- isolator.ExitStatus{Known: true}
	r.eventually("the lie is seen", func() bool { return strings.Contains(f.bug(), "has ended, whose first process") })
	r.silent(50 * time.Millisecond)
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	f.end("c1") <- isolator.ExitStatus{Code: 4, Known: true}
	if e := next[containerizer.Exited](r); e.WaitStatus != 4<<8 {
		t.Errorf("%+v", e)
	}
	next[containerizer.Cleaned](r)
}

// TestPluginLateWatch: that a container that has ended cannot be watched is nothing to warn of.
func TestPluginLateWatch(t *testing.T) {
	t.Parallel()
	f := newFake("one")
	f.late = true
	r := newRig(t, f)
	r.launch("c1")
	next[containerizer.Started](r)
	f.end("c1") <- isolator.ExitStatus{Known: true}
	next[containerizer.Exited](r)
	next[containerizer.Cleaned](r)
	r.close()
	if strings.Contains(r.log.String(), "not watched") {
		t.Error(r.log.String())
	}
}

// TestPluginUnknown: a container that nothing is known of is held to run; one that is known not to be has ended.
func TestPluginUnknown(t *testing.T) {
	t.Parallel()
	f := newFake("one")
	f.answering("Wait", errors.New("out of my mind"))
	r := newRig(t, f)
	r.launch("c1")
	next[containerizer.Started](r)
	r.silent(200 * time.Millisecond)
	f.answering("Wait", sdk.Errorf(sdk.NotFound, "never heard of it"))
	if e := next[containerizer.Exited](r); e.Known {
		t.Errorf("%+v", e)
	}
	next[containerizer.Cleaned](r)
}

// TestPluginSignals: they go to the plugin in order; one that does not kill leaves it to Cleanup.
func TestPluginSignals(t *testing.T) {
	t.Parallel()
	f := newFake("one")
	r := newRig(t, f)
	for _, id := range []string{"c1", "c2"} {
		r.launch(id)
		next[containerizer.Started](r)
	}
	if err := r.l.Kill(t.Context(), "c1", syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	r.l.Destroy(t.Context(), "c1")
	if e := next[containerizer.Exited](r); e.WaitStatus != 9 || !e.Known {
		t.Errorf("%+v", e)
	}
	next[containerizer.Cleaned](r)
	calls := f.called()
	if term, kill := slices.Index(calls, "one.Signal c1 15"), slices.Index(calls, "one.Signal c1 9"); term < 0 || kill < term {
		t.Errorf("it got %v", calls)
	}
	f.answering("Signal", sdk.Errorf(sdk.FailedPrecondition, "I kill nobody"))
	r.l.Destroy(t.Context(), "c2")
	if e := next[containerizer.Exited](r); e.WaitStatus != 9 || !f.noted("one.Cleanup c2") {
		t.Errorf("%+v, %v", e, f.called())
	}
	next[containerizer.Cleaned](r)
}

// TestPluginRecovers: a container goes on where another launcher left it, and its end is told again until it is dismissed.
func TestPluginRecovers(t *testing.T) {
	t.Parallel()
	f := newFake("one")
	r := newRig(t, f)
	r.launch("c1")
	next[containerizer.Started](r)
	r.restart()
	if len(r.recovered) != 1 || r.recovered[0].State != containerizer.Running {
		t.Fatalf("%+v", r.recovered)
	}
	r.eventually("it is let go and waited for again", func() bool {
		calls := f.called()
		return len(calls) > 4 && slices.Equal(calls[len(calls)-3:], []string{"one.Recover ", "one.Start c1", "one.Wait c1"})
	})
	f.end("c1") <- isolator.ExitStatus{Signal: 15, Known: true}
	if e := next[containerizer.Exited](r); e.WaitStatus != 15 {
		t.Errorf("%+v", e)
	}
	next[containerizer.Cleaned](r)
	f.answering("Wait", sdk.Errorf(sdk.NotFound, "it is cleaned up"))
	r.restart()
	if len(r.recovered) != 1 || r.recovered[0].State != containerizer.Ended || r.recovered[0].WaitStatus != 15 || !r.recovered[0].Known {
		t.Fatalf("%+v", r.recovered)
	}
	next[containerizer.Exited](r)
	next[containerizer.Cleaned](r)
	r.l.Destroy(t.Context(), "c1")
	r.eventually("it is forgotten", func() bool { return r.store.record("c1") == "" })
}

// TestPluginGone: a container that was launched by an isolator which is not there any more cannot be told of.
func TestPluginGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, newFake("one"))
	r.launch("c1")
	next[containerizer.Started](r)
	l, err := launcher.New(launcher.Config{Instance: "test", RuntimeDir: filepath.Join(r.dir, "other"), InitPath: "/bin/true", Store: r.store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = l.Recover(t.Context(), []containerizer.Checkpoint{{ID: "c1", Record: []byte(r.store.record("c1"))}})
	if err == nil || !strings.Contains(err.Error(), "c1") || !strings.Contains(err.Error(), `isolator "one"`) {
		t.Errorf("got %v", err)
	}
	_ = os.RemoveAll(filepath.Join(r.dir, "other"))
}
