package runstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
)

const (
	logSuffix      = ".log"
	snapshotSuffix = ".snapshot"
	partSuffix     = ".part" // of a snapshot that is being written
)

// Recovered is what a folder held.
type Recovered struct {
	// Values are those of all keys.
	Values map[string][]byte
	// Rebooted tells that the machine was restarted since the last was written, so that it may be missing.
	Rebooted bool
	// Errors says what could not be read, and where; of a strict recovery there are none.
	Errors []error
}

// folder is the files of a store, by number.
type folder struct {
	dir       string
	snapshots []int // ascending
	logs      []int // ascending
}

func listFolder(dir string) (folder, error) {
	f := folder{dir: dir}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return f, err
	}
	for _, e := range entries {
		if n, ok := number(e.Name(), logSuffix); ok {
			f.logs = append(f.logs, n)
		}
		if n, ok := number(e.Name(), snapshotSuffix); ok {
			f.snapshots = append(f.snapshots, n)
		}
	}
	slices.Sort(f.logs)
	slices.Sort(f.snapshots)
	return f, nil
}

func number(name, suffix string) (int, bool) {
	digits, is := strings.CutSuffix(name, suffix)
	n, err := strconv.Atoi(digits)
	return n, is && err == nil && n > 0
}

func (f folder) path(n int, suffix string) string {
	return filepath.Join(f.dir, fmt.Sprintf("%06d%s", n, suffix))
}

// last is the highest number in use, 0 if none.
func (f folder) last() int {
	n := 0
	for _, list := range [][]int{f.logs, f.snapshots} {
		if len(list) > 0 {
			n = max(n, list[len(list)-1])
		}
	}
	return n
}

// read puts together what the files say: the newest snapshot, then the logs after it.
func (f folder) read(opts Options) (Recovered, error) {
	r := reader{opts: opts, out: Recovered{Values: map[string][]byte{}}}
	first := 0
	if len(f.snapshots) > 0 {
		first = f.snapshots[len(f.snapshots)-1]
		if err := r.file(f.path(first, snapshotSuffix), true); err != nil {
			return r.out, err
		}
	}
	next := first + 1
	if first == 0 {
		next = logStep // as Open begins
	}
	for _, n := range f.logs {
		if n <= first {
			continue // the snapshot has it; a crash kept it from being removed
		}
		if n != next {
			r.bad(f.path(next, logSuffix), 0, errMissing)
		}
		if err := r.file(f.path(n, logSuffix), false); err != nil {
			return r.out, err
		}
		next = n + logStep
	}
	if first != 0 && next == first+1 {
		r.bad(f.path(next, logSuffix), 0, errMissing) // a log is begun before the snapshot that precedes it
	}
	r.out.Rebooted = r.boot != "" && r.boot != opts.Boot
	if opts.Strict && !r.out.Rebooted && len(r.out.Errors) > 0 {
		return r.out, fmt.Errorf("%w (set strict = false to leave out what cannot be read)", errors.Join(r.out.Errors...))
	}
	return r.out, nil
}

// reader gathers values over files.
type reader struct {
	opts Options
	out  Recovered
	boot string // of the newest file
}

// file reads one file as far as it can. It fails where going on would be wrong even if lenient.
func (r *reader) file(path string, whole bool) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return r.parse(path, data, whole)
}

// parse reads the contents of a file. Of a file that is whole the end cannot be cut off.
func (r *reader) parse(path string, data []byte, whole bool) error {
	h, rest, err := readHeader(data)
	switch {
	case errors.Is(err, record.ErrNewerFormat):
		return fmt.Errorf("read %s: %w", path, err)
	case errors.Is(err, errCut) && !whole:
		return nil // the agent was killed when it had just begun the file
	case err != nil:
		r.bad(path, 0, err)
		return nil
	case h.Instance != r.opts.Instance:
		return fmt.Errorf("read %s: it belongs to the work directory of instance %s, this one is %s", path, h.Instance, r.opts.Instance)
	}
	r.boot = h.Boot
	for len(rest) > 0 {
		payload, after, err := nextFrame(rest)
		if err == nil {
			err = eachOp(payload, r.apply)
		}
		if err != nil {
			if !errors.Is(err, errCut) || whole {
				r.bad(path, len(data)-len(rest), err)
			}
			return nil // where the next record begins nobody knows
		}
		rest = after
	}
	return nil
}

func (r *reader) bad(path string, offset int, err error) {
	r.out.Errors = append(r.out.Errors, fmt.Errorf("read %s at byte %d: %w", path, offset, err))
}

func (r *reader) apply(op record.Op) {
	if op.Value == nil {
		delete(r.out.Values, op.Key)
		return
	}
	r.out.Values[op.Key] = op.Value
}
