package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// flood writes 16 MiB without a line's end, and 100,000 lines. It returns only when somebody has read them.
func flood() {
	// The descriptor itself: os.Stderr is go-plugin's by now.
	stderr := os.NewFile(2, "stderr")
	block := bytes.Repeat([]byte("water "), 1<<20/6)
	for range 16 {
		_, _ = stderr.Write(block)
	}
	for i := range 100_000 {
		_, _ = fmt.Fprintf(stderr, "\ndrop %d", i)
	}
	_, _ = fmt.Fprintln(stderr)
}

// grab takes half a gigabyte of memory, unless a process of this program has done so before.
func grab() {
	const pieces, size = 64, 8 << 20
	fed, err := os.OpenFile(os.Args[0]+".fed", os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return
	}
	_ = fed.Close()
	for range pieces {
		grabbed = append(grabbed, bytes.Repeat([]byte("mine"), size/4))
	}
}

var grabbed [][]byte

// startGrandchild starts a process that outlives this one and holds the descriptors of its output.
func startGrandchild() error {
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.Stdout, cmd.Stderr = os.NewFile(1, "stdout"), os.NewFile(2, "stderr")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}
