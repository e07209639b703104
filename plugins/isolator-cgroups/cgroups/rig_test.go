//go:build linux

package cgroups

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// rig is an isolator on this machine's cgroups.
type rig struct {
	t        *testing.T
	i        *Isolator
	config   Config
	instance string
}

var rigs struct {
	sync.Mutex
	n int
}

func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes cgroups, so it must run as root")
	}
	rigs.Lock()
	rigs.n++
	r := &rig{t: t, instance: fmt.Sprintf("test-%d-%d", os.Getpid(), rigs.n)}
	rigs.Unlock()
	r.config = Config{Root: "mezzo", Hierarchy: "/sys/fs/cgroup", RevocableCPULowPriority: true}
	for _, f := range change {
		f(&r.config)
	}
	r.restart()
	if got := kindOf(r.i.hierarchy); got != wantedKind {
		t.Fatalf("this machine has cgroups of %s; this test is about those of %s", got, wantedKind)
	}
	t.Cleanup(func() {
		if left := r.left(); len(left) > 0 {
			t.Errorf("cgroups are left: %v", left)
		}
	})
	return r
}

// restart is what becomes of the plugin when it is killed.
func (r *rig) restart() {
	r.t.Helper()
	i, err := New(context.Background(), sdk.Host{Logger: slog.New(slog.DiscardHandler)}, r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	r.i = i
}

func kindOf(h hierarchy) string {
	if _, ok := h.(*unified); ok {
		return "version 2"
	}
	return "version 1"
}

// bases are the hierarchies' folders.
func (r *rig) bases() []string {
	if h, ok := r.i.hierarchy.(*separate); ok {
		return h.all
	}
	return []string{r.config.Hierarchy}
}

// left are the folders of the instance that exist.
func (r *rig) left() []string {
	var out []string
	for _, base := range r.bases() {
		if _, err := os.Stat(filepath.Join(base, r.config.Root, r.instance)); err == nil {
			out = append(out, filepath.Join(base, r.config.Root, r.instance))
		}
	}
	return out
}

func (r *rig) spec(id string, cpus, mem resource.Scalar) isolator.Spec {
	return isolator.Spec{
		Container: isolator.Container{ID: id, Instance: r.instance},
		Task:      id, CommandTask: true, Resources: given(r.t, cpus, mem, false),
	}
}

// confined is a container with its first process.
type confined struct {
	isolator.Container
	r       *rig
	plan    isolator.Plan
	command *exec.Cmd
}

// prepare prepares a container.
func (r *rig) prepare(s isolator.Spec) *confined {
	r.t.Helper()
	plan, err := r.i.Prepare(context.Background(), s)
	if err != nil {
		r.t.Fatal(err)
	}
	c := &confined{Container: s.Container, r: r, plan: plan}
	c.Handle = plan.Handle
	r.t.Cleanup(func() { c.clean() })
	return c
}

// run starts a shell in the container's cgroups. It is killed at the end.
func (c *confined) run(script string) {
	t := c.r.t
	t.Helper()
	c.command = exec.Command("/bin/sh", "-c", "read go; "+script)
	in, err := c.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.command.Start(); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(c.command.Process.Pid)
	for _, folder := range c.plan.CgroupPaths {
		if err := os.WriteFile(filepath.Join(folder, "cgroup.procs"), []byte(pid), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.r.i.Isolate(context.Background(), c.Container, c.command.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.command.Process.Kill()
		_ = c.command.Wait()
	})
}

// clean cleans the container up, and may be called twice.
func (c *confined) clean() {
	c.r.t.Helper()
	if err := c.r.i.Cleanup(context.Background(), c.Container); err != nil {
		c.r.t.Error(err)
	}
}

// file reads a file of the container's cgroup with a controller.
func (c *confined) file(controller, name string) string {
	c.r.t.Helper()
	for _, folder := range c.plan.CgroupPaths {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil && (len(c.plan.CgroupPaths) == 1 || strings.Contains(folder, "/"+controller+"/")) {
			return strings.TrimSpace(string(b))
		}
	}
	c.r.t.Fatalf("container %s has no file %s", c.ID, name)
	return ""
}

// watch listens to the container's limitations. The channel is closed when Watch returns.
func (c *confined) watch(ctx context.Context) <-chan isolator.Limitation {
	out := make(chan isolator.Limitation, 10)
	go func() {
		defer close(out)
		err := c.r.i.Watch(ctx, c.Container, func(l isolator.Limitation) error {
			out <- l
			return nil
		})
		if err != nil {
			c.r.t.Error(err)
		}
	}()
	return out
}

// receive is the next limitation, and false when the watch ended without any.
func receive(t *testing.T, from <-chan isolator.Limitation) (isolator.Limitation, bool) {
	t.Helper()
	select {
	case l, ok := <-from:
		return l, ok
	case <-time.After(20 * time.Second):
		t.Fatal("the watch says nothing")
		return isolator.Limitation{}, false
	}
}

func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not come about", what)
		}
	}
}
