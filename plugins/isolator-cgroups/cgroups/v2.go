//go:build linux

package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// unified is cgroups of version 2: one hierarchy for all controllers.
type unified struct {
	base   string
	events *eventPoll
}

func newUnified(base string) (*unified, error) {
	events, err := newEventPoll()
	if err != nil {
		return nil, err
	}
	return &unified{base: base, events: events}, nil
}

func (h *unified) create(g group, s settings) ([]string, error) {
	folder := filepath.Join(h.base, g.path())
	if err := makeFolder(folder); err != nil {
		return nil, coded(fmt.Errorf("make cgroup: %w", err))
	}
	if err := h.enable(folder, g); err != nil {
		return nil, err
	}
	return []string{folder}, h.apply(g, s, true)
}

// enable turns the controllers on in every cgroup above the container's, where they are not on already.
func (h *unified) enable(folder string, g group) error {
	if _, err := os.Stat(filepath.Join(folder, "pids.max")); err == nil {
		if _, err := os.Stat(filepath.Join(folder, "memory.max")); err == nil {
			if _, err := os.Stat(filepath.Join(folder, "cpu.weight")); err == nil {
				return nil
			}
		}
	}
	above := h.base
	wanted := "+" + strings.Join(controllers, " +")
	for _, name := range append([]string{""}, strings.Split(path.Clean(g.parent()), "/")...) {
		above = filepath.Join(above, name)
		if err := writeText(above, "cgroup.subtree_control", wanted); err != nil {
			return fmt.Errorf("turn controllers on in %s: %w", above, err)
		}
	}
	return nil
}

func (h *unified) apply(g group, s settings, fresh bool) error {
	folder := filepath.Join(h.base, g.path())
	if err := write(folder, "cpu.weight", s.weight); err != nil {
		return err
	}
	if s.quota != unlimited || !fresh {
		quota := "max"
		if s.quota != unlimited {
			quota = strconv.FormatInt(s.quota, 10)
		}
		if err := writeText(folder, "cpu.max", quota+" "+strconv.Itoa(periodMicros)); err != nil {
			return err
		}
	}
	if err := write(folder, "memory.low", s.request); err != nil {
		return err
	}
	if err := h.applyMax(folder, s, fresh); err != nil {
		return err
	}
	if s.pids == 0 {
		return nil
	}
	return write(folder, "pids.max", s.pids+initThreadsV2)
}

// initThreadsV2 is how many threads mezzo-init may have. All count against the limit on pids.
const initThreadsV2 = 8

// applyMax sets the hard limit on memory, which is never lowered on a running container.
func (h *unified) applyMax(folder string, s settings, fresh bool) error {
	if !fresh {
		now := number(folder, "memory.max")
		if now == nil || (s.memory != unlimited && uint64(s.memory) <= *now) {
			return nil
		}
	}
	if s.memory == unlimited {
		return writeText(folder, "memory.max", "max")
	}
	return write(folder, "memory.max", s.memory)
}

func (h *unified) remove(g group) error {
	folder := filepath.Join(h.base, g.path())
	err := removeFolder(folder)
	if errors.Is(err, errBusy) {
		// A process that forks as fast as it is killed is no match for the kernel.
		if e := writeText(folder, "cgroup.kill", "1"); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func (h *unified) removeParents(g group) { removeEmpty(h.base, g.parent()) }

func (h *unified) list(parent string) ([]string, error) {
	return folders(filepath.Join(h.base, parent))
}

func (h *unified) paths(g group) []string { return []string{filepath.Join(h.base, g.path())} }

func (h *unified) usage(g group) (isolator.Usage, bool) {
	folder := filepath.Join(h.base, g.path())
	if _, err := os.Stat(folder); err != nil {
		return isolator.Usage{}, false
	}
	const micros = 1e6
	cpu, stat := table(folder, "cpu.stat"), table(folder, "memory.stat")
	quota, _, _ := strings.Cut(read(folder, "cpu.max"), " ")
	u := isolator.Usage{
		CPUsUserTimeSecs:      seconds(entry(cpu, "user_usec"), micros),
		CPUsSystemTimeSecs:    seconds(entry(cpu, "system_usec"), micros),
		CPUsNrPeriods:         small(entry(cpu, "nr_periods")),
		CPUsNrThrottled:       small(entry(cpu, "nr_throttled")),
		CPUsThrottledTimeSecs: seconds(entry(cpu, "throttled_usec"), micros),
		CPUsSoftLimit:         seconds(number(folder, "cpu.weight"), weightPerCPU),
		CPUsLimit:             quotaOf(quota),
		MemTotalBytes:         number(folder, "memory.current"),
		MemKmemUsageBytes:     entry(stat, "kernel"),
		MemKmemTCPUsageBytes:  entry(stat, "sock"),
		MemSoftLimitBytes:     number(folder, "memory.low"),
		MemLimitBytes:         number(folder, "memory.max"),
		MemCacheBytes:         entry(stat, "file"),
		MemFileBytes:          entry(stat, "file"),
		MemRSSBytes:           entry(stat, "anon"),
		MemAnonBytes:          entry(stat, "anon"),
		MemMappedFileBytes:    entry(stat, "file_mapped"),
		MemSwapBytes:          number(folder, "memory.swap.current"),
		MemUnevictableBytes:   entry(stat, "unevictable"),
	}
	countMembers(&u, folder, folder)
	return u, true
}

func (h *unified) outOfMemory(g group) memoryReport {
	folder := filepath.Join(h.base, g.path())
	r := memoryReport{kills: table(folder, "memory.events")["oom_kill"]}
	if r.kills == 0 { // the rest costs more
		return r
	}
	r.stat, r.limit = read(folder, "memory.stat"), number(folder, "memory.max")
	if r.used = number(folder, "memory.peak"); r.used == nil { // Linux 5.19
		r.used = number(folder, "memory.current")
	}
	return r
}

// watch gives a value each time the container may have run out of memory, until stop is called.
func (h *unified) watch(g group) (<-chan struct{}, func(), error) {
	return h.events.watch(filepath.Join(h.base, g.path(), "memory.events"))
}
