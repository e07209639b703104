package main

import (
	"bytes"
	"fmt"
	"os"
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
