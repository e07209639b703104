package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// descendants are the processes below one, itself included, by /proc.
func descendants(pid int) ([]int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		_, rest, _ := bytes.Cut(stat, []byte(") "))
		fields := strings.Fields(string(rest))
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || len(fields) < 2 {
			continue
		}
		parent, err := strconv.Atoi(fields[1])
		if err != nil {
			continue
		}
		children[parent] = append(children[parent], id)
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all, nil
}

// sleepers are the sleeping tasks below a process.
func sleepers(pid int) ([]int, error) {
	all, err := descendants(pid)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, p := range all {
		if isSleep(p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// isSleep tells whether a process runs a benchmark's sleep.
func isSleep(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && string(line) == "sleep\x00100000\x00"
}

// memory is a process's resident set and its share of what it shares, in MiB.
type memory struct{ rss, pss float64 }

func memoryOf(pid int) (memory, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return memory{}, err
	}
	var m memory
	for line := range strings.Lines(string(data)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		if err != nil {
			continue
		}
		switch name {
		case "Rss":
			m.rss = kib / 1024
		case "Pss":
			m.pss = kib / 1024
		}
	}
	return m, nil
}

// memoryBelow sums over a process and those below it that keep wants.
func memoryBelow(pid int, keep func(pid int) bool) (memory, error) {
	all, err := descendants(pid)
	if err != nil {
		return memory{}, err
	}
	var sum memory
	for _, p := range all {
		if !keep(p) {
			continue
		}
		m, err := memoryOf(p)
		if err != nil {
			return memory{}, err
		}
		sum.rss, sum.pss = sum.rss+m.rss, sum.pss+m.pss
	}
	return sum, nil
}
