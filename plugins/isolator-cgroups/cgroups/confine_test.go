//go:build linux

package cgroups

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// The tests of this file run on both versions: those of version 2 in a machine that has it, with the tag cgroups2.

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.prepare(r.spec("oom", 100, 32000))
	told := c.watch(t.Context())
	c.run("tail /dev/zero; sleep 1000") // the shell survives its child
	l, ok := receive(t, told)
	if !ok {
		t.Fatal("the watch ended")
	}
	mem := given(t, 0, 32000, false)
	if l.Reason != isolator.LimitationMemory || l.Limit != 32<<20 || l.Used < 16<<20 || !l.Resources.Equal(mem) {
		t.Errorf("%+v", l)
	}
	for _, part := range []string{"Memory limit exceeded: Requested: 32MB Maximum Used: ", "\nMEMORY STATISTICS: \n", "pgfault "} {
		if !strings.Contains(l.Message, part) {
			t.Errorf("message %q lacks %q", l.Message, part)
		}
	}
	c.clean()
	if _, ok := receive(t, told); ok {
		t.Error("the limitation is told twice")
	}
}

// TestOutOfMemoryBetween has a container run out of memory while nobody watches.
func TestOutOfMemoryBetween(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.prepare(r.spec("between", 100, 32000))
	c.run("tail /dev/zero; echo; sleep 1000")
	g := group{r.config.Root, r.instance, "between"}
	until(t, "the kill", func() bool { return r.i.hierarchy.outOfMemory(g).kills > 0 })
	r.restart()
	if unknown, err := r.i.Recover(t.Context(), r.instance, []isolator.Container{c.Container}); err != nil || len(unknown) > 0 {
		t.Fatal(unknown, err)
	}
	if _, ok := receive(t, c.watch(t.Context())); !ok {
		t.Error("the limit is not told")
	}
	// Who asks after the end is still told.
	c.clean()
	if l, ok := receive(t, c.watch(t.Context())); !ok || l.Reason != isolator.LimitationMemory {
		t.Error("the limit is not told after the end")
	}
}

// TestOutOfMemoryAtTheEnd has Cleanup find out first.
func TestOutOfMemoryAtTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 5 {
		c := r.prepare(r.spec("end"+strconv.Itoa(n), 1000, 32000))
		told := c.watch(t.Context())
		c.run("exec tail /dev/zero")
		_ = c.command.Wait()
		c.clean()
		if _, ok := receive(t, told); !ok {
			t.Fatal("the limit is not told")
		}
	}
}

func TestNoLimitation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.prepare(r.spec("none", 100, 32000))
	told := c.watch(t.Context())
	c.run("true")
	_ = c.command.Wait()
	c.clean()
	if l, ok := receive(t, told); ok {
		t.Errorf("told: %+v", l)
	}
	ctx, stop := context.WithCancel(t.Context())
	c = r.prepare(r.spec("ends", 100, 32000))
	told = c.watch(ctx)
	stop()
	if l, ok := receive(t, told); ok {
		t.Errorf("told: %+v", l)
	}
	err := r.i.Watch(t.Context(), isolator.Container{ID: "unknown", Instance: r.instance}, nil)
	if sdk.CodeOf(err) != sdk.NotFound {
		t.Error(err)
	}
	if len(r.i.verdicts) > 1 {
		t.Errorf("%d verdicts are kept", len(r.i.verdicts))
	}
}

func TestPids(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.PidsLimit = 20 })
	c := r.prepare(r.spec("bomb", 100, 64000))
	c.run("b() { b | b & }; b; sleep 1000")
	until(t, "the limit", func() bool {
		for line := range strings.Lines(c.file("pids", "pids.events")) {
			if n, ok := strings.CutPrefix(line, "max "); ok && strings.TrimSpace(n) != "0" {
				return true
			}
		}
		return false
	})
	if n, err := strconv.Atoi(c.file("pids", "pids.current")); err != nil || n > 20+initThreadsV2 {
		t.Error(n, err)
	}
	usage, err := r.i.Usage(t.Context(), []isolator.Container{c.Container})
	if err != nil || usage["bomb"].Processes == nil || usage["bomb"].Threads == nil {
		t.Error(usage, err)
	}
	c.clean() // of processes that go on forking
	if left := r.left(); len(left) > 0 {
		t.Error(left)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	spec := r.spec("busy", 500, 64000)
	spec.Limits = map[string]resource.Limit{"cpus": resource.Finite(100)} // so little that it is reached on a busy machine
	busy, idle := r.prepare(spec), r.prepare(r.spec("idle", 100, 32000))
	busy.run("x=$(yes | head -c 1000000); while :; do :; done")
	var u isolator.Usage
	defer func() {
		if t.Failed() {
			t.Logf("%v s, throttled %d times, %d bytes", *u.CPUsUserTimeSecs, *u.CPUsNrThrottled, *u.MemRSSBytes)
		}
	}()
	until(t, "use of cpu and memory", func() bool {
		usage, err := r.i.Usage(t.Context(), []isolator.Container{busy.Container, idle.Container, {ID: "unknown", Instance: r.instance}})
		if err != nil || len(usage) != 2 {
			t.Fatal(usage, err)
		}
		u = usage["busy"]
		if *u.MemTotalBytes < *u.MemRSSBytes {
			return false // the kernel counts the one at other moments than the other, and it grows
		}
		return *u.CPUsUserTimeSecs > 0.05 && *u.CPUsNrThrottled > 0 && *u.MemRSSBytes > 1_000_000 && *u.Processes == 1 && *u.Threads == 1 // the shell alone
	})
	if *u.MemLimitBytes != 64<<20 || *u.MemSoftLimitBytes != 64<<20 || *u.CPUsLimit != 0.1 || *u.CPUsSoftLimit != 0.5 {
		t.Errorf("limits: %d %d %v %v", *u.MemLimitBytes, *u.MemSoftLimitBytes, *u.CPUsLimit, *u.CPUsSoftLimit)
	}
	if u.Timestamp.IsZero() {
		t.Error("the usage is of no time")
	}
	status, err := r.i.Status(t.Context(), []isolator.Container{busy.Container, {ID: "unknown", Instance: r.instance}})
	if err != nil || len(status) != 1 || !slices.Equal(status["busy"].CgroupPaths, busy.plan.CgroupPaths) {
		t.Error(status, err)
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	r, other := newRig(t), newRig(t)
	known, lost := r.prepare(r.spec("known", 100, 32000)), r.prepare(r.spec("lost", 100, 32000))
	foreign := other.prepare(other.spec("lost", 100, 32000))
	lost.run("sleep 1000")
	foreign.run("sleep 1000")
	r.restart()
	unknown, err := r.i.Recover(t.Context(), r.instance, []isolator.Container{known.Container})
	if err != nil || len(unknown) != 1 || unknown[0].ID != "lost" || unknown[0].Instance != r.instance {
		t.Fatal(unknown, err)
	}
	if err := lost.command.Process.Signal(syscall.Signal(0)); err != nil {
		t.Error("Recover destroyed something:", err)
	}
	if err := r.i.Cleanup(t.Context(), unknown[0]); err != nil {
		t.Fatal(err)
	}
	_ = lost.command.Wait()
	if err := foreign.command.Process.Signal(syscall.Signal(0)); err != nil {
		t.Error("another agent's container was killed:", err)
	}
	if len(other.left()) == 0 {
		t.Error("another agent's cgroups were removed")
	}
	known.clean()
	known.clean() // a second time, and after a restart, nothing is left to do
	r.restart()
	known.clean()
	if left := r.left(); len(left) > 0 {
		t.Error(left)
	}
}

// TestRootChanged has the operator change the root between two lives of the plugin.
func TestRootChanged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, lost := r.prepare(r.spec("old-root", 100, 32000)), r.prepare(r.spec("old-lost", 100, 32000))
	r.config.Root = "mezzo/other"
	r.restart()
	unknown, err := r.i.Recover(t.Context(), r.instance, []isolator.Container{c.Container})
	if err != nil || len(unknown) != 1 || unknown[0].ID != lost.ID {
		t.Fatal(unknown, err)
	}
	for _, x := range []isolator.Container{c.Container, unknown[0]} {
		if err := r.i.Cleanup(t.Context(), x); err != nil {
			t.Error(err)
		}
	}
	r.config.Root = "mezzo"
	if left := r.left(); len(left) > 0 {
		t.Error(left)
	}
}

func TestNestedCgroups(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.prepare(r.spec("nested", 100, 64000))
	c.run("sleep 1000")
	for _, folder := range c.plan.CgroupPaths { // what a task that is root may do
		if err := os.MkdirAll(filepath.Join(folder, "a/b"), 0o755); err != nil {
			t.Fatal(err)
		}
		pid := strconv.Itoa(c.command.Process.Pid)
		if err := os.WriteFile(filepath.Join(folder, "a/b/cgroup.procs"), []byte(pid), 0); err != nil {
			t.Fatal(err)
		}
	}
	c.clean()
}

func TestPrepareTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second := r.prepare(r.spec("twice", 100, 32000)), r.prepare(r.spec("twice", 100, 32000))
	if !slices.Equal(first.plan.CgroupPaths, second.plan.CgroupPaths) {
		t.Error(first.plan, second.plan)
	}
}

// TestMany has containers come and go at once, so that the cgroups above are made and removed all the time.
func TestMany(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	done := make(chan error, 40)
	for n := range cap(done) {
		go func() {
			spec := isolator.Spec{Container: isolator.Container{ID: "m" + strconv.Itoa(n), Instance: r.instance}}
			for range 10 {
				_, err := r.i.Prepare(t.Context(), spec)
				if err != nil && sdk.CodeOf(err) != sdk.Aborted {
					done <- err
					return
				}
				if err := r.i.Cleanup(t.Context(), spec.Container); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestBadNames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, c := range []isolator.Container{
		{ID: "..", Instance: r.instance}, {ID: "a/b", Instance: r.instance}, {ID: "", Instance: r.instance}, {ID: "x", Instance: "../y"},
	} {
		if _, err := r.i.Prepare(t.Context(), isolator.Spec{Container: c}); sdk.CodeOf(err) != sdk.InvalidArgument {
			t.Errorf("%+v: prepare: %v", c, err)
		}
		if err := r.i.Cleanup(t.Context(), c); sdk.CodeOf(err) != sdk.InvalidArgument {
			t.Errorf("%+v: cleanup: %v", c, err)
		}
	}
	future := isolator.Container{ID: "x", Instance: r.instance, Handle: isolator.Handle{HandleVersion: 99, Data: []byte("{}")}}
	if err := r.i.Cleanup(t.Context(), future); sdk.CodeOf(err) != sdk.FailedPrecondition || !strings.Contains(err.Error(), "99") {
		t.Error(err)
	}
}

func TestOOMScoreIsSet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	spec := r.spec("burst", 100, 64000)
	spec.Limits = map[string]resource.Limit{"mem": resource.Infinite()}
	c := r.prepare(spec)
	c.run("sleep 1000")
	b, err := os.ReadFile("/proc/" + strconv.Itoa(c.command.Process.Pid) + "/oom_score_adj")
	if n, e := strconv.Atoi(strings.TrimSpace(string(b))); err != nil || e != nil || n < 500 || n > 1000 {
		t.Errorf("oom_score_adj %q, %v", b, err)
	}
}
