// Package raftstore keeps the registry on Raft (hashicorp/raft over an embedded bbolt log). One master is a
// cluster of one, with the same code. It may import the Raft library, host/bolt and host/registry, and nothing else of
// the host.
package raftstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"github.com/mezzo-cluster/mezzo/host/bolt"
	"github.com/mezzo-cluster/mezzo/host/registry"
)

// ErrNotLeader answers a commit of a master that has lost, or never had, the leadership. Whether the operation
// was committed is not known: the next leader may find it in its log.
var ErrNotLeader = errors.New("this master does not lead")

// barrierTimeout bounds how long a new leader waits for its own log to be applied.
const barrierTimeout = 30 * time.Second

// Options say where a store lives and how it is reached.
type Options struct {
	// Dir is the folder of the log, the snapshots and the server's id. It is made if it is not there.
	Dir string
	// Listener accepts Raft's connections; Close closes it.
	Listener net.Listener
	// TLS is how members prove to each other who they are, both ways; nil leaves their connections open, which is for
	// loopback alone.
	TLS *tls.Config
	// Member is what the other masters are told of this one, once it leads.
	Member registry.Member
	Log    *slog.Logger
}

// Leadership is a period of leading, or its end.
type Leadership struct {
	// Epoch numbers the period: Raft's term, which only ever grows. It is 0 when the leadership has ended.
	Epoch uint64
	// State is the registry as of the period's beginning; it is the receiver's. Nil when the leadership has ended.
	State *registry.State
}

// Store is a member of the Raft cluster. Its methods are safe for concurrent use.
type Store struct {
	raft    *raft.Raft
	fsm     *fsm
	db      disk
	trans   *raft.NetworkTransport
	id      string
	member  registry.Member
	log     *slog.Logger
	leading chan Leadership
	stop    context.CancelFunc
	closed  chan struct{} // closed when Raft has stopped
	done    sync.WaitGroup

	measures measures
}

// Open starts the member. A folder without a log begins a cluster of one. It returns an error that names the
// folder when another process holds it, or when it was written by a newer release.
func Open(o Options) (_ *Store, err error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make registry folder: %w", err)
	}
	id, known, err := serverID(o.Dir)
	if err != nil {
		return nil, err
	}
	db, err := openLog(filepath.Join(o.Dir, "raft.db"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = db.Close()
		}
	}()
	snaps, err := raft.NewFileSnapshotStore(o.Dir, 2, logWriter{o.Log})
	if err != nil {
		return nil, fmt.Errorf("open registry snapshots: %w", err)
	}
	trans := raft.NewNetworkTransport(newStreamLayer(o.Listener, o.TLS), 3, 10*time.Second, logWriter{o.Log})
	s := &Store{fsm: newFSM(), db: disk{db, make(chan error, 1)}, trans: trans, id: id, member: o.Member, log: o.Log, leading: make(chan Leadership), closed: make(chan struct{})}
	if err := s.start(o.Dir, snaps, known); err != nil {
		_ = trans.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.done.Go(func() { s.watch(ctx) })
	return s, nil
}

// start starts Raft. A server that is known has been here before.
func (s *Store) start(dir string, snaps raft.SnapshotStore, known bool) error {
	conf := raft.DefaultConfig()
	conf.LocalID = raft.ServerID(s.id)
	conf.LogOutput = logWriter{s.log}
	conf.LogLevel = "INFO"
	// A commit must never wait for the one before it; Raft then writes what has queued up in one sync.
	conf.BatchApplyCh = true
	self := raft.Configuration{Servers: []raft.Server{{ID: conf.LocalID, Address: s.trans.LocalAddr()}}}
	db := s.db.BoltStore
	has, err := raft.HasExistingState(db, db, snaps)
	if err != nil {
		return fmt.Errorf("read registry log: %w", err)
	}
	if !has {
		if known {
			s.log.Warn("the registry is empty, though this master has had one: agents and frameworks register anew", "directory", dir)
		}
		if err := raft.BootstrapCluster(conf, db, db, snaps, s.trans, self); err != nil {
			return fmt.Errorf("begin a registry of one member: %w", err)
		}
	} else {
		reading := *conf // GetConfiguration leaves its mark on what it is given
		if self, err = raft.GetConfiguration(&reading, newFSM(), db, db, snaps, s.trans); err != nil {
			return fmt.Errorf("read registry: %w", err)
		}
	}
	if len(self.Servers) == 1 {
		if owner := self.Servers[0].ID; owner != conf.LocalID {
			return fmt.Errorf("the registry in %s is that of server %s, and this one is %s: write the former into %s",
				dir, owner, conf.LocalID, filepath.Join(dir, serverIDName))
		}
		if err := s.skipTerms(); err != nil {
			return fmt.Errorf("start registry: %w", err)
		}
		// Nobody else can be leading, so there is nothing to wait for before standing for election.
		conf.HeartbeatTimeout, conf.ElectionTimeout, conf.LeaderLeaseTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	}
	made := make(chan struct{})
	go func() { // which ends where its write fails
		defer close(made)
		s.raft, err = raft.NewRaft(conf, s.fsm, s.db, s.db, snaps, s.trans)
	}()
	<-made
	if s.raft == nil && err == nil {
		err = <-s.db.failed
	}
	if err != nil {
		return fmt.Errorf("start registry: %w", err)
	}
	return nil
}

// currentTerm is where Raft keeps its term.
var currentTerm = []byte("CurrentTerm")

// skipTerms lets a cluster of one go on at the term that is the present time, in milliseconds. Agents heed no master
// of an earlier term than the last they have heard of; so they follow one whose registry was lost, or is a copy from a
// while ago, too.
func (s *Store) skipTerms() error {
	term, err := s.db.GetUint64(currentTerm)
	if now := uint64(max(0, time.Now().UnixMilli())); err == nil && term < now { //nolint:gosec // not negative
		err = s.db.BoltStore.SetUint64(currentTerm, now)
	}
	return err
}

// Failed tells that the registry could not be written. Nothing can be changed from then on.
func (s *Store) Failed() <-chan error { return s.db.failed }

// Leadership tells when this master begins to lead and when it ceases to. It is closed by Close.
func (s *Store) Leadership() <-chan Leadership { return s.leading }

// ServerID is the member's id: a UUID in its folder.
func (s *Store) ServerID() string { return s.id }

// Leader says where the leading master is reached, if that is known.
func (s *Store) Leader() (registry.Member, bool) {
	_, id := s.raft.LeaderWithID()
	if id == "" {
		return registry.Member{}, false
	}
	state, err := s.fsm.copy()
	if err != nil {
		return registry.Member{}, false
	}
	m, ok := state.Members[string(id)]
	return m, ok
}

// Commit asks for an operation to be agreed upon and calls done, from another goroutine, once it is (nil), or
// with the reason why that is not known (ErrNotLeader) or not so. Operations are agreed upon in the order of the
// calls; done may be called in another.
func (s *Store) Commit(op registry.Op, done func(error)) {
	data, err := registry.EncodeOp(op)
	if err != nil {
		go done(err)
		return
	}
	measured := s.measures.begin()
	future := s.raft.Apply(data, 0)
	go func() {
		err := s.outcome(future)
		measured()
		done(err)
	}()
}

// await waits for a future. Raft does not answer what was still queued when it stopped.
func (s *Store) await(f raft.Future) error {
	answer := make(chan error, 1)
	go func() { answer <- f.Error() }()
	select {
	case err := <-answer:
		return err
	case <-s.closed:
		return raft.ErrRaftShutdown
	}
}

func (s *Store) outcome(f raft.ApplyFuture) error {
	if err := s.await(f); err != nil {
		return fmt.Errorf("%w: %w", ErrNotLeader, err)
	}
	if err, ok := f.Response().(error); ok {
		return err
	}
	return nil
}

// watch tells of leadership, each period begun by a barrier, so that the state it starts from is complete.
func (s *Store) watch(ctx context.Context) {
	defer close(s.leading)
	for {
		select {
		case <-ctx.Done():
			return
		case leads := <-s.raft.LeaderCh():
			l := Leadership{}
			if leads {
				var err error
				if l, err = s.begin(); err != nil {
					s.log.Error("cannot lead", "error", err)
					continue
				}
			}
			select {
			case s.leading <- l:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (s *Store) begin() (Leadership, error) {
	began := time.Now()
	if err := s.await(s.raft.Barrier(barrierTimeout)); err != nil {
		return Leadership{}, fmt.Errorf("catch up with the registry's log: %w", err)
	}
	data, err := registry.EncodeOp(registry.PutMember{ID: s.id, Member: s.member})
	if err != nil {
		return Leadership{}, err
	}
	measured := s.measures.begin()
	err = s.outcome(s.raft.Apply(data, 0))
	measured()
	if err != nil {
		return Leadership{}, fmt.Errorf("record this master's addresses: %w", err)
	}
	state, err := s.fsm.copy()
	s.measures.fetch.add(time.Since(began))
	return Leadership{Epoch: s.raft.CurrentTerm(), State: state}, err
}

// Close leaves the cluster's work (not its membership) and releases the folder.
func (s *Store) Close() error {
	s.stop()
	err := s.raft.Shutdown().Error()
	close(s.closed)
	s.done.Wait()
	return errors.Join(err, s.trans.Close(), s.db.Close())
}

// serverIDName is the file that has the member's id.
const serverIDName = "server-id"

// serverID reads the member's id, if it is known, or makes one. It survives everything but the folder's removal.
func serverID(dir string) (_ string, known bool, err error) {
	path := filepath.Join(dir, serverIDName)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		id := uuid.NewString()
		return id, false, writeSynced(path, id+"\n")
	}
	if err != nil {
		return "", false, fmt.Errorf("read server id: %w", err)
	}
	id, err := uuid.Parse(strings.TrimSpace(string(data)))
	if err != nil {
		return "", false, fmt.Errorf("read server id in %s: %w", path, err)
	}
	return id.String(), true, nil
}

func writeSynced(path, text string) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write server id: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write server id: %w", err)
	}
	return os.Rename(path+".new", path)
}

func openLog(path string) (*raftboltdb.BoltStore, error) {
	if err := bolt.Check(path); err != nil {
		return nil, fmt.Errorf("%w: put a copy of data_dir back, or begin with an empty one, where agents and frameworks register anew", err)
	}
	db, err := raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: &bbolt.Options{Timeout: time.Second}})
	if errors.Is(err, bbolt.ErrTimeout) {
		return nil, fmt.Errorf("open registry log %s: another process holds it; is a master running on this data_dir?", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open registry log %s: %w", path, err)
	}
	return db, nil
}

// streamLayer lets Raft use a listener made elsewhere.
type streamLayer struct {
	net.Listener
	tls *tls.Config // nil without TLS
}

func newStreamLayer(l net.Listener, conf *tls.Config) streamLayer {
	if conf != nil {
		l = tls.NewListener(l, conf)
	}
	return streamLayer{l, conf}
}

// Dial implements raft.StreamLayer.
func (s streamLayer) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout}
	if s.tls == nil {
		return dialer.Dial("tcp", string(addr))
	}
	return tls.DialWithDialer(dialer, "tcp", string(addr), s.tls)
}
