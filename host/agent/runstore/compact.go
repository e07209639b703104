package runstore

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
)

// batchBytes is about how much of a snapshot goes into one frame.
const batchBytes = 256 << 10

// logStep is how far one log's number is from the one before: between them is the number of a snapshot.
const logStep = 2

// compact begins a new log and has what is alive now written beside it, in the background. The caller holds the
// lock.
func (s *Store) compact() error {
	next := s.number + logStep
	log, err := s.create(s.path(next, logSuffix))
	if err != nil {
		return err
	}
	old := s.log
	s.log, s.number, s.written = log, next, 0
	s.busy = true
	live := maps.Clone(s.live) // values are never changed
	s.snapshots.Go(func() {
		if old != nil {
			_ = old.Close() // the snapshot has all that is in it
		}
		if err := s.writeSnapshot(next-1, live); err != nil {
			// The logs still have everything; the next compaction tries again.
			s.opts.Log.Error("run store not compacted", "directory", s.dir, "error", err)
		}
		s.mu.Lock()
		s.busy = false
		s.mu.Unlock()
	})
	return nil
}

// writeSnapshot writes a snapshot and, once it is on disk, removes what it replaces.
func (s *Store) writeSnapshot(n int, live map[string][]byte) error {
	path := s.path(n, snapshotSuffix)
	f, err := s.create(path + partSuffix)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var payload []byte
	flush := func() error {
		if len(payload) == 0 {
			return nil
		}
		_, err := f.Write(appendFrame(nil, payload))
		payload = payload[:0]
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(live)) {
		payload = appendOps(payload, []record.Op{{Key: key, Value: live[key]}})
		if len(payload) < batchBytes {
			continue
		}
		if err := flush(); err != nil {
			return fmt.Errorf("write %s: %w", f.Name(), err)
		}
	}
	if err := flush(); err != nil {
		return fmt.Errorf("write %s: %w", f.Name(), err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", f.Name(), err)
	}
	if err := os.Rename(path+partSuffix, path); err != nil {
		return err
	}
	if runtime.GOOS != "windows" { // where a directory cannot be synced
		if err := syncDir(s.dir); err != nil {
			return err
		}
	}
	return s.removeBefore(n)
}

// removeBefore removes what snapshot n replaces, and what crashes left of unfinished ones.
func (s *Store) removeBefore(n int) error {
	f, err := listFolder(s.dir)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), partSuffix) {
			if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	// The oldest go first: what a crash leaves is a snapshot and all logs after it.
	for _, log := range f.logs {
		if log < n {
			if err := os.Remove(f.path(log, logSuffix)); err != nil {
				return err
			}
		}
	}
	for _, snapshot := range f.snapshots {
		if snapshot < n {
			if err := os.Remove(f.path(snapshot, snapshotSuffix)); err != nil {
				return err
			}
		}
	}
	return nil
}
