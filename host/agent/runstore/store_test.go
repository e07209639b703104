package runstore

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
)

var _ containerizer.Store = ContainerStore{}

var strict = Options{Instance: "i1", Boot: "b1", Strict: true}

func open(t *testing.T, dir string, opts Options) (*Store, Recovered) {
	t.Helper()
	s, rec, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s, rec
}

// shut closes a store.
func shut(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func put(key, value string) record.Op { return record.Op{Key: key, Value: []byte(value)} }

func expect(t *testing.T, rec Recovered, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for k, v := range rec.Values {
		got[k] = string(v)
	}
	if !maps.Equal(got, want) {
		t.Errorf("values %v, want %v", got, want)
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	s, rec := open(t, dir, strict)
	expect(t, rec, map[string]string{})
	for _, err := range []error{
		s.Append(put("a", "1"), put("b", "2")),
		s.Append(put("a", "3"), record.Op{Key: "b"}, put("e", "")),
		s.Containers().Put("c1", []byte("x")),
		s.Containers().Put("c2", nil),
		s.Containers().Delete("c1"),
		s.Containers().Delete("c9"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{"a": "3", "e": "", "container/c2": ""}
	for range 3 {
		shut(t, s)
		s, rec = open(t, dir, strict)
		expect(t, rec, want)
	}
	if err := s.Append(put("f", "4")); err != nil {
		t.Fatal(err)
	}
	want["f"] = "4"
	shut(t, s)
	_, rec = open(t, dir, strict)
	expect(t, rec, want)
	if rec.Rebooted || len(rec.Errors) > 0 {
		t.Errorf("rebooted %t, errors %v", rec.Rebooted, rec.Errors)
	}
}

func TestFilesArePrivateAndFew(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	for range 3 {
		s, _ := open(t, dir, strict)
		if err := s.Append(put("a", "1")); err != nil {
			t.Fatal(err)
		}
		shut(t, s)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("files %v, error %v", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, error %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir(), strict)
	shut(t, s)
	if err := s.Append(put("a", "1")); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestWriteErrorIsFinal(t *testing.T) {
	t.Parallel()
	s, _, err := Open(t.TempDir(), strict)
	if err != nil {
		t.Fatal(err)
	}
	s.snapshots.Wait()
	if err := s.log.Close(); err != nil {
		t.Fatal(err)
	}
	first := s.Append(put("a", "1"))
	if first == nil || !strings.Contains(first.Error(), ".log") {
		t.Errorf("error %v does not name the file", first)
	}
	if again := s.Append(put("a", "1")); again == nil || again.Error() != first.Error() {
		t.Errorf("then %v", again)
	}
}

// logOf is the path of the newest log in a folder.
func logOf(t *testing.T, dir string) string {
	t.Helper()
	f, err := listFolder(dir)
	if err != nil || len(f.logs) == 0 {
		t.Fatalf("logs %v, error %v", f.logs, err)
	}
	return f.path(f.logs[len(f.logs)-1], logSuffix)
}

// written is a closed store with three batches, and where each ends in the log.
func written(t *testing.T) (dir string, data []byte, ends []int) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	s, _ := open(t, dir, strict)
	s.snapshots.Wait()
	for n := range 3 {
		info, _ := s.log.Stat()
		ends = append(ends, int(info.Size()))
		if err := s.Append(put("n", fmt.Sprint(n)), put(fmt.Sprint(n), "x")); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, s)
	data, err := os.ReadFile(logOf(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return dir, data, append(ends, len(data))
}

// batches is what is there after the first n batches of written.
func batches(n int) map[string]string {
	want := map[string]string{}
	for i := range n {
		want["n"], want[fmt.Sprint(i)] = fmt.Sprint(i), "x"
	}
	return want
}

func TestTornEnd(t *testing.T) {
	t.Parallel()
	dir, data, ends := written(t)
	log := filepath.Base(logOf(t, dir))
	for cut := range len(data) + 1 {
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, log), data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		n := 0
		for n < 3 && ends[n+1] <= cut {
			n++
		}
		s, rec := open(t, copied, strict)
		expect(t, rec, batches(n))
		shut(t, s)
	}
}

func TestCorruption(t *testing.T) {
	t.Parallel()
	dir, data, ends := written(t)
	for n := range 6 {
		at := frameHeader + 1
		if n >= 3 {
			n, at = n-3, 2 // of the length
		}
		bad := bytes.Clone(data)
		bad[ends[n]+at] ^= 1
		if err := os.WriteFile(logOf(t, dir), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := Open(dir, strict)
		if err == nil || !strings.Contains(err.Error(), logOf(t, dir)) || !errors.Is(err, errCorrupt) ||
			!strings.Contains(err.Error(), fmt.Sprint("at byte ", ends[n])) {
			t.Errorf("strict: error %v", err)
		}
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		s, rec := open(t, copied, Options{Instance: "i1", Boot: "b1"})
		shut(t, s)
		expect(t, rec, batches(n))
		if len(rec.Errors) != 1 || rec.Rebooted {
			t.Errorf("lenient: errors %v, rebooted %t", rec.Errors, rec.Rebooted)
		}
		_, rec = openAgain(t, copied)
		if rec.Rebooted != true || len(rec.Errors) > 0 {
			t.Errorf("afterwards: errors %v", rec.Errors)
		}
	}
}

func openAgain(t *testing.T, dir string) (*Store, Recovered) {
	t.Helper()
	return open(t, dir, Options{Instance: "i1", Boot: "b2", Strict: true})
}

func TestLogIsMissing(t *testing.T) {
	t.Parallel()
	dir, _, _ := written(t)
	log := logOf(t, dir)
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(dir, strict); !errors.Is(err, errMissing) || !strings.Contains(err.Error(), log) {
		t.Errorf("strict: error %v", err)
	}
	s, rec := open(t, dir, Options{Instance: "i1", Boot: "b1"})
	if len(rec.Errors) != 1 {
		t.Errorf("lenient: errors %v", rec.Errors)
	}
	shut(t, s)
	s, _ = open(t, dir, strict)
	shut(t, s)
}

func TestRebootIsLenient(t *testing.T) {
	t.Parallel()
	dir, data, ends := written(t)
	bad := bytes.Clone(data)
	bad[ends[1]+frameHeader] ^= 1
	if err := os.WriteFile(logOf(t, dir), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	_, rec := open(t, dir, Options{Instance: "i1", Boot: "b2", Strict: true})
	expect(t, rec, batches(1))
	if !rec.Rebooted || len(rec.Errors) != 1 {
		t.Errorf("rebooted %t, errors %v", rec.Rebooted, rec.Errors)
	}
}

func TestForeignFiles(t *testing.T) {
	t.Parallel()
	dir, data, _ := written(t)
	if _, _, err := Open(dir, Options{Instance: "i2", Boot: "b1"}); err == nil || !strings.Contains(err.Error(), "i1") {
		t.Errorf("other instance: error %v", err)
	}
	h, err := header{Version: FormatVersion + 1, Instance: "i1", Boot: "b1"}.encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(logOf(t, dir), h, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(dir, Options{Instance: "i1", Boot: "b1"}); !errors.Is(err, record.ErrNewerFormat) {
		t.Errorf("newer format: error %v", err)
	}
	if err := os.WriteFile(logOf(t, dir), append([]byte("not ours"), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(dir, strict); !errors.Is(err, errForm) {
		t.Errorf("other file: error %v", err)
	}
}

func TestCompaction(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	s, _ := open(t, dir, strict)
	want := map[string]string{}
	value := strings.Repeat("x", 256<<10)
	for n := range 64 {
		s.snapshots.Wait() // one compaction at a time
		key := fmt.Sprint(n % 5)
		want[key] = value[:len(value)-n]
		if err := s.Append(put(key, want[key])); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, s)
	var size int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			size += info.Size()
		}
	}
	if size > 12<<20 {
		t.Errorf("%d bytes in %v", size, entries)
	}
	_, rec := open(t, dir, strict)
	expect(t, rec, want)
}

func TestConcurrentAppends(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	s, _ := open(t, dir, strict)
	var all sync.WaitGroup
	want := map[string]string{}
	for n := range 8 {
		for m := range 50 {
			want[fmt.Sprintf("%d/%d", n, m)] = "x"
		}
		all.Go(func() {
			for m := range 50 {
				if err := s.Append(put(fmt.Sprintf("%d/%d", n, m), "x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	shut(t, s)
	_, rec := open(t, dir, strict)
	expect(t, rec, want)
}
