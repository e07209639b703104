//go:build linux

package linux_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
	"github.com/mezzo-cluster/mezzo/host/containerizer/linux"
)

// initPath is the mezzo-init that the tests run.
var initPath string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

// memoryStore keeps checkpoints as the agent's run store does, without a disk.
type memoryStore struct {
	mu      sync.Mutex
	records map[string][]byte
	puts    int
	fail    error
}

func (s *memoryStore) Put(id string, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if s.records == nil {
		s.records = map[string][]byte{}
	}
	s.puts++
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

// rig is a containerizer under test, with all that it stands on.
type rig struct {
	t         testing.TB
	folder    string
	config    launcher.Config
	store     *memoryStore
	c         containerizer.Containerizer
	recovered []containerizer.Recovered
	pending   []containerizer.Event
}

func newRig(t testing.TB, change ...func(*launcher.Config)) *rig {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes namespaces, so it must run as root")
	}
	r := &rig{t: t, folder: t.TempDir(), store: &memoryStore{}}
	for up := r.folder; up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.config = launcher.Config{
		Instance:      "test-" + filepath.Base(filepath.Dir(r.folder)) + fmt.Sprint(os.Getpid()),
		RuntimeDir:    filepath.Join(r.folder, "run"),
		InitPath:      initPath,
		SwitchUser:    true,
		Store:         r.store,
		LaunchTimeout: 10 * time.Second,
		Logger:        slog.New(slog.DiscardHandler),
		Surroundings: containerizer.Surroundings{
			Endpoint: "127.0.0.1:5051", RecoveryTimeout: 15 * time.Minute, SubscriptionBackoffMax: 2 * time.Second,
		},
	}
	for _, f := range change {
		f(&r.config)
	}
	r.start()
	t.Cleanup(r.stop)
	return r
}

// start makes the containerizer and recovers what is in the store.
func (r *rig) start() {
	r.t.Helper()
	l, err := linux.New(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	r.c = l
	if r.recovered, err = l.Recover(context.Background(), r.store.checkpoints()); err != nil {
		r.t.Fatal(err)
	}
}

// restart is what becomes of an agent that is killed and started again.
func (r *rig) restart() {
	r.t.Helper()
	if err := r.c.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.pending = nil
	r.start()
}

func (r *rig) stop() {
	deadline := time.Now().Add(10 * time.Second)
	for len(r.store.checkpoints()) > 0 && time.Now().Before(deadline) {
		for _, p := range r.store.checkpoints() {
			r.c.Destroy(context.Background(), p.ID)
		}
		select {
		case <-r.c.Events():
		case <-time.After(5 * time.Millisecond):
		}
	}
	if left := r.store.checkpoints(); len(left) > 0 {
		r.t.Errorf("%d containers were not cleaned up", len(left))
	}
	left, err := os.ReadDir(filepath.Join(r.config.RuntimeDir, r.config.Instance))
	if err != nil && !errors.Is(err, os.ErrNotExist) || len(left) > 0 {
		r.t.Errorf("left in the runtime folder: %v, %v", left, err)
	}
	_ = r.c.Close()
}

func (r *rig) sandbox(id string) string { return filepath.Join(r.folder, "sandboxes", id) }

func (r *rig) shell(id, command string) containerizer.Spec {
	return containerizer.Spec{
		ID: id, Framework: "framework-1", Executor: id, Task: id, Agent: "agent-1", Role: "*",
		Command: containerizer.Command{Shell: true, Value: command},
		Sandbox: r.sandbox(id), CommandTask: true, Checkpoint: true, ShutdownGrace: 5 * time.Second,
	}
}

// next is the next event of the container. Those of others are kept for later.
func (r *rig) next(id string) containerizer.Event {
	r.t.Helper()
	for i, e := range r.pending {
		if e.Container() == id {
			r.pending = slices.Delete(r.pending, i, i+1)
			return e
		}
	}
	timeout := time.After(20 * time.Second)
	for {
		select {
		case e := <-r.c.Events():
			if e.Container() == id {
				return e
			}
			r.pending = append(r.pending, e)
		case <-timeout:
			r.t.Fatalf("no event of container %q came", id)
		}
	}
}

// want is the next event, which must be of type E.
func want[E containerizer.Event](r *rig, id string) E {
	r.t.Helper()
	e := r.next(id)
	got, ok := e.(E)
	if !ok {
		r.t.Fatalf("container %q: got %T %+v, want %T", id, e, e, got)
	}
	return got
}

// runToEnd launches a container and returns its wait status and output.
func (r *rig) runToEnd(spec containerizer.Spec) (status int, stdout, stderr string) {
	r.t.Helper()
	r.c.Launch(context.Background(), spec)
	want[containerizer.Started](r, spec.ID)
	exited := want[containerizer.Exited](r, spec.ID)
	if !exited.Known {
		r.t.Fatalf("container %q: the exit status is unknown; stderr: %s", spec.ID, r.read(spec.ID, "stderr"))
	}
	if cleaned := want[containerizer.Cleaned](r, spec.ID); cleaned.Err != nil {
		r.t.Fatal(cleaned.Err)
	}
	return exited.WaitStatus, r.read(spec.ID, "stdout"), r.read(spec.ID, "stderr")
}

func (r *rig) read(id, name string) string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.sandbox(id), name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// until polls for a condition.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not come about", what)
		}
	}
}
