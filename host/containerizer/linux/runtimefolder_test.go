//go:build linux && !cgroups2

package linux_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
)

// Whoever cleans up /run does not keep an agent from launching for ever.
func TestRuntimeFolderRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := os.RemoveAll(r.config.RuntimeDir); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := r.runToEnd(r.shell("after", "exit 3")); status != 3<<8 {
		t.Errorf("wait status %d; stderr: %s", status, stderr)
	}
}

// A command whose end could not be written down is not started.
func TestRuntimeFolderFull(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *launcher.Config) {
		if err := os.Mkdir(c.RuntimeDir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("none", c.RuntimeDir, "tmpfs", 0, "size=64k"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(c.RuntimeDir, 0); err != nil {
				t.Error(err)
			}
		})
	})
	filler := filepath.Join(r.config.RuntimeDir, "filler")
	if err := os.WriteFile(filler, make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := r.shell("full", "touch ran")
	r.c.Launch(context.Background(), spec)
	if failed := want[containerizer.Failed](r, spec.ID); !strings.Contains(failed.Message, r.config.RuntimeDir) || !strings.Contains(failed.Message, "no space left on device") {
		t.Errorf("%+v", failed)
	}
	want[containerizer.Cleaned](r, spec.ID)
	if _, err := os.Stat(filepath.Join(spec.Sandbox, "ran")); err == nil {
		t.Error("the command ran all the same")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := r.runToEnd(r.shell("after", "exit 3")); status != 3<<8 {
		t.Errorf("wait status %d; stderr: %s", status, stderr)
	}
}
