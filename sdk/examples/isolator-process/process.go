//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a process by its id and its start, since ids come again.
type process struct {
	pid     int
	started string // in the kernel's words
}

// stat is what the kernel tells of a process: state, session and start; empty when there is none.
func stat(pid int) (state, session, started string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", "", ""
	}
	// The name may have anything in it, blanks and parentheses, too.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return fields[0], fields[3], fields[19]
}

func self() (process, error) {
	_, _, started := stat(os.Getpid())
	if started == "" {
		return process{}, fmt.Errorf("/proc does not tell of process %d", os.Getpid())
	}
	return process{os.Getpid(), started}, nil
}

func (p process) alive() bool {
	state, _, started := stat(p.pid)
	return started == p.started && state != "Z" && state != "X"
}

// ended waits for the process's end.
func (p process) ended(ctx context.Context) error {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for p.alive() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// killSession kills what is in the session that the process leads, again and again until nothing is left of it, but
// for one process. A session's id is not given away while it has members.
func (p process) killSession(spared int) {
	for left := true; left; {
		if _, _, started := stat(p.pid); started != "" && started != p.started {
			return
		}
		left = false
		all, _ := filepath.Glob("/proc/[0-9]*")
		for _, entry := range all {
			pid, err := strconv.Atoi(filepath.Base(entry))
			state, session, _ := stat(pid)
			if err == nil && pid != spared && session == strconv.Itoa(p.pid) && state != "Z" && state != "X" {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				left = true
			}
		}
		if left {
			time.Sleep(time.Millisecond) // they take a moment to go
		}
	}
}
