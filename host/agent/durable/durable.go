// Package durable keeps the few things of an agent that must survive the machine: the id that a master gave it, what
// it told the master of itself, and the random id of its work directory. They are in an embedded database, synced
// before anybody is told. The database's lock is also the work directory's: two agents cannot share one.
//
// The package imports bbolt, host/agent and host/bolt.
package durable

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/bolt"
)

// FormatVersion is the version of the database's form. A reader takes every version up to its own.
const FormatVersion = 1

const (
	fileName = "agent.db"
	pidName  = "agent.pid"
	// lockWait is how long Open waits for another agent that is just ending.
	lockWait = 500 * time.Millisecond
)

// Errors that callers tell apart.
var (
	ErrNewerFormat = errors.New("written by a newer release of mezzo")
	ErrInUse       = errors.New("the work directory is in use by another agent")
)

var (
	bucket      = []byte("agent")
	versionKey  = []byte("version")
	instanceKey = []byte("instance")
	idKey       = []byte("id")
	infoKey     = []byte("info")
	isolatorKey = []byte("isolators")
)

// Agent is what is kept. An empty id means that no master has admitted the agent.
type Agent struct {
	ID string
	// Info is an encoded mesos.v1.AgentInfo; nil without an id.
	Info []byte
}

// Store is an open store. Its methods are safe for concurrent use.
type Store struct {
	db       *bbolt.DB
	dir      string
	instance string
	agent    Agent
	isolator []byte

	mu     sync.Mutex
	closed bool
	queue  []change
	wake   chan struct{}
	done   chan struct{}
}

// change is one that waits to be committed.
type change struct {
	op   agent.Durable
	then func(error)
}

// Open opens the store of a work directory, which is made if it is not there. If another process has it open, the
// error is ErrInUse and names that process.
func Open(workDir string) (*Store, error) {
	if err := os.MkdirAll(workDir, 0o755); err != nil {
		return nil, fmt.Errorf("open work directory: %w", err)
	}
	path := filepath.Join(workDir, fileName)
	if err := bolt.Check(path); err != nil {
		return nil, fmt.Errorf("%w: put a copy of it back, or give the agent an empty work_dir", err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: %w%s: stop that one, or give this one a work_dir of its own",
			workDir, ErrInUse, holder(workDir))
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s := &Store{db: db, dir: workDir, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	pid := []byte(strconv.Itoa(os.Getpid()) + "\n")
	if err := os.WriteFile(filepath.Join(workDir, pidName), pid, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open work directory: %w", err), db.Close())
	}
	go s.commitAll()
	return s, nil
}

// holder names the process that has the work directory, as far as it is known.
func holder(workDir string) string {
	b, err := os.ReadFile(filepath.Join(workDir, pidName))
	if err != nil {
		return ""
	}
	return " (pid " + strings.TrimSpace(string(b)) + ")"
}

func (s *Store) load() error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		if v := b.Get(versionKey); v != nil {
			n, err := strconv.Atoi(string(v))
			if err != nil {
				return fmt.Errorf("format version %q: %w", v, err)
			}
			if n > FormatVersion {
				return fmt.Errorf("format %d, this release reads up to %d: %w", n, FormatVersion, ErrNewerFormat)
			}
		}
		if err := b.Put(versionKey, []byte(strconv.Itoa(FormatVersion))); err != nil {
			return err
		}
		s.instance = string(b.Get(instanceKey))
		if s.instance == "" {
			var random [8]byte
			rand.Read(random[:]) // never fails
			s.instance = hex.EncodeToString(random[:])
			if err := b.Put(instanceKey, []byte(s.instance)); err != nil {
				return err
			}
		}
		s.isolator = append(s.isolator, b.Get(isolatorKey)...)
		s.agent = Agent{ID: string(b.Get(idKey)), Info: append([]byte(nil), b.Get(infoKey)...)}
		return nil
	})
}

// Instance is the random id of the work directory: 16 hexadecimal digits, made when it was first opened.
func (s *Store) Instance() string { return s.instance }

// Agent is what was kept when the store was opened.
func (s *Store) Agent() Agent { return s.agent }

// Isolators is what SaveIsolators wrote before the store was opened; nil if it never did.
func (s *Store) Isolators() []byte { return s.isolator }

// SaveIsolators keeps what the agent's isolators have said they are, in words that are the caller's affair. It returns
// when that is on disk.
func (s *Store) SaveIsolators(text []byte) error {
	if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(isolatorKey, text) }); err != nil {
		return fmt.Errorf("write %s: %w", s.db.Path(), err)
	}
	return nil
}

// Apply begins a change and calls then, from another goroutine, once it is on disk or has failed. Changes are made
// in the order of the calls; those that wait are synced together.
func (s *Store) Apply(op agent.Durable, then func(error)) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		then(errors.New("store is closed"))
		return
	}
	s.queue = append(s.queue, change{op: op, then: then})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// commitAll commits what has been queued, until the store is closed.
func (s *Store) commitAll() {
	defer close(s.done)
	for range s.wake {
		for s.commit() {
		}
		s.mu.Lock()
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return
		}
	}
}

// commit commits what is queued, and tells whether that was anything.
func (s *Store) commit() bool {
	s.mu.Lock()
	group := s.queue
	s.queue = nil
	s.mu.Unlock()
	if len(group) == 0 {
		return false
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, c := range group {
			if err := apply(tx.Bucket(bucket), c.op); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("write %s: %w", s.db.Path(), err)
	}
	for _, c := range group {
		c.then(err)
	}
	return true
}

func apply(b *bbolt.Bucket, op agent.Durable) error {
	switch o := op.(type) {
	case agent.SaveAgent:
		return errors.Join(b.Put(idKey, []byte(o.AgentID)), b.Put(infoKey, o.Info))
	case agent.ForgetAgent:
		return errors.Join(b.Delete(idKey), b.Delete(infoKey))
	}
	return fmt.Errorf("change %T is not known", op)
}

// Close commits what is queued and gives the work directory up.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	<-s.done
	// The lock goes with the database; the pid must go first, or it might be that of the next agent.
	err := os.Remove(filepath.Join(s.dir, pidName))
	return errors.Join(err, s.db.Close())
}
