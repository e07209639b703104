//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// stop has the system stop this process.
func stop() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	forever() // the signal takes a moment
}

// startGrandchild starts a process that outlives this one and holds the descriptors of its output.
func startGrandchild() error {
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.Stdout, cmd.Stderr = os.NewFile(1, "stdout"), os.NewFile(2, "stderr")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}
