package raftstore

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/registry"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: dir, Listener: l, Member: registry.Member{HTTP: "127.0.0.1:5050"}, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func lead(t *testing.T, s *Store) Leadership {
	t.Helper()
	select {
	case l := <-s.Leadership():
		return l
	case <-time.After(30 * time.Second):
		t.Fatal("no leadership within 30 s")
		return Leadership{}
	}
}

func commit(t *testing.T, s *Store, op registry.Op) error {
	t.Helper()
	done := make(chan error, 1)
	s.Commit(op, func(err error) { done <- err })
	return <-done
}

func TestSingleMemberKeepsItsRegistryAndGrowsItsEpoch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	first := lead(t, s)
	if first.Epoch == 0 || len(first.State.Agents) != 0 {
		t.Fatalf("first leadership = %+v", first)
	}
	for _, id := range []string{"a", "b"} {
		if err := commit(t, s, registry.AdmitAgent{ID: id, Info: []byte(id)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := commit(t, s, registry.MarkUnreachable{ID: "b", At: time.Unix(7, 0).UTC()}); err != nil {
		t.Fatal(err)
	}
	if err := commit(t, s, registry.UpdateAgent{ID: "nobody"}); err == nil || errors.Is(err, ErrNotLeader) {
		t.Fatalf("update of an unknown agent = %v", err)
	}
	if m, ok := s.Leader(); !ok || m.HTTP != "127.0.0.1:5050" {
		t.Fatalf("leader = %v %v", m, ok)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := commit(t, s, registry.RemoveAgent{ID: "a"}); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("commit after close = %v", err)
	}

	again := open(t, dir)
	defer again.Close()
	second := lead(t, again)
	if second.Epoch <= first.Epoch {
		t.Errorf("epoch %d after %d", second.Epoch, first.Epoch)
	}
	if string(second.State.Agents["a"].Info) != "a" || !second.State.Unreachable["b"].Equal(time.Unix(7, 0)) {
		t.Errorf("state = %+v", second.State)
	}
	// One that begins anew has a later epoch, too, or nobody would heed it who has heard of the others.
	other := open(t, t.TempDir())
	defer other.Close()
	if third := lead(t, other); third.Epoch <= second.Epoch {
		t.Errorf("epoch %d of another registry, after %d", third.Epoch, second.Epoch)
	}
	if again.ServerID() != s.ServerID() {
		t.Errorf("server id changed from %s to %s", s.ServerID(), again.ServerID())
	}
}

func TestFolderInUseIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Open(Options{Dir: dir, Listener: l, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err == nil || !strings.Contains(err.Error(), "another process holds it") || !strings.Contains(err.Error(), dir) {
		t.Fatalf("second store on one folder: %v", err)
	}
}

func TestBadServerIDIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "server-id"), []byte("me"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: dir, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err == nil || !strings.Contains(err.Error(), "server-id") {
		t.Fatalf("Open = %v", err)
	}
}

// refused opens a folder that is not to be used, and returns why.
func refused(t *testing.T, dir string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := Open(Options{Dir: dir, Listener: l, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		_ = s.Close()
		t.Fatal("it was opened")
	}
	return err.Error()
}

// used is a folder that a master has used.
func used(t *testing.T) (dir, id string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir)
	lead(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, s.ServerID()
}

// A server whose id was lost would never stand for election.
func TestRegistryOfAnotherServerIsRefused(t *testing.T) {
	t.Parallel()
	dir, id := used(t)
	if err := os.Remove(filepath.Join(dir, "server-id")); err != nil {
		t.Fatal(err)
	}
	if why := refused(t, dir); !strings.Contains(why, id) || !strings.Contains(why, filepath.Join(dir, "server-id")) {
		t.Errorf("refused: %s", why)
	}
	if err := os.WriteFile(filepath.Join(dir, "server-id"), []byte(id+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	defer s.Close()
	lead(t, s)
}

func TestDamagedRegistryIsRefused(t *testing.T) {
	t.Parallel()
	dir, _ := used(t)
	path := filepath.Join(dir, "raft.db")
	if err := os.Truncate(path, 3*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if why := refused(t, dir); !strings.Contains(why, path+" is damaged") {
		t.Errorf("refused: %s", why)
	}
}

func TestLostRegistryIsTold(t *testing.T) {
	t.Parallel()
	dir, _ := used(t)
	if err := os.Remove(filepath.Join(dir, "raft.db")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	s, err := Open(Options{Dir: dir, Listener: l, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "the registry is empty, though this master has had one") {
		t.Errorf("the log says %s", &log)
	}
}

// Raft would stand for election again and again, or panic.
func TestUnwritableRegistryIsTold(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	lead(t, s)
	if err := s.db.BoltStore.Close(); err != nil {
		t.Fatal(err)
	}
	if err := commit(t, s, registry.AdmitAgent{ID: "a"}); !errors.Is(err, ErrNotLeader) {
		t.Errorf("commit = %v", err)
	}
	select {
	case err := <-s.Failed():
		if !strings.HasPrefix(err.Error(), "write the registry: ") {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing is told within 30 s")
	}
	if l := lead(t, s); l.Epoch != 0 {
		t.Errorf("leadership %+v", l)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
