package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDescriptorKept: whatever numbers the descriptors have at the fork, what is executed is the program. Here the
// program's is the first above those of the child's streams, and lower ones are free.
func TestDescriptorKept(t *testing.T) {
	// Not parallel: other tests' descriptors would be in between.
	null := func() *os.File {
		f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	path := program(t, "true")
	var below []*os.File
	for range 12 {
		below = append(below, null())
	}
	stream := null()
	b := open(t, path)
	if b.file.Fd() != stream.Fd()+1 {
		t.Fatalf("the descriptors are %d and %d, and should follow each other", stream.Fd(), b.file.Fd())
	}
	for _, f := range below {
		f.Close()
	}
	cmd := &exec.Cmd{Args: []string{path}, Stdin: stream, Stdout: stream, Stderr: stream}
	opened, err := execute(cmd, b, filepath.Join(t.TempDir(), "kind-name"))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	for _, f := range opened {
		f.Close()
	}
}
