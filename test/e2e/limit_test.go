//go:build linux

package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// A task that takes more memory than it has fails, and is told of as that, with the figures.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	f.launch(shell("greedy", `x=$(head -c 200000000 /dev/zero | tr '\0' x); echo survived ${#x}`, resources(scalar("cpus", 0.5), scalar("mem", 48))),
		sleeper("neighbour"))
	s := f.end("greedy", "STARTING RUNNING FAILED")
	if s.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY {
		t.Errorf("the reason is %s: %s", s.GetReason(), s.GetMessage())
	}
	limit := s.GetLimitation().GetResources()
	if len(limit) != 1 || limit[0].GetName() != "mem" || limit[0].GetScalar().GetValue() < 32 || limit[0].GetScalar().GetValue() > 128 {
		t.Errorf("the limitation is %v", limit)
	}
	if !strings.Contains(strings.ToLower(s.GetMessage()), "memory") || !strings.ContainsAny(s.GetMessage(), "0123456789") {
		t.Errorf("the message has no figures: %q", s.GetMessage())
	}
	if s := f.await("neighbour", mesos.TaskState_TASK_RUNNING); !initOf(t, s).Same() {
		t.Error("the neighbour is gone")
	}
}

// The limits are those that the task asked for, and nothing is left of them when it has ended.
func TestCgroups(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a, f := c.agents[0], subscribe(t, c)
	task := shell("limited", "sleep 1000", resources(scalar("cpus", 0.5), scalar("mem", 64)))
	f.run(task)
	s := f.await("limited", mesos.TaskState_TASK_RUNNING)
	groups := a.cgroupsOf(s)
	if len(groups) == 0 {
		t.Fatal("the container has no cgroup")
	}
	for _, g := range groups {
		switch {
		case strings.HasPrefix(g, "/sys/fs/cgroup/memory/"):
			if n := number(t, filepath.Join(g, "memory.limit_in_bytes")); n != 64<<20 {
				t.Errorf("memory.limit_in_bytes is %d", n)
			}
		case strings.HasPrefix(g, "/sys/fs/cgroup/cpu/"):
			if n := number(t, filepath.Join(g, "cpu.shares")); n != 512 {
				t.Errorf("cpu.shares is %d", n)
			}
		}
	}
	checkUsage(t, c, s)
	f.kill("limited", 0)
	f.end("limited", "STARTING RUNNING KILLED")
	eventually(t, "the container's cgroups are gone", func() error {
		if left := a.cgroupsOf(s); len(left) > 0 {
			return errNotYet(strings.Join(left, " "))
		}
		return nil
	})
}

// checkUsage looks at what the agent says of a container that has 64 MB and sleeps.
func checkUsage(t *testing.T, c *cluster, s *mesos.TaskStatus) {
	t.Helper()
	var all []struct {
		ID         string `json:"container_id"`
		Statistics struct {
			Limit int64   `json:"mem_limit_bytes"`
			RSS   int64   `json:"mem_rss_bytes"`
			CPUs  float64 `json:"cpus_limit"`
		} `json:"statistics"`
	}
	if err := getJSON(c.agents[0].address, "/containers", &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].ID != s.GetContainerStatus().GetContainerId().GetValue() || all[0].Statistics.Limit != 64<<20 || all[0].Statistics.RSS == 0 {
		t.Errorf("/containers has %+v", all)
	}
}
