//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/test/leak"
)

// initOf is the first process of a running task's container, as the status says.
func initOf(t *testing.T, s *mesos.TaskStatus) leak.Process {
	t.Helper()
	pid := int(s.GetContainerStatus().GetExecutorPid())
	if pid == 0 {
		t.Fatalf("the status tells no process: %v", s)
	}
	return look(t, pid)
}

// processesOf are the processes in a task's container, mezzo-init first.
func processesOf(t *testing.T, s *mesos.TaskStatus) []leak.Process {
	t.Helper()
	first := initOf(t, s)
	rest, err := leak.Descendants(first.PID)
	if err != nil {
		t.Fatal(err)
	}
	return append([]leak.Process{first}, rest...)
}

// allSame fails unless every process is still there.
func allSame(t *testing.T, processes []leak.Process) {
	t.Helper()
	for _, p := range processes {
		if !p.Same() {
			t.Errorf("process %s is gone", p)
		}
	}
}

// cgroupsOf are the folders of a container's cgroups, those that are there.
func (a *agent) cgroupsOf(s *mesos.TaskStatus) []string {
	id := s.GetContainerStatus().GetContainerId().GetValue()
	var out []string
	for _, root := range a.cgroupRoots() {
		if dir := filepath.Join(root, id); id != "" && exists(dir) {
			out = append(out, dir)
		}
	}
	return out
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// sandboxPath is a file in a task's sandbox by the path that does not change from run to run.
func (f *framework) sandboxPath(task, file string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return "/frameworks/" + f.id.GetValue() + "/executors/" + task + "/runs/latest/" + file
}

// sandboxFile reads a file of a task's sandbox from the agent, over HTTP.
func (f *framework) sandboxFile(a *agent, task, file string) string {
	f.t.Helper()
	r := ask(f.t, http.MethodGet, a.address, "/files/download?path="+url.QueryEscape(f.sandboxPath(task, file)), "", nil)
	if r.status != http.StatusOK {
		f.t.Fatalf("download %s of %s: %d %s", file, task, r.status, r.body)
	}
	return r.body
}

// output runs a shell line as a task, which must finish, and returns what it wrote.
func (f *framework) output(a *agent, id, line string, changes ...change) string {
	f.t.Helper()
	f.launch(shell(id, line, changes...))
	if s := f.awaitStatus(id, "comes to an end", func(s *mesos.TaskStatus) bool { return terminal(s.GetState()) }); s.GetState() != mesos.TaskState_TASK_FINISHED {
		f.t.Fatalf("task %s: %s, %s\nstderr: %s", id, s.GetState(), s.GetMessage(), f.sandboxFile(a, id, "stderr"))
	}
	return f.sandboxFile(a, id, "stdout")
}

// number reads a file that holds one.
func number(t *testing.T, path string) int64 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", path, err))
	}
	return n
}

// checkNamespaces compares a container's namespaces with this process's.
func checkNamespaces(t *testing.T, pid int) {
	t.Helper()
	for kind, own := range map[string]bool{"pid": true, "mnt": true, "ipc": true, "uts": true, "net": false, "user": false} {
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		if err != nil {
			t.Fatal(err)
		}
		ours, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		if (theirs != ours) != own {
			t.Errorf("%s namespace: the container's is %s, the machine's %s", kind, theirs, ours)
		}
	}
}

// has tells whether a file is in a task's sandbox, by way of the agent.
func (f *framework) has(a *agent, task, file string) error {
	return getJSON(a.address, "/files/read?offset=-1&path="+url.QueryEscape(f.sandboxPath(task, file)), nil)
}
