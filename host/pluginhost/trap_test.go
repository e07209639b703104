//go:build unix

package pluginhost

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/cgroup"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/internal/testbinary"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/process"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
)

// TestKilledIsRestarted kills a plugin that has a checksum: each start verifies anew, which go-plugin's own
// checksum would refuse the second time.
func TestKilledIsRestarted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := spec(t, "authorizer", "good")
	b, err := process.OpenBinary(s.Binary, "")
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	s.SHA256 = b.SHA256
	p := f.start(s)
	for round := 1; round <= 3; round++ {
		kill(t, p.Status().PID, syscall.SIGKILL)
		eventually(t, "it is restarted", func() bool { s := p.Status(); return s.State == supervise.Ready && s.Restarts == round })
		if _, err := authorize(t.Context(), p, "alice"); err != nil {
			t.Fatal(err)
		}
	}
	if dirs, err := filepath.Glob(f.options.RuntimeDir + "/*"); err != nil || len(dirs) != 1 {
		t.Errorf("socket folders of one process: %v, %v", dirs, err)
	}
	// A program that was replaced is not started under the old checksum.
	if err := os.Remove(s.Binary); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Binary, []byte("#!/bin/sh\nsleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	kill(t, p.Status().PID, syscall.SIGKILL)
	eventually(t, "the new program is refused", func() bool {
		return strings.Contains(p.Status().Error, "the checksum does not match")
	})
}

// TestRuntimeFolderRemoved: whoever cleans up /run does not keep a plugin from being restarted.
func TestRuntimeFolderRemoved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.start(spec(t, "authorizer", "good"))
	if err := os.RemoveAll(f.options.RuntimeDir); err != nil {
		t.Fatal(err)
	}
	kill(t, p.Status().PID, syscall.SIGKILL)
	eventually(t, "it is restarted", func() bool { s := p.Status(); return s.State == supervise.Ready && s.Restarts == 1 })
	if _, err := authorize(t.Context(), p, "alice"); err != nil {
		t.Fatal(err)
	}
}

func kill(t *testing.T, pid int, signal syscall.Signal) {
	t.Helper()
	if pid == 0 {
		t.Fatal("there is no process")
	}
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatal(err)
	}
}

// TestDiesDuringCall: the call fails, the plugin comes back, and the log has what it printed last.
func TestDiesDuringCall(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.start(spec(t, "authorizer", "dies"))
	if _, err := authorize(t.Context(), p, "alice"); err == nil {
		t.Fatal("the call has succeeded")
	}
	eventually(t, "it is restarted", func() bool { s := p.Status(); return s.State == supervise.Ready && s.Restarts == 1 })
	if got := f.logs.String(); !strings.Contains(got, "exit status 7") || !strings.Contains(got, "as asked for") {
		t.Errorf("the log does not say how it ended:\n%s", got)
	}
}

// TestGrandchildHoldsOutput: a descendant outside the plugin's process group keeps the pipes open, and the
// plugin's end is seen all the same, at once.
func TestGrandchildHoldsOutput(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.start(spec(t, "authorizer", "grandchild"))
	first := p.Status().PID
	children := childrenOf(t, first)
	if len(children) != 1 {
		t.Fatalf("children %v", children)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(children[0], syscall.SIGKILL)
	})
	kill(t, first, syscall.SIGKILL)
	eventually(t, "its end is seen", func() bool { return p.Status().PID != first })
	if !alive(children[0]) {
		t.Error("the grandchild is gone: the test shows nothing")
	}
	eventually(t, "it is restarted", func() bool { return p.Status().State == supervise.Ready })
	for _, pid := range childrenOf(t, p.Status().PID) {
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	}
}

func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	var out []int
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for _, field := range strings.Fields(string(text)) {
			var child int
			if _, err := fmt.Sscan(field, &child); err == nil {
				out = append(out, child)
			}
		}
	}
	return out
}

// TestChildrenEndWithPlugin: what a plugin starts in its own group does not outlive it.
func TestChildrenEndWithPlugin(t *testing.T) {
	t.Parallel()
	b := script(t, "sleep 1000 &\nsleep 1000\n")
	p := startProcess(t, b)
	eventually(t, "both children run", func() bool { return len(childrenOf(t, p.PID())) == 2 })
	children := childrenOf(t, p.PID())
	kill(t, p.PID(), syscall.SIGKILL)
	<-p.Exited()
	for _, pid := range children {
		eventually(t, "the child is gone", func() bool { return !alive(pid) || zombie(pid) })
	}
}

func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(text), ") Z ")
}

func script(t *testing.T, text string) *process.Binary {
	t.Helper()
	path := filepath.Join(testbinary.ShortDir(t), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := process.OpenBinary(path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func startProcess(t *testing.T, b *process.Binary) *process.Process {
	t.Helper()
	o := newOutput(slog.New(slog.DiscardHandler))
	p, err := process.New(process.Spec{Binary: b, Name: "test", LinkDir: t.TempDir(), SocketDir: testbinary.ShortDir(t), Env: []string{"PATH=/bin:/usr/bin"}, Stdout: o.stdout(), Stderr: o.stderr()})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Kill(context.Background())
		<-p.Exited()
	})
	return p
}

// TestStoppedPlugin: one that is stopped (SIGSTOP) hangs go-plugin's Ping and Kill for ever. Here it fails
// its health checks, is killed, and comes back.
func TestStoppedPlugin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.start(spec(t, "authorizer", "good"))
	first := p.Status().PID
	kill(t, first, syscall.SIGSTOP)
	eventually(t, "it is restarted", func() bool { s := p.Status(); return s.State == supervise.Ready && s.Restarts == 1 })
	if alive(first) {
		t.Error("the stopped process is there")
	}
	if got := f.logs.String(); !strings.Contains(got, "no longer answered") {
		t.Errorf("the log does not say why:\n%s", got)
	}
}

// TestStopEndsAnything: whatever state a plugin's process is in, Stop ends it, and in bounded time.
func TestStopEndsAnything(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"good", "stopped", "hangs", "deaf"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.Host.options.HealthInterval = time.Hour
			p := f.start(spec(t, "authorizer", mode))
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := authorize(ctx, p, "alice")
			if misbehaves := mode == "stopped" || mode == "hangs"; (err != nil) != misbehaves {
				t.Fatalf("the call gives %v", err)
			}
			pid := p.Status().PID
			f.Stop()
			if alive(pid) {
				t.Error("it is there after Stop")
			}
		})
	}
}

// TestHangingCallEndsInTime: the plugin's timeout bounds a call, whatever the plugin does.
func TestHangingCallEndsInTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := spec(t, "authorizer", "hangs")
	s.Timeout = 50 * time.Millisecond
	p := f.start(s)
	_, err := authorize(t.Context(), p, "alice")
	if err == nil || !strings.Contains(err.Error(), "DeadlineExceeded") {
		t.Errorf("got %v", err)
	}
	if s := p.Status(); s.State != supervise.Ready || s.RPCs[0].Errors != 1 {
		t.Errorf("status %+v", s)
	}
}

// TestFlood: a plugin that prints without measure neither blocks nor fills the log, and what is left out is
// said.
func TestFlood(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.start(spec(t, "authorizer", "floods"))
	if _, err := authorize(t.Context(), p, "alice"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the long line was taken in", func() bool { return strings.Contains(f.logs.String(), "more bytes were cut off") })
	if n := len(f.logs.String()); n > 4<<20 {
		t.Errorf("%d bytes were logged", n)
	}
}

// runHost is a host in a process of its own, to be killed.
func runHost(dir string) {
	s := Spec{Kind: "authorizer", Name: "test", Binary: os.Getenv("MEZZO_TEST_BINARY")}
	parent := os.Getenv("MEZZO_TEST_CGROUP")
	if parent != "" {
		s.Cgroup = &cgroup.Limits{}
	}
	h := New(Options{RuntimeDir: filepath.Join(dir, "run"), Cgroup: parent})
	err := h.Start(context.Background(), []Spec{s}, Strict)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(h.List()[0].PID)
	select {}
}

// TestHostIsKilled: a plugin ends with its host, which could not tell it anything, and the next host clears
// up what the last one left.
func TestHostIsKilled(t *testing.T) {
	t.Parallel()
	dir := testbinary.ShortDir(t)
	binary := testbinary.As(t, testPlugin, "authorizer", "good")
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), "MEZZO_TEST_HOST="+dir, "MEZZO_TEST_BINARY="+binary)
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	eventually(t, "the plugin ends", func() bool { return !alive(pid) || zombie(pid) })
	if left, _ := filepath.Glob(dir + "/run/*"); len(left) == 0 {
		t.Error("nothing is left: the test shows nothing")
	}
	next := New(Options{RuntimeDir: filepath.Join(dir, "run")})
	if err := next.Start(t.Context(), nil, Strict); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(dir + "/run/*"); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
	next.Stop()
}

// TestNoDescriptorsLeak starts and stops hosts, and counts this process's descriptors.
func TestNoDescriptorsLeak(t *testing.T) {
	// Not parallel: other tests' descriptors would be counted.
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	round := func() {
		f := newFixture(t)
		p := f.start(spec(t, "authorizer", "good"))
		kill(t, p.Status().PID, syscall.SIGKILL)
		eventually(t, "it is restarted", func() bool { s := p.Status(); return s.State == supervise.Ready && s.Restarts == 1 })
		f.Stop()
	}
	round()
	before := count()
	for range 3 {
		round()
	}
	eventually(t, fmt.Sprintf("no more than %d descriptors", before), func() bool { return count() <= before })
}
