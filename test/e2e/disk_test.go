//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// An agent that cannot write down what it does ends and says why. Its tasks run on, and when there is room again it
// has them.
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
	filler := filepath.Join(a.workDir(), "filler")
	t.Cleanup(func() {
		if err := syscall.Unmount(a.workDir(), 0); err != nil {
			t.Error(err)
		}
		c.checkNothingLeft(a)
	})
	t.Cleanup(func() {
		_ = os.Remove(filler)
		c.end()
	})
	c.master.start()
	a.start()
	c.wait()
	f := subscribe(t, c)
	f.run(sleeper("stays"))
	stay := processesOf(t, f.await("stays", mesos.TaskState_TASK_RUNNING))
	fill(t, filler)
	f.launch(shell("no-room", "echo hello"))
	a.wait() // it goes no further than it can write down
	mustSay(t, command(t, "mezzo", "agent", a.config), 1, a.workDir(), "no space left on device")
	if !strings.Contains(a.output(), "no space left on device") {
		t.Error("the agent does not say why it has ended")
	}
	allSame(t, stay)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	c.restart(a)
	allSame(t, stay)
	f.awaitStatus("no-room", "comes to an end", func(s *mesos.TaskStatus) bool { return terminal(s.GetState()) })
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
	f.kill("stays", 0)
	f.end("stays", "STARTING RUNNING KILLED")
	checkWholeOffers(t, f, 1)
}

// A master that cannot write its registry ends and says why. Tasks run on, and when there is room again it has them.
func TestMasterDiskFull(t *testing.T) {
	t.Parallel()
	c := newCluster(t, site{agents: 2})
	dir := filepath.Join(c.dir, "master")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
		c.stop()
	})
	t.Cleanup(func() {
		_ = os.Remove(filler)
		c.end()
	})
	c.master.start()
	c.agents[0].start()
	if r := c.mezzo("wait", "--timeout", patience.String()); r.status != 0 {
		t.Fatal(r)
	}
	f := subscribe(t, c)
	f.run(sleeper("stays"))
	stay := processesOf(t, f.await("stays", mesos.TaskState_TASK_RUNNING))
	fill(t, filler)
	c.agents[1].start() // which is to be written down
	c.master.wait()
	if !strings.Contains(c.master.output(), "mezzo: write the registry: ") || !strings.Contains(c.master.output(), "no space left on device") {
		t.Error("the master does not say why it has ended")
	}
	mustSay(t, command(t, "mezzo", c.master.args...), 1, dir, "no space left on device")
	allSame(t, stay)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	c.master.start()
	c.wait()
	f.resubscribe()
	f.kill("stays", 0)
	f.end("stays", "STARTING RUNNING KILLED")
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
