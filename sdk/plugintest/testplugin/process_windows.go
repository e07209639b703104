package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// stop comes as near to being stopped as a process here can by itself.
func stop() { forever() }

// startGrandchild starts a process that outlives this one and holds the handles of its output, and says which.
func startGrandchild() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: self, Args: []string{"authorizer-mute"}}
	cmd.Stdout, cmd.Stderr = os.NewFile(uintptr(syscall.Stdout), "stdout"), os.NewFile(uintptr(syscall.Stderr), "stderr")
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.Stderr, "grandchild", cmd.Process.Pid)
	return err
}
