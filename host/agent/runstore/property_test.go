package runstore

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
)

// TestHistories appends, crashes, tears the end off, and opens again, at random. What was appended must be there, up
// to where the end was torn off, and no half of a batch.
func TestHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		root, err := os.MkdirTemp("", "mezzo-runstore-")
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(root) }()
		h := &histories{t: rt, root: root, states: []map[string]string{{}}}
		h.open()
		rt.Repeat(map[string]func(*rapid.T){
			"append": h.append,
			"reopen": func(*rapid.T) { h.close(); h.open() },
			"crash":  h.crash,
			"compact": func(*rapid.T) {
				h.store.mu.Lock()
				defer h.store.mu.Unlock()
				if err := h.store.compact(); err != nil {
					rt.Fatal(err)
				}
				h.states = h.states[len(h.states)-1:] // the end of another log is torn off from now on
			},
		})
		h.close()
	})
}

type histories struct {
	t     *rapid.T
	root  string
	n     int // of the folder in use
	store *Store
	// states are what was there after each batch of the present log.
	states []map[string]string
}

func (h *histories) dir() string { return filepath.Join(h.root, fmt.Sprint(h.n)) }

// open opens the folder, which must hold one of the states.
func (h *histories) open() {
	s, rec, err := Open(h.dir(), strict)
	if err != nil {
		h.t.Fatal(err)
	}
	h.store = s
	got := map[string]string{}
	for k, v := range rec.Values {
		got[k] = string(v)
	}
	if want := h.states[len(h.states)-1]; !maps.Equal(got, want) {
		h.t.Fatalf("values %v, want %v", got, want)
	}
	h.states = []map[string]string{got}
}

func (h *histories) close() {
	if err := h.store.Close(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *histories) append(rt *rapid.T) {
	next := maps.Clone(h.states[len(h.states)-1])
	var ops []record.Op
	for range rapid.IntRange(1, 4).Draw(rt, "ops") {
		key := rapid.SampledFrom([]string{"a", "b", "c/d", ""}).Draw(rt, "key")
		if rapid.Bool().Draw(rt, "delete") {
			ops = append(ops, record.Op{Key: key})
			delete(next, key)
			continue
		}
		value := rapid.StringN(0, 20, 40).Draw(rt, "value")
		ops = append(ops, put(key, value))
		next[key] = value
	}
	if err := h.store.Append(ops...); err != nil {
		rt.Fatal(err)
	}
	h.states = append(h.states, next)
}

// crash goes on with a copy of the files as they are, whatever is being done to them, the end perhaps torn off.
func (h *histories) crash(rt *rapid.T) {
	settled := rapid.Bool().Draw(rt, "compacted")
	if settled {
		h.store.snapshots.Wait()
	}
	h.store.mu.Lock()
	log, err := os.ReadFile(h.store.log.Name())
	if err != nil {
		rt.Fatal(err)
	}
	name := filepath.Base(h.store.log.Name())
	old := h.dir()
	h.n++
	err = copyFiles(h.dir(), old)
	h.store.mu.Unlock()
	if err != nil {
		rt.Fatal(err)
	}
	cut := rapid.IntRange(0, 60).Draw(rt, "torn")
	log = log[:max(len(log)-cut, 0)]
	if err := os.WriteFile(filepath.Join(h.dir(), name), log, 0o600); err != nil {
		rt.Fatal(err)
	}
	h.states = h.states[:h.whole(log)+1]
	h.close()
	h.open()
}

// whole is how many batches a log has that are not torn.
func (h *histories) whole(log []byte) int {
	_, rest, err := readHeader(log)
	if err != nil {
		return 0
	}
	n := 0
	for len(rest) > 0 {
		if _, rest, err = nextFrame(rest); err != nil {
			break
		}
		n++
	}
	return n
}

// copyFiles copies a folder in which files come and go, in the order that a crash would leave them in: what is
// removed while it is copied has been replaced by what is copied after it.
func copyFiles(to, from string) error {
	for {
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		before, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		err = os.CopyFS(to, os.DirFS(from))
		after, err2 := os.ReadDir(from)
		if err == nil && err2 == nil && fmt.Sprint(before) == fmt.Sprint(after) {
			return nil
		}
	}
}
