//go:build linux

package fetcher_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/fetcher"
)

func makePipe(t *testing.T, name string) {
	t.Helper()
	if err := syscall.Mkfifo(name, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestOwner checks that what is fetched belongs to the task's user, and that this user's rights decide what can be.
func TestOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Fatal("this test gives files away, so it must run as root")
	}
	folder := t.TempDir()
	for up := folder; up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	open := writeFile(t, filepath.Join(folder, "open"), []byte("for all"))
	closed := writeFile(t, filepath.Join(folder, "closed"), []byte("for root"))
	group := writeFile(t, filepath.Join(folder, "group"), []byte("for a group"))
	const uid, gid, extra = 65534, 65534, 4242
	for name, mode := range map[string]os.FileMode{closed: 0o600, group: 0o640} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(group, 0, extra); err != nil {
		t.Fatal(err)
	}
	sandbox := filepath.Join(folder, "sandbox")
	if err := os.Mkdir(sandbox, 0o755); err != nil {
		t.Fatal(err)
	}
	get := func(source string, groups ...uint32) error {
		return fetcher.New(fetcher.Config{}).Fetch(t.Context(), fetcher.Request{
			URIs:    []containerizer.URI{{Value: "file://" + source, OutputFile: "sub/" + filepath.Base(source)}},
			Sandbox: sandbox, Owner: &fetcher.Owner{UID: uid, GID: gid, Groups: groups},
		})
	}
	if err := get(open); err != nil {
		t.Error(err)
	}
	if err := get(closed); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a file for root alone: %v", err)
	}
	if err := get(group); err == nil {
		t.Error("a file for a group was fetched by somebody else")
	}
	if err := get(group, extra); err != nil {
		t.Errorf("a file for a group: %v", err)
	}
	for _, name := range []string{"sub", "sub/open", "sub/group"} {
		info, err := os.Stat(filepath.Join(sandbox, name))
		if err != nil {
			t.Fatal(err)
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != uid || stat.Gid != gid {
			t.Errorf("%s belongs to %+v", name, info.Sys())
		}
	}
	// This process has its own rights still.
	for range 20 {
		if _, err := os.ReadFile(closed); err != nil {
			t.Fatal(err)
		}
	}
}
