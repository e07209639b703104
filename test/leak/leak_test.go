//go:build linux

package leak

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func find(t *testing.T, before Snapshot, p Places, want string) {
	t.Helper()
	left, err := before.Leaked(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left {
		if strings.Contains(l, want) {
			return
		}
	}
	t.Errorf("%q is not among what leaked: %q", want, left)
}

func places(t *testing.T) Places {
	return Places{Folders: []string{t.TempDir()}, Temporary: []string{t.TempDir()}, Prefixes: []string{"mezzo"}, Cgroup: "mezzo-leak-test"}
}

func TestWhatIsLeftIsFound(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("needs root, to mount and to make cgroups")
	}
	family, err := Adopt()
	if err != nil {
		t.Fatal(err)
	}
	p := places(t)
	before, err := Take(p)
	if err != nil {
		t.Fatal(err)
	}
	undo := leave(t, family, p)
	defer undo()
	for _, want := range []string{"sleep 4711", "mount " + p.Folders[0] + "/mounted", "file " + p.Folders[0] + "/file",
		"file " + p.Temporary[0] + "/mezzo-1", "cgroup ", "network namespace net:["} {
		find(t, before, p, want)
	}
	undo()
	left, err := before.Leaked(p, 10*time.Second)
	if err != nil || len(left) > 0 {
		t.Errorf("after all was removed: %q %v", left, err)
	}
}

// leave leaves one of each behind, an orphan in a network namespace of its own among them.
func leave(t *testing.T, family *Family, p Places) (undo func()) {
	t.Helper()
	dir, group := p.Folders[0], "/sys/fs/cgroup/"+firstHierarchy(t)+p.Cgroup
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	must(os.Mkdir(filepath.Join(p.Temporary[0], "mezzo-1"), 0o700))
	must(os.MkdirAll(group+"/below", 0o755))
	must(os.Mkdir(filepath.Join(dir, "mounted"), 0o755))
	must(syscall.Mount("none", filepath.Join(dir, "mounted"), "tmpfs", 0, "size=1m"))
	pid := filepath.Join(dir, "pid")
	shell := exec.Command("sh", "-c", "sleep 4711 & echo $! >"+pid)
	shell.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	must(family.Start(shell))
	must(family.Wait(shell))
	return func() {
		for _, d := range orphans(t) {
			_ = syscall.Kill(d.PID, syscall.SIGKILL)
		}
		_ = syscall.Unmount(filepath.Join(dir, "mounted"), 0)
		_ = os.RemoveAll(filepath.Join(dir, "mounted"))
		_ = os.RemoveAll(filepath.Join(p.Temporary[0], "mezzo-1"))
		_ = os.Remove(filepath.Join(dir, "file"))
		_ = os.Remove(pid)
		_ = os.Remove(group + "/below")
		_ = os.Remove(group)
	}
}

func orphans(t *testing.T) []Process {
	t.Helper()
	all, err := Descendants(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// firstHierarchy is the path of a cgroup hierarchy below /sys/fs/cgroup, with a slash at its end if not empty.
func firstHierarchy(t *testing.T) string {
	t.Helper()
	entries, err := mountTable()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range entries {
		if m.kind == "cgroup" || m.kind == "cgroup2" {
			if rel := strings.TrimPrefix(m.point, "/sys/fs/cgroup"); rel != "" {
				return strings.TrimPrefix(rel, "/") + "/"
			}
			return ""
		}
	}
	t.Fatal("no cgroups are mounted")
	return ""
}

func TestOrphansAreReaped(t *testing.T) {
	family, err := Adopt()
	if err != nil {
		t.Fatal(err)
	}
	p := places(t)
	before, err := Take(p)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		shell := exec.Command("sh", "-c", "(sleep 0.05 &) ; (true &)")
		if err := family.Start(shell); err != nil {
			t.Fatal(err)
		}
		if err := family.Wait(shell); err != nil {
			t.Fatal(err)
		}
	}
	left, err := before.Leaked(p, 10*time.Second)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %q %v", left, err)
	}
}
