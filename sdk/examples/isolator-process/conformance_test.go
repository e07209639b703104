//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/plugintest"
)

// The conformance kit, against this program as it is shipped.
func TestConformance(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "isolator-process")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	plugintest.Test(t, plugintest.Options{
		Kind: "isolator", Binary: binary, Config: `{"resources":"widgets:4;slots:[1-3]"}`,
		BadConfigs: []string{`{"resources":"widgets"}`}, Timeout: 20 * time.Second,
	})
}
