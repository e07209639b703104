package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Group is one plugin process's control group.
type Group struct {
	h            *hierarchy
	parent, name string
	limits       Limits
}

// Make makes a group of the given name below parent, a relative path, in every hierarchy that is needed. While there
// is such a group, of a process that is being replaced, the name gets a number. It fails where there are no
// cgroups, or the user may not make any. The group is to be removed.
func Make(parent, name string, limits Limits) (_ *Group, err error) {
	h, err := find(mount)
	if err != nil {
		return nil, err
	}
	var g *Group
	numbered := name
	for n := 2; ; n++ {
		g, err = h.make(parent, numbered)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("make the cgroup %s: %w", filepath.Join(parent, numbered), err)
		}
		// Names of plugins have no dots.
		numbered = name + "." + strconv.Itoa(n)
	}
	g.limits = limits
	if err := g.limitMemory(); err != nil {
		return nil, errors.Join(fmt.Errorf("limit the cgroup %s: %w", g.path(), err), g.Remove())
	}
	return g, nil
}

func (g *Group) path() string { return filepath.Join(g.parent, g.name) }

// folders are the group's, one in each hierarchy.
func (g *Group) folders() []string {
	out := make([]string, len(g.h.all))
	for i, base := range g.h.all {
		out[i] = filepath.Join(base, g.path())
	}
	return out
}

// limitMemory sets the limit on memory. Swap does not come on top of it, or a plugin that leaks would have the
// machine swap rather than be restarted.
func (g *Group) limitMemory() error {
	if g.limits.Memory == 0 {
		return nil
	}
	folder, bytes := filepath.Join(g.h.memory, g.path()), strconv.FormatInt(g.limits.Memory, 10)
	memory, swap, atMost := "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", bytes
	if g.h.unified {
		memory, swap, atMost = "memory.max", "memory.swap.max", "0"
	}
	if err := write(folder, memory, bytes); err != nil {
		return err
	}
	if err := write(folder, swap, atMost); err != nil && !errors.Is(err, os.ErrNotExist) { // kernels without it
		return err
	}
	return nil
}

// periodMicros is the time over which the use of processors is measured.
const periodMicros = 100_000

// limitRest sets the limits on processors and processes.
func (g *Group) limitRest() error {
	if g.limits.PIDs > 0 {
		if err := write(filepath.Join(g.h.pids, g.path()), "pids.max", strconv.Itoa(g.limits.PIDs)); err != nil {
			return err
		}
	}
	if g.limits.CPUs == 0 {
		return nil
	}
	folder, quota := filepath.Join(g.h.cpu, g.path()), strconv.Itoa(int(g.limits.CPUs*periodMicros))
	if g.h.unified {
		return write(folder, "cpu.max", quota+" "+strconv.Itoa(periodMicros))
	}
	if err := write(folder, "cpu.cfs_period_us", strconv.Itoa(periodMicros)); err != nil {
		return err
	}
	return write(folder, "cpu.cfs_quota_us", quota)
}

// OutOfMemory tells whether the kernel has killed a process of the group because it reached its limit on memory.
func (g *Group) OutOfMemory() bool {
	name := "memory.oom_control"
	if g.h.unified {
		name = "memory.events"
	}
	text, err := os.ReadFile(filepath.Join(g.h.memory, g.path(), name))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key == "oom_kill" {
			return value != "0"
		}
	}
	return false
}
