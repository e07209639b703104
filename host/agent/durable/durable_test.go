package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/mezzo-cluster/mezzo/host/agent"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// makeChange makes a change and waits for it.
func makeChange(t *testing.T, s *Store, op agent.Durable) {
	t.Helper()
	done := make(chan error, 1)
	s.Apply(op, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "work")
	s := open(t, dir)
	instance := s.Instance()
	if len(instance) != 16 || s.Agent().ID != "" {
		t.Errorf("instance %q, agent %+v", instance, s.Agent())
	}
	makeChange(t, s, agent.SaveAgent{AgentID: "S1", Info: []byte("info")})
	shut(t, s)
	s = open(t, dir)
	if a := s.Agent(); a.ID != "S1" || string(a.Info) != "info" || s.Instance() != instance {
		t.Errorf("agent %+v, instance %q", a, s.Instance())
	}
	makeChange(t, s, agent.ForgetAgent{})
	shut(t, s)
	if a := open(t, dir).Agent(); a.ID != "" || len(a.Info) != 0 {
		t.Errorf("agent %+v", a)
	}
}

func TestTwoAgents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	_, err := Open(dir)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "pid "+strconv.Itoa(os.Getpid())) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v", err)
	}
	shut(t, s)
	open(t, dir)
}

func TestOtherDirectoriesHaveOtherInstances(t *testing.T) {
	t.Parallel()
	one, other := open(t, t.TempDir()), open(t, t.TempDir())
	if one.Instance() == other.Instance() {
		t.Error("the same instance")
	}
}

func TestNewerFormat(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shut(t, open(t, dir))
	db, err := bbolt.Open(filepath.Join(dir, fileName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(versionKey, []byte("2")) })
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("error %v", err)
	}
}

func TestManyChangesAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	var all sync.WaitGroup
	var mu sync.Mutex
	var order []int
	for n := range 100 {
		all.Add(1)
		s.Apply(agent.SaveAgent{AgentID: fmt.Sprint("S", n)}, func(err error) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			order = append(order, n)
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, n := range order {
		if i != n {
			t.Fatalf("order %v", order)
		}
	}
	shut(t, s)
	if a := open(t, dir).Agent(); a.ID != "S99" {
		t.Errorf("agent %+v", a)
	}
}

func TestCloseCommitsWhatIsQueued(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	s.Apply(agent.SaveAgent{AgentID: "S1"}, func(error) {})
	shut(t, s)
	failed := false
	s.Apply(agent.SaveAgent{AgentID: "S2"}, func(err error) { failed = err != nil })
	if a := open(t, dir).Agent(); a.ID != "S1" || !failed {
		t.Errorf("agent %+v, failed %t", a, failed)
	}
}

func TestPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir)
	for _, name := range []string{fileName, pidName} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, error %v", name, info, err)
		}
	}
}

func TestIsolators(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Isolators(); got != nil {
		t.Errorf("a new store has %s", got)
	}
	if err := errors.Join(s.SaveIsolators([]byte("before")), s.SaveIsolators([]byte("after")), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Isolators(); string(got) != "after" {
		t.Errorf("got %s", got)
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	path := filepath.Join(dir, fileName)
	if err := os.Truncate(path, 3*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), path+" is damaged") {
		t.Errorf("Open = %v", err)
	}
}
