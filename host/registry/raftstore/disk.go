package raftstore

import (
	"fmt"
	"runtime"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// disk is where Raft writes. Left to itself Raft stands for election again and again when it cannot write, and panics
// when it is its term that it cannot write; so the first failure is told, for the master to end and say why.
type disk struct {
	*raftboltdb.BoltStore

	failed chan error // takes one
}

// StoreLog implements raft.LogStore.
func (d disk) StoreLog(l *raft.Log) error { return d.tell(d.BoltStore.StoreLog(l)) }

// StoreLogs implements raft.LogStore.
func (d disk) StoreLogs(l []*raft.Log) error { return d.tell(d.BoltStore.StoreLogs(l)) }

// DeleteRange implements raft.LogStore.
func (d disk) DeleteRange(first, last uint64) error {
	return d.tell(d.BoltStore.DeleteRange(first, last))
}

// Set implements raft.StableStore.
func (d disk) Set(key, value []byte) error { return d.tell(d.BoltStore.Set(key, value)) }

// SetUint64 implements raft.StableStore. It does not return an error, which Raft would panic upon, but ends the
// goroutine, which is Raft's.
func (d disk) SetUint64(key []byte, value uint64) error {
	if err := d.tell(d.BoltStore.SetUint64(key, value)); err != nil {
		runtime.Goexit()
	}
	return nil
}

func (d disk) tell(err error) error {
	if err != nil {
		select {
		case d.failed <- fmt.Errorf("write the registry: %w", err):
		default: // it is known
		}
	}
	return err
}
