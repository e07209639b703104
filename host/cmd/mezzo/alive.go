package main

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// alive reports whether a process exists and has not ended. One that has ended and that its parent has not waited
// for still exists; Linux tells.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return !bytes.HasPrefix(rest, []byte("Z"))
}
