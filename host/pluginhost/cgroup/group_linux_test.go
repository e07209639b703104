package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var parents atomic.Int32

// newParent is where a test has its groups; nothing is to be left of it.
func newParent(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes cgroups, so it must run as root")
	}
	parent := fmt.Sprintf("mezzo/test-%d-%d.plugins", os.Getpid(), parents.Add(1))
	t.Cleanup(func() {
		for _, base := range mustFind(t).all {
			if _, err := os.Stat(filepath.Join(base, parent)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s/%s is left: %v", base, parent, err)
			}
		}
	})
	return parent
}

func mustFind(t *testing.T) *hierarchy {
	t.Helper()
	h, err := find(mount)
	if err != nil {
		t.Fatal(err)
	}
	if h.unified != wantUnified {
		t.Fatalf("this machine's cgroups are not what this test is about: %+v", h)
	}
	return h
}

func newGroup(t *testing.T, parent string, l Limits) *Group {
	t.Helper()
	g, err := Make(parent, "authorizer-opa", l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// run starts a shell in the group and returns what it prints first.
func run(t *testing.T, g *Group, script string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(cmd, (*exec.Cmd).Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

func file(t *testing.T, folder, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestMemberFromTheStart: the first thing that a program does is to look where it is.
func TestMemberFromTheStart(t *testing.T) {
	t.Parallel()
	parent := newParent(t)
	g := newGroup(t, parent, Limits{CPUs: 0.5, Memory: 64 << 20, PIDs: 32})
	cmd, line := run(t, g, `echo $(while read line; do echo "$line"; done </proc/self/cgroup); exec sleep 1000`)
	if got, want := strings.Count(line, ":/"+parent+"/authorizer-opa"), len(g.h.all); got != want {
		t.Errorf("it is in %d of %d groups: %s", got, want, line)
	}
	for _, folder := range g.folders() {
		if got := file(t, folder, "cgroup.procs"); got != strconv.Itoa(cmd.Process.Pid) {
			t.Errorf("%s has the processes %q, and %d was started", folder, got, cmd.Process.Pid)
		}
	}
	for name, want := range wantLimits {
		found := false
		for _, folder := range g.folders() {
			if _, err := os.Stat(filepath.Join(folder, name)); err == nil && !found {
				found = true
				if got := file(t, folder, name); got != want {
					t.Errorf("%s is %s, want %s", name, got, want)
				}
			}
		}
		if !found {
			t.Errorf("no group has a file %s", name)
		}
	}
}

// TestThisProcessStaysOutside: starting moves no thread of this process for good.
func TestThisProcessStaysOutside(t *testing.T) {
	t.Parallel()
	g := newGroup(t, newParent(t), Limits{})
	for range 20 {
		run(t, g, "echo up; sleep 1000")
	}
	threads, err := filepath.Glob("/proc/self/task/*/cgroup")
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads %v, %v", threads, err)
	}
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err == nil && strings.Contains(string(text), g.path()) {
			t.Errorf("the thread %s of this process is in the group:\n%s", name, text)
		}
	}
}

// TestEscapedAreKilled: a process that has detached itself, in a group that the plugin has made in its own, is killed
// with it.
func TestEscapedAreKilled(t *testing.T) {
	t.Parallel()
	g := newGroup(t, newParent(t), Limits{})
	cmd, _ := run(t, g, `setsid sh -c 'sleep 1000 & sleep 1000 & echo; wait' & wait`)
	inner := filepath.Join(g.folders()[0], "own")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(file(t, g.folders()[0], "cgroup.procs"))
	if len(pids) != 4 {
		t.Fatalf("processes %v", pids)
	}
	if err := write(inner, "cgroup.procs", pids[3]); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := g.Remove(); err != nil {
		t.Fatal(err)
	}
	for _, p := range pids {
		pid, _ := strconv.Atoi(p)
		if state, err := os.ReadFile("/proc/" + p + "/stat"); err == nil && !strings.Contains(string(state), ") Z ") {
			t.Errorf("process %d is there: %s", pid, state)
		}
	}
	if err := g.Remove(); err != nil {
		t.Errorf("removed again: %v", err)
	}
}

// TestForkBomb: killing is faster than forking.
func TestForkBomb(t *testing.T) {
	t.Parallel()
	g := newGroup(t, newParent(t), Limits{PIDs: 100})
	run(t, g, `echo up; f() { f & f & }; while :; do f; done 2>/dev/null`)
	until(t, "it has many processes", func() bool {
		return len(strings.Fields(file(t, g.folders()[0], "cgroup.procs"))) > 20
	})
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	g := newGroup(t, newParent(t), Limits{Memory: 16 << 20})
	cmd, _ := run(t, g, `echo up; read go; :`)
	if g.OutOfMemory() {
		t.Error("it is out of memory before it has begun")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	cmd, _ = run(t, g, `echo up; x=$(head -c 100000000 /dev/zero | tr '\0' x); echo ${#x}`)
	until(t, "it is killed", g.OutOfMemory)
	if err := cmd.Wait(); err == nil {
		t.Error("it has ended well")
	}
}

// TestBesides: while a process is being replaced there are two of them.
func TestBesides(t *testing.T) {
	t.Parallel()
	parent := newParent(t)
	first, second := newGroup(t, parent, Limits{}), newGroup(t, parent, Limits{})
	if first.name != "authorizer-opa" || second.name != "authorizer-opa.2" {
		t.Errorf("names %s, %s", first.name, second.name)
	}
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	if third := newGroup(t, parent, Limits{}); third.name != "authorizer-opa" {
		t.Errorf("name %s", third.name)
	}
}

// TestClear removes what was left, and only that of its own parent.
func TestClear(t *testing.T) {
	t.Parallel()
	mine, other := newParent(t), newParent(t)
	left, stays := newGroup(t, mine, Limits{}), newGroup(t, other, Limits{})
	cmd, _ := run(t, left, "echo up; sleep 1000")
	neighbour, _ := run(t, stays, "echo up; sleep 1000")
	if err := Clear(mine); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("it ended with %v", err)
	}
	for _, folder := range left.folders() {
		if _, err := os.Stat(filepath.Dir(folder)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there: %v", filepath.Dir(folder), err)
		}
	}
	if err := neighbour.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other host's process: %v", err)
	}
	if err := Clear(mine); err != nil {
		t.Errorf("cleared again: %v", err)
	}
}

func TestNoCgroups(t *testing.T) {
	t.Parallel()
	_, err := find(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "leave the block out") {
		t.Errorf("got %v", err)
	}
}
