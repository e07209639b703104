//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// An agent whose disk is full says so, and when there is room again goes on with the tasks that it had.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	c := newCluster(t, site{})
	a := c.agents[0]
	if err := os.Mkdir(a.workDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", a.workDir(), "tmpfs", 0, "size=8m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(a.workDir(), 0); err != nil {
			t.Error(err)
		}
		c.checkNothingLeft(a)
	})
	t.Cleanup(c.end)
	c.master.start()
	a.start()
	c.wait()
	f := subscribe(t, c)
	f.run(sleeper("stays"))
	stay := processesOf(t, f.await("stays", mesos.TaskState_TASK_RUNNING))
	filler := filepath.Join(a.workDir(), "filler")
	fill(t, filler)
	f.launch(shell("no-room", "echo hello"))
	eventually(t, "", func() error { t.Log(way(f.history("no-room"))); return errNotYet("x") })
	allSame(t, stay)
}

func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = file.Write(block)
	}
}
