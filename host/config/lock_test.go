package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

var sumA, sumB = strings.Repeat("a", 64), strings.Repeat("b", 64)

const lockable = `master {
  data_dir = "/d"
}
plugin "allocator" "x" {}
plugin "authorizer" "y" {
  sha256 = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
}
`

func locked(sum string) Locked {
	return Locked{SHA256: sum, Name: "n", Version: "1 <beta>", Services: []string{"mezzo.allocator.v1.AllocatorService"}, Schema: everything()}
}

func lockX(t *testing.T, path string) string {
	t.Helper()
	l := Lock{Plugins: map[string]Locked{LockKey("allocator", "x"): locked(sumA)}}
	file, err := l.Write(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLock(t *testing.T) {
	t.Parallel()
	for _, folder := range []bool{false, true} {
		path := write(t, "cluster.hcl", lockable)
		if folder {
			path = filepath.Dir(path)
		}
		if s, err := Load(path); err != nil || s.Plugins[0].SHA256 != "" {
			t.Fatalf("without a lock file: %v %v", s, err)
		}
		file := lockX(t, path)
		s, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if s.Plugins[0].SHA256 != sumA || s.Plugins[1].SHA256 != sumB {
			t.Errorf("checksums are %q and %q; the lock file fills in what the block does not say", s.Plugins[0].SHA256, s.Plugins[1].SHA256)
		}
		got, err := s.Locked("allocator", "x")
		if err != nil || got.Version != "1 <beta>" || !proto.Equal(got.Schema, everything()) {
			t.Errorf("%+v, %v", got, err)
		}
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lockX(t, path)
		if after, _ := os.ReadFile(file); string(after) != string(before) {
			t.Errorf("the same lock is written in two ways:\n%s\n%s", before, after)
		}
		for _, want := range []string{"{\n  \"format\": 1,\n", `"version": "1 <beta>"`, "\n        \"attributes\": [\n", `"default_json"`} {
			if !strings.Contains(string(before), want) {
				t.Errorf("no %s in\n%s", want, before)
			}
		}
	}
}

// What the lock file does not say, or says against the block, is told at the block's line, with the remedy.
func TestLockAgainstBlocks(t *testing.T) {
	t.Parallel()
	path := write(t, "cluster.hcl", lockable)
	file := lockX(t, path)
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if _, err := s.Locked("authorizer", "y"); !errors.As(err, &e) || e.Diagnostics()[0].Line != 5 ||
		!strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "`mezzo plugin lock "+path+"`") {
		t.Errorf("not locked: %v", err)
	}
	l := Lock{Plugins: map[string]Locked{LockKey("authorizer", "y"): locked(sumA)}}
	if _, err := l.Write(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.As(err, &e) || e.Diagnostics()[0].Line != 6 || e.Diagnostics()[0].Column != 3 ||
		!strings.Contains(err.Error(), sumA) || !strings.Contains(err.Error(), "`mezzo plugin lock "+path+"`") {
		t.Errorf("two checksums: %v", err)
	}
	if _, err := LoadUnlocked(path); err != nil {
		t.Errorf("locking anew: %v", err)
	}
}

func TestBadLock(t *testing.T) {
	t.Parallel()
	path := write(t, "cluster.hcl", lockable)
	file := lockX(t, path)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	change := func(from, to string) string {
		if !strings.Contains(string(good), from) {
			t.Fatalf("no %s in\n%s", from, good)
		}
		return strings.Replace(string(good), from, to, 1)
	}
	for name, bad := range map[string][2]string{
		"no JSON":          {"{", "unexpected end of JSON"},
		"more than JSON":   {string(good) + "{", "invalid character"},
		"no format":        {`{"plugins": {}}`, "it has format 0, and this release reads format 1"},
		"a newer format":   {`{"format": 99, "new": true}`, "it has format 99, and this release reads format 1"},
		"an unknown name":  {change(`"plugins"`, `"plugin"`), `unknown field "plugin"`},
		"an unknown field": {change(`"version"`, `"release"`), `unknown field "release"`},
		"no checksum":      {change(sumA, "abc"), "allocator x: a SHA-256 checksum has 64"},
		"no name":          {change(`"n"`, `""`), "allocator x: the name or the version is missing"},
		"no schema":        {`{"format": 1, "plugins": {"allocator x": {"sha256": "` + sumA + `", "name": "n", "version": "1"}}}`, "the schema is missing"},
		"a wrong schema":   {change(`"KIND_INT"`, `"KIND_UNSPECIFIED"`), "allocator x: "},
		"a newer schema":   {change(`"attributes"`, `"novelties"`), `unknown field "novelties"`},
	} {
		if err := os.WriteFile(file, []byte(bad[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if err == nil || !strings.Contains(err.Error(), bad[1]) || !strings.Contains(err.Error(), file) ||
			!strings.Contains(err.Error(), "`mezzo plugin lock "+path+"` writes it anew") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := LoadUnlocked(path); err != nil {
			t.Errorf("%s: writing it anew: %v", name, err)
		}
	}
}
