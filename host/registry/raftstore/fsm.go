package raftstore

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/mezzo-cluster/mezzo/host/registry"
)

// fsm applies agreed operations to the registry's state. Raft calls Apply and Restore from one goroutine; the
// lock is for those who read a copy.
type fsm struct {
	mu    sync.Mutex
	state *registry.State
	// broken is the first error after which the state can no longer be trusted.
	broken error
	// version grows with every change.
	version atomic.Uint64
}

func newFSM() *fsm { return &fsm{state: registry.NewState()} }

// Apply implements raft.FSM. Its result is nil or the error the operation met; every master meets the same one.
func (f *fsm) Apply(l *raft.Log) any {
	op, err := registry.DecodeOp(l.Data)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		// An operation that this release cannot read leaves it behind the others for good.
		f.broken = fmt.Errorf("registry entry %d: %w", l.Index, err)
		return f.broken
	}
	f.version.Add(1)
	return f.state.Apply(op)
}

// Snapshot implements raft.FSM.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	s, err := f.copy()
	return &fsmSnapshot{state: s}, err
}

// Restore implements raft.FSM.
func (f *fsm) Restore(r io.ReadCloser) error {
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read registry snapshot: %w", err)
	}
	s, err := registry.DecodeState(data)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = s
	f.version.Add(1)
	return nil
}

// copy returns the present state, or the error that keeps it from being used.
func (f *fsm) copy() (*registry.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return nil, f.broken
	}
	return f.state.Clone(), nil
}

type fsmSnapshot struct{ state *registry.State }

// Persist implements raft.FSMSnapshot.
func (s *fsmSnapshot) Persist(sink raft.SnapshotSink) error {
	data, err := registry.EncodeState(s.state)
	if err == nil {
		_, err = sink.Write(data)
	}
	if err != nil {
		_ = sink.Cancel() // the error that led here says more
		return fmt.Errorf("write registry snapshot: %w", err)
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (s *fsmSnapshot) Release() {}
