//go:build linux

package leak

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process is one process. Its id with its start time names it for ever.
type Process struct {
	PID     int
	Parent  int
	Started uint64 // in clock ticks since the machine was started
	State   byte   // 'R', 'S', 'T', 'Z' and so on, as ps has it
	Command string // the command line, or the program's name where there is none
}

// String names the process.
func (p Process) String() string { return fmt.Sprintf("%d (%c) %s", p.PID, p.State, p.Command) }

// Same tells whether the same process is still there, and not as a zombie.
func (p Process) Same() bool {
	now, err := Look(p.PID)
	return err == nil && now.Started == p.Started && now.State != 'Z'
}

// Look describes a process. The error is about there being none.
func Look(pid int) (Process, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, err
	}
	text := string(data)
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return Process{}, fmt.Errorf("read /proc/%d/stat: %q", pid, text)
	}
	// After the name come the state, the parent, and, as the twentieth from there, the time of the start.
	fields := strings.Fields(text[end+1:])
	const state, parent, started = 0, 1, 19
	if len(fields) <= started {
		return Process{}, fmt.Errorf("read /proc/%d/stat: %q", pid, text)
	}
	p := Process{PID: pid, State: fields[state][0], Command: text[open+1 : end]}
	if p.Parent, err = strconv.Atoi(fields[parent]); err != nil {
		return Process{}, fmt.Errorf("read /proc/%d/stat: %w", pid, err)
	}
	if p.Started, err = strconv.ParseUint(fields[started], 10, 64); err != nil {
		return Process{}, fmt.Errorf("read /proc/%d/stat: %w", pid, err)
	}
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(line) > 0 {
		p.Command = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
	}
	return p, nil
}

// Descendants are the children of a process, their children, and so on.
func Descendants(of int) ([]Process, error) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	children := map[int][]Process{}
	for _, path := range all {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if p, err := Look(pid); err == nil { // else it has just ended
			children[p.Parent] = append(children[p.Parent], p)
		}
	}
	var out []Process
	for next := children[of]; len(next) > 0; next = next[1:] {
		out = append(out, next[0])
		next = append(next, children[next[0].PID]...)
	}
	return out, nil
}
