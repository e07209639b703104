package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLock(t *testing.T) {
	t.Parallel()
	sums := map[string]string{"a": strings.Repeat("a", 64), "b": strings.Repeat("b", 64)}
	const text = `master {
  data_dir = "/d"
}
plugin "allocator" "x" {}
plugin "authorizer" "y" {
  sha256 = "` + "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" + `"
}
`
	for _, folder := range []bool{false, true} {
		dir := t.TempDir()
		path := filepath.Join(dir, "cluster.hcl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if folder {
			path = dir
		}
		if s, err := Load(path); err != nil || s.Plugins[0].SHA256 != "" {
			t.Fatalf("without a lock file: %v %v", s, err)
		}
		l := Lock{Plugins: map[string]Locked{
			LockKey("allocator", "x"): {SHA256: sums["a"], Version: "1"}, LockKey("authorizer", "y"): {SHA256: sums["a"]},
		}}
		file, err := l.Write(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if s.Plugins[0].SHA256 != sums["a"] || s.Plugins[1].SHA256 != sums["b"] {
			t.Errorf("checksums are %q and %q; the lock file fills in what the block does not say", s.Plugins[0].SHA256, s.Plugins[1].SHA256)
		}
		for name, bad := range map[string]string{
			"no JSON": "{", "a newer format": `{"format": 99}`,
			"no checksum": `{"format": 1, "plugins": {"allocator x": {"sha256": "abc"}}}`,
		} {
			if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(path); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
