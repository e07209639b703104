package pluginhost

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/cgroup"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/internal/testbinary"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
)

var cgroupParents atomic.Int32

// newCgroup names a parent of a test's own, of which nothing is to be left.
func newCgroup(t *testing.T) string {
	t.Helper()
	parent := fmt.Sprintf("mezzo/test-%d-%d.plugins", os.Getpid(), cgroupParents.Add(1))
	t.Cleanup(func() {
		if left := groupsOf(parent); len(left) > 0 {
			t.Errorf("cgroups are left: %v", left)
		}
	})
	return parent
}

// groupsOf are the names of the groups below a parent, and the parent's, over all hierarchies.
func groupsOf(parent string) []string {
	var names []string
	for _, at := range []string{"/sys/fs/cgroup/*/", "/sys/fs/cgroup/"} {
		for _, pattern := range []string{parent, parent + "/*-*"} {
			found, _ := filepath.Glob(at + pattern)
			for _, f := range found {
				names = append(names, filepath.Base(f))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// newCgroupFixture is a fixture whose plugins may have cgroups.
func newCgroupFixture(t *testing.T) *fixture {
	parent := newCgroup(t) // looked at once the fixture has stopped
	f := newFixture(t)
	f.options.Cgroup, f.Host.options.Cgroup = parent, parent
	return f
}

// isIn tells whether a process is in a plugin's group.
func isIn(t *testing.T, pid int, group string) bool {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(text), "/"+group+"\n")
}

// TestCgroup: what a plugin has started ends with it even if it has detached itself, and so does its group.
func TestCgroup(t *testing.T) {
	t.Parallel()
	f := newCgroupFixture(t)
	parent := f.options.Cgroup
	s := spec(t, "authorizer", "grandchild")
	s.Cgroup = &cgroup.Limits{Memory: 512 << 20}
	p := f.start(s)
	first := p.Status().PID
	children := childrenOf(t, first)
	if len(children) != 1 {
		t.Fatalf("children %v", children)
	}
	for _, pid := range []int{first, children[0]} {
		if !isIn(t, pid, parent+"/authorizer-test") {
			t.Errorf("process %d is not in the plugin's cgroup", pid)
		}
	}
	kill(t, first, syscall.SIGKILL)
	eventually(t, "it is restarted", func() bool { s := p.Status(); return s.State == supervise.Ready && s.PID != first })
	if alive(children[0]) && !zombie(children[0]) {
		t.Error("the grandchild is there")
	}
	if got := groupsOf(parent); !slices.Equal(got, []string{"authorizer-test", filepath.Base(parent)}) {
		t.Errorf("groups %v", got)
	}
	// While a process is being replaced, the new one has a group beside the old.
	second := childrenOf(t, p.Status().PID)
	if err := f.Reload(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if !isIn(t, p.Status().PID, parent+"/authorizer-test.2") || alive(second[0]) && !zombie(second[0]) {
		t.Errorf("after the reload: groups %v", groupsOf(parent))
	}
	if got := p.Status().LastError; !strings.Contains(got, "signal: killed") || strings.Contains(got, "memory") {
		t.Errorf("its last error is %q", got)
	}
}

// TestOutOfMemory: it is told that a plugin was killed for its memory, and not only that it was killed.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	f := newCgroupFixture(t)
	s := spec(t, "authorizer", "greedy")
	s.Cgroup = &cgroup.Limits{Memory: 64 << 20}
	p := f.start(s)
	if _, err := authorize(t.Context(), p, "alice"); err == nil {
		t.Fatal("the call has succeeded")
	}
	eventually(t, "it is restarted", func() bool { s := p.Status(); return s.State == supervise.Ready && s.Restarts == 1 })
	const want = "signal: killed, since its cgroup ran out of memory"
	if got := p.Status().LastError; !strings.Contains(got, want) {
		t.Errorf("its last error is %q", got)
	}
	if got := f.logs.String(); !strings.Contains(got, want) {
		t.Errorf("the log does not say so:\n%s", got)
	}
}

// TestLimitRefused: what the kernel does not take is shown at the block.
func TestLimitRefused(t *testing.T) {
	t.Parallel()
	f := newCgroupFixture(t)
	s := spec(t, "authorizer", "good")
	s.Cgroup = &cgroup.Limits{Memory: -2}
	err := f.Start(t.Context(), []Spec{s}, Strict)
	if err == nil || !strings.Contains(err.Error(), `authorizer "test": at cgroup: limit the cgroup`) {
		t.Errorf("got %v", err)
	}
}

// TestCgroupOfKilledHost: what a plugin of a killed host has left is killed by the next host.
func TestCgroupOfKilledHost(t *testing.T) {
	t.Parallel()
	dir, parent := testbinary.ShortDir(t), newCgroup(t)
	binary := testbinary.As(t, testPlugin, "authorizer", "grandchild")
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), "MEZZO_TEST_HOST="+dir, "MEZZO_TEST_BINARY="+binary, "MEZZO_TEST_CGROUP="+parent)
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Process.Kill() })
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	children := childrenOf(t, pid)
	if len(children) != 1 {
		t.Fatalf("children %v", children)
	}
	// A second host is not to take the place of one that runs.
	other := New(Options{RuntimeDir: filepath.Join(dir, "run"), Cgroup: parent})
	if err := other.Start(t.Context(), nil, Strict); err == nil || !strings.Contains(err.Error(), "another mezzo runs") {
		t.Errorf("a second host: %v", err)
	}
	if !alive(pid) || len(groupsOf(parent)) != 2 {
		t.Fatalf("the second host has harmed the first: groups %v", groupsOf(parent))
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	eventually(t, "the plugin ends", func() bool { return !alive(pid) || zombie(pid) })
	if !alive(children[0]) || len(groupsOf(parent)) != 2 {
		t.Fatal("nothing is left: the test shows nothing")
	}
	next := New(Options{RuntimeDir: filepath.Join(dir, "run"), Cgroup: parent})
	if err := next.Start(t.Context(), nil, Strict); err != nil {
		t.Fatal(err)
	}
	defer next.Stop()
	if alive(children[0]) && !zombie(children[0]) {
		t.Error("the grandchild is there")
	}
	if got := groupsOf(parent); len(got) > 0 {
		t.Errorf("groups %v", got)
	}
}

// TestCheckInCgroup: a plugin that is only asked is so in its cgroup, of which nothing stays.
func TestCheckInCgroup(t *testing.T) {
	t.Parallel()
	s := spec(t, "authorizer", "good")
	s.Cgroup = &cgroup.Limits{Memory: 1 << 20}
	if _, err := Check(t.Context(), Options{}, []Spec{s}); err == nil || !strings.Contains(err.Error(), "ran out of memory") {
		t.Errorf("a megabyte is enough, or the reason is not told: %v", err)
	}
	s.Cgroup = &cgroup.Limits{Memory: 256 << 20, CPUs: 1, PIDs: 100}
	if _, err := Check(t.Context(), Options{}, []Spec{s}); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob("/sys/fs/cgroup/*/mezzo/mezzo-check-*/authorizer-test"); len(left) > 0 {
		t.Errorf("cgroups are left: %v", left)
	}
}
