package launcher

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
)

// ticksPerSecond is what the times in /proc count in, on every machine.
const ticksPerSecond = 100

// procStat is what /proc/PID/stat tells of a process. The times, in ticks, are its own and those of its children that
// have ended and were waited for.
type procStat struct {
	parent       int
	user, system uint64
	threads      uint64
	rss          uint64 // pages
}

// processUsage adds up what /proc tells of processes and all their descendants, by the first one's pid. Pages that
// several processes share count in each. Nothing is there for what has ended.
func processUsage(roots []int) (map[int]containerizer.Usage, error) {
	all, err := readProcesses()
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for pid, p := range all {
		children[p.parent] = append(children[p.parent], pid)
	}
	out := make(map[int]containerizer.Usage, len(roots))
	for _, root := range roots {
		if _, runs := all[root]; !runs {
			continue
		}
		var sum procStat
		count := uint32(0)
		for todo := []int{root}; len(todo) > 0; count++ {
			pid := todo[0]
			p := all[pid]
			sum.user, sum.system = sum.user+p.user, sum.system+p.system
			sum.threads, sum.rss = sum.threads+p.threads, sum.rss+p.rss
			todo = append(todo[1:], children[pid]...)
		}
		out[root] = sum.usage(count)
	}
	return out, nil
}

func (p procStat) usage(processes uint32) containerizer.Usage {
	user, system := float64(p.user)/ticksPerSecond, float64(p.system)/ticksPerSecond
	threads, rss := uint32(p.threads), p.rss*uint64(os.Getpagesize()) //nolint:gosec // both are small
	return containerizer.Usage{
		Processes: &processes, Threads: &threads, CPUsUserTimeSecs: &user, CPUsSystemTimeSecs: &system, MemRSSBytes: &rss,
	}
}

// readProcesses reads every process that there is. One that ends meanwhile is left out.
func readProcesses() (map[int]procStat, error) {
	folder, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer folder.Close() //nolint:errcheck // only read from
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("read /proc: %w", err)
	}
	all := map[int]procStat{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		if all[pid], err = parseStat(b); err != nil {
			return nil, fmt.Errorf("read /proc/%s/stat: %w", name, err)
		}
	}
	return all, nil
}

// parseStat reads a line of proc(5). The second field may hold blanks and parentheses.
func parseStat(b []byte) (procStat, error) {
	const before = 3 // fields before those that are split off here, counted from 1
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) <= 24-before {
		return procStat{}, errors.New("it is too short")
	}
	var bad error
	number := func(field int) uint64 {
		n, err := strconv.ParseUint(string(fields[field-before]), 10, 64)
		bad = errors.Join(bad, err)
		return n
	}
	p := procStat{
		parent: int(number(4)), user: number(14) + number(16), system: number(15) + number(17), //nolint:gosec // a pid
		threads: number(20), rss: number(24),
	}
	return p, bad
}
