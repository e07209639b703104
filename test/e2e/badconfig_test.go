//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// replaced writes a copy of a file, beside it, in which texts are replaced.
func replaced(t *testing.T, path string, oldnew ...string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(string(data), oldnew[i]) {
			t.Fatalf("%s does not contain %q", path, oldnew[i])
		}
	}
	name := strings.TrimSuffix(filepath.Base(path), ".hcl") + "-changed.hcl"
	return write(t, filepath.Dir(path), name, strings.NewReplacer(oldnew...).Replace(string(data)))
}

// mustSay checks a command's exit status and that its error contains some texts.
func mustSay(t *testing.T, r result, status int, want ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("want exit status %d: %s", status, r)
	}
	for _, w := range want {
		if !strings.Contains(r.stderr, w) {
			t.Errorf("%q is not said: %s", w, r)
		}
	}
}
