package runstore

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
)

const (
	// syncDelay is how long what is written may wait for the disk.
	syncDelay = time.Second
	// minCompact is the least that the logs hold, in bytes, before they are worth a snapshot.
	minCompact = 4 << 20
)

// ErrClosed is returned by operations on a closed store.
var ErrClosed = errors.New("run store is closed")

// Options says whose store it is.
type Options struct {
	// Instance is the random id of the work directory. Files of another are refused.
	Instance string
	// Boot identifies the present run of the machine, as BootID returns it.
	Boot string
	// Strict makes Open fail, naming the path and the reason, where something cannot be read that was written
	// since the machine was started. Otherwise that is left out.
	Strict bool
	// Log is told what goes wrong in the background.
	Log *slog.Logger
}

// Store is an open run store. Its methods are safe for concurrent use.
type Store struct {
	opts Options
	dir  string

	mu      sync.Mutex
	log     *os.File
	number  int               // of the log
	live    map[string][]byte // every key's value
	liveLen int               // bytes in live
	written int               // bytes in the logs since the last snapshot
	broken  error             // after it nothing can be written any more
	timer   *time.Timer       // of the next sync; nil if nothing waits
	buf     []byte

	busy      bool           // a snapshot is being written
	snapshots sync.WaitGroup // that are being written
	syncs     sync.WaitGroup // that wait for their time, or are under way
}

// Open reads a folder, which is made if it is not there, and begins a new log in it.
func Open(dir string, opts Options) (*Store, Recovered, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, Recovered{}, fmt.Errorf("open run store: %w", err)
	}
	f, err := listFolder(dir)
	if err != nil {
		return nil, Recovered{}, fmt.Errorf("open run store: %w", err)
	}
	rec, err := f.read(opts)
	if err != nil {
		return nil, Recovered{}, fmt.Errorf("open run store: %w", err)
	}
	s := &Store{opts: opts, dir: dir, number: f.last(), live: make(map[string][]byte, len(rec.Values))}
	for k, v := range rec.Values {
		rec.Values[k] = bytes.Clone(v) // out of the file's contents, which need not stay in memory
		s.keep(record.Op{Key: k, Value: rec.Values[k]})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Old logs may end in the middle of a record, so they are not added to; one snapshot takes their place.
	if err := s.compact(); err != nil {
		return nil, Recovered{}, fmt.Errorf("open run store: %w", err)
	}
	return s, rec, nil
}

// Append implements the run store of package effect: it returns once the operations survive the death of this
// process, all of them together. After an error nothing can be appended any more.
func (s *Store) Append(ops ...record.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	payload := appendOps(nil, ops)
	if len(payload) > maxFrame {
		return fmt.Errorf("record of %d bytes is too long", len(payload))
	}
	s.buf = appendFrame(s.buf[:0], payload)
	if _, err := s.log.Write(s.buf); err != nil {
		s.broken = fmt.Errorf("append to %s: %w", s.log.Name(), err)
		return s.broken
	}
	for _, op := range ops {
		s.keep(op)
	}
	s.written += len(s.buf)
	if s.written > minCompact && s.written > 2*s.liveLen && !s.busy {
		if err := s.compact(); err != nil {
			s.broken = fmt.Errorf("begin a new log: %w", err)
			return s.broken
		}
	}
	s.syncSoon()
	return nil
}

// keep takes an operation over into live.
func (s *Store) keep(op record.Op) {
	old, had := s.live[op.Key]
	if had {
		s.liveLen -= len(op.Key) + len(old)
	}
	if op.Value == nil {
		delete(s.live, op.Key)
		return
	}
	s.live[op.Key] = op.Value
	s.liveLen += len(op.Key) + len(op.Value)
}

// syncSoon syncs the log in a while, together with what else is written until then.
func (s *Store) syncSoon() {
	if s.timer != nil {
		return
	}
	s.syncs.Add(1)
	s.timer = time.AfterFunc(syncDelay, func() {
		defer s.syncs.Done()
		s.mu.Lock()
		log := s.log
		s.timer = nil
		s.mu.Unlock()
		if err := log.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			s.opts.Log.Error("run store not synced", "path", log.Name(), "error", err)
		}
	})
}

// Close syncs the log and waits for what is under way.
func (s *Store) Close() error {
	s.mu.Lock()
	if errors.Is(s.broken, ErrClosed) {
		s.mu.Unlock()
		return nil
	}
	s.broken = ErrClosed
	if s.timer != nil && s.timer.Stop() {
		s.syncs.Done()
	}
	log := s.log
	s.mu.Unlock()
	s.syncs.Wait()
	s.snapshots.Wait()
	err := log.Sync()
	return errors.Join(err, log.Close())
}

func (s *Store) path(n int, suffix string) string { return folder{dir: s.dir}.path(n, suffix) }

// create makes a file with a header.
func (s *Store) create(path string) (*os.File, error) {
	h, err := header{Version: FormatVersion, Instance: s.opts.Instance, Boot: s.opts.Boot}.encode()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(h); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return f, nil
}

func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
