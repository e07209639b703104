//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"testing"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// Without namespaces and isolators tasks are plain processes, whose use of the machine is known all the same.
func TestPosixLauncher(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{bare: true, agent: `launcher = "posix"`})
	f := subscribe(t, c)
	f.launch(shell("plain", "test $(readlink /proc/self/ns/pid) = "+ownNamespace(t)+" || exit 9; while :; do :; done"))
	stay := processesOf(t, f.await("plain", mesos.TaskState_TASK_RUNNING))
	var statistics struct {
		Processes int
		User      float64  `json:"cpus_user_time_secs"`
		System    *float64 `json:"cpus_system_time_secs"`
		RSS       float64  `json:"mem_rss_bytes"`
	}
	eventually(t, "the time it has used is known", func() error {
		var list []struct {
			Statistics *json.RawMessage
		}
		if err := getJSON(c.agents[0].address, "/containers", &list); err != nil {
			return err
		}
		if len(list) != 1 || list[0].Statistics == nil {
			return errNotYet("no statistics")
		}
		if err := json.Unmarshal(*list[0].Statistics, &statistics); err != nil {
			return err
		}
		if statistics.User < 0.05 {
			return errNotYet(mapText(map[string]float64{"user": statistics.User}))
		}
		return nil
	})
	if statistics.Processes != 2 || statistics.System == nil || statistics.RSS < 1<<20 || statistics.RSS > 1<<28 {
		t.Errorf("statistics: %+v", statistics)
	}
	f.kill("plain", 0)
	f.end("plain", "STARTING RUNNING KILLED")
	gone(t, pidsOf(stay))
}

func ownNamespace(t *testing.T) string {
	t.Helper()
	name, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	return name
}
