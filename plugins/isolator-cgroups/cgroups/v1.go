//go:build linux

package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// separate is cgroups of version 1: a hierarchy for each controller, some of which may be the same.
type separate struct {
	cpu, cpuacct, memory, pids string
	all                        []string // each once
	swap                       bool
}

func newSeparate(base string, swap bool) (*separate, error) {
	h := &separate{swap: swap}
	for _, c := range []struct {
		name string
		at   *string
	}{{"cpu", &h.cpu}, {"cpuacct", &h.cpuacct}, {"memory", &h.memory}, {"pids", &h.pids}} {
		at, err := filepath.EvalSymlinks(filepath.Join(base, c.name))
		if err != nil {
			return nil, err
		}
		*c.at = at
		if !slices.Contains(h.all, at) {
			h.all = append(h.all, at)
		}
	}
	return h, nil
}

func (h *separate) create(g group, s settings) ([]string, error) {
	paths := make([]string, 0, len(h.all))
	for _, at := range h.all {
		folder := filepath.Join(at, g.path())
		if err := makeFolder(folder); err != nil {
			return nil, coded(fmt.Errorf("make cgroup: %w", err))
		}
		paths = append(paths, folder)
	}
	return paths, h.apply(g, s, true)
}

func (h *separate) apply(g group, s settings, fresh bool) error {
	cpu := filepath.Join(h.cpu, g.path())
	if err := write(cpu, "cpu.shares", s.shares); err != nil {
		return err
	}
	if s.quota != unlimited || !fresh {
		if err := write(cpu, "cpu.cfs_period_us", periodMicros); err != nil {
			return err
		}
		if err := write(cpu, "cpu.cfs_quota_us", s.quota); err != nil {
			return err
		}
	}
	if err := h.applyMemory(filepath.Join(h.memory, g.path()), s, fresh); err != nil {
		return err
	}
	if s.pids == 0 {
		return nil
	}
	return write(filepath.Join(h.pids, g.path()), "pids.max", s.pids+initThreadsV1)
}

// initThreadsV1 is how many of mezzo-init's threads count against the limit on pids: the one that joins.
const initThreadsV1 = 1

// applyMemory sets the limits on memory. The hard one is never lowered on a running container: what it uses already
// would have to be taken from it.
func (h *separate) applyMemory(folder string, s settings, fresh bool) error {
	if err := write(folder, "memory.soft_limit_in_bytes", s.request); err != nil {
		return err
	}
	if !fresh {
		now := number(folder, "memory.limit_in_bytes")
		if now == nil || (s.memory != unlimited && uint64(s.memory) <= *now) {
			return nil
		}
		if h.swap { // swap's limit includes memory's, so it is raised first
			if err := write(folder, "memory.memsw.limit_in_bytes", s.memory); err != nil {
				return err
			}
		}
	}
	if err := write(folder, "memory.limit_in_bytes", s.memory); err != nil {
		return err
	}
	if fresh && h.swap {
		return write(folder, "memory.memsw.limit_in_bytes", s.memory)
	}
	return nil
}

func (h *separate) remove(g group) error {
	var errs error
	for _, at := range h.all {
		errs = errors.Join(errs, removeFolder(filepath.Join(at, g.path())))
	}
	return errs
}

func (h *separate) removeParents(g group) {
	for _, at := range h.all {
		removeEmpty(at, g.parent())
	}
}

func (h *separate) list(parent string) ([]string, error) {
	var out []string
	for _, at := range h.all {
		names, err := folders(filepath.Join(at, parent))
		if err != nil {
			return nil, err
		}
		out = append(out, names...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (h *separate) paths(g group) []string {
	var out []string
	for _, at := range h.all {
		out = append(out, filepath.Join(at, g.path()))
	}
	return out
}

func (h *separate) usage(g group) (isolator.Usage, bool) {
	cpu, cpuacct := filepath.Join(h.cpu, g.path()), filepath.Join(h.cpuacct, g.path())
	memory := filepath.Join(h.memory, g.path())
	if _, err := os.Stat(memory); err != nil {
		return isolator.Usage{}, false
	}
	const nanos = 1e9
	throttling, stat := table(cpu, "cpu.stat"), table(memory, "memory.stat")
	u := isolator.Usage{
		CPUsUserTimeSecs:      seconds(number(cpuacct, "cpuacct.usage_user"), nanos),
		CPUsSystemTimeSecs:    seconds(number(cpuacct, "cpuacct.usage_sys"), nanos),
		CPUsNrPeriods:         small(entry(throttling, "nr_periods")),
		CPUsNrThrottled:       small(entry(throttling, "nr_throttled")),
		CPUsThrottledTimeSecs: seconds(entry(throttling, "throttled_time"), nanos),
		CPUsSoftLimit:         seconds(number(cpu, "cpu.shares"), sharesPerCPU),
		CPUsLimit:             quotaOf(read(cpu, "cpu.cfs_quota_us")),
		MemTotalBytes:         number(memory, "memory.usage_in_bytes"),
		MemTotalMemswBytes:    number(memory, "memory.memsw.usage_in_bytes"),
		MemKmemUsageBytes:     number(memory, "memory.kmem.usage_in_bytes"),
		MemKmemTCPUsageBytes:  number(memory, "memory.kmem.tcp.usage_in_bytes"),
		MemSoftLimitBytes:     bounded(number(memory, "memory.soft_limit_in_bytes")),
		MemLimitBytes:         bounded(number(memory, "memory.limit_in_bytes")),
		MemCacheBytes:         entry(stat, "total_cache"),
		MemFileBytes:          entry(stat, "total_cache"),
		MemRSSBytes:           entry(stat, "total_rss"),
		MemAnonBytes:          entry(stat, "total_rss"),
		MemMappedFileBytes:    entry(stat, "total_mapped_file"),
		MemSwapBytes:          entry(stat, "total_swap"),
		MemUnevictableBytes:   entry(stat, "total_unevictable"),
	}
	countMembers(&u, memory, filepath.Join(h.pids, g.path()))
	return u, true
}

// bounded is a limit that is one: version 1 writes the largest number of pages for none.
func bounded(n *uint64) *uint64 {
	const none = 1 << 62
	if n != nil && *n >= none {
		return nil
	}
	return n
}

func (h *separate) outOfMemory(g group) memoryReport {
	folder := filepath.Join(h.memory, g.path())
	r := memoryReport{kills: table(folder, "memory.oom_control")["oom_kill"]}
	if r.kills > 0 { // the rest costs more
		r.stat = read(folder, "memory.stat")
		r.used = number(folder, "memory.max_usage_in_bytes")
		r.limit = bounded(number(folder, "memory.limit_in_bytes"))
	}
	return r
}

// watch gives a value each time the container may have run out of memory, until stop is called.
func (h *separate) watch(g group) (<-chan struct{}, func(), error) {
	folder := filepath.Join(h.memory, g.path())
	control, err := os.Open(filepath.Join(folder, "memory.oom_control"))
	if err != nil {
		return nil, nil, err
	}
	defer control.Close() //nolint:errcheck // the kernel holds what it needs of it
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, nil, err
	}
	event := os.NewFile(uintptr(fd), "eventfd")
	line := strconv.Itoa(fd) + " " + strconv.Itoa(int(control.Fd()))
	if err := writeText(folder, "cgroup.event_control", line); err != nil {
		return nil, nil, errors.Join(err, event.Close())
	}
	signals := make(chan struct{}, 1)
	go func() {
		defer close(signals)
		var b [8]byte
		for {
			if _, err := event.Read(b[:]); err != nil {
				return
			}
			select {
			case signals <- struct{}{}:
			default:
			}
		}
	}()
	return signals, func() { _ = event.Close() }, nil
}

// quotaOf is the cpus that a quota amounts to; none when there is no quota.
func quotaOf(micros string) *float64 {
	n, err := strconv.ParseInt(strings.TrimSpace(micros), 10, 64)
	if err != nil || n < 0 {
		return nil
	}
	v := float64(n) / periodMicros
	return &v
}
