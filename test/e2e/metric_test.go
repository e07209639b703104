//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Daemons have all the metrics that Mesos's have, and those of the registrar, the fetcher and the containers move.
func TestMetrics(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	read := func(address string) map[string]float64 {
		var m map[string]float64
		if err := getJSON(address, "/metrics/snapshot", &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	data, err := os.ReadFile(filepath.Join(suite.root, "host/api/testdata/shapes.json"))
	if err != nil {
		t.Fatal(err)
	}
	shapes := decode[map[string]map[string]any](t, string(onlyObjects(t, data)))
	for name, address := range map[string]string{"metrics_master": c.address, "metrics_agent": c.agents[0].address} {
		got := read(address)
		if len(shapes[name]) < 50 {
			t.Fatalf("%d metrics only are known of %s", len(shapes[name]), name)
		}
		for metric := range shapes[name] {
			if _, there := got[metric]; !there {
				t.Errorf("%s: %s is missing", name, metric)
			}
		}
	}
	if m := read(c.address); m["registrar/registry_size_bytes"] < 100 || m["registrar/state_fetch_ms"] <= 0 || m["registrar/state_store_ms/p99"] <= 0 ||
		m["registrar/queued_operations"] != 0 || m["registrar/log/recovered"] != 1 || m["registrar/log/ensemble_size"] != 1 {
		t.Errorf("the registrar's: %v", m)
	}
	before := read(c.agents[0].address)
	f.launch(shell("fetched", "exit 0", fetching(uri("/etc/hostname"))), shell("not-fetched", "exit 0", fetching(uri("/no/such/file"))))
	f.end("fetched", "STARTING RUNNING FINISHED")
	f.end("not-fetched", "FAILED")
	after := read(c.agents[0].address)
	for name, want := range map[string]float64{
		"containerizer/fetcher/task_fetches_succeeded": 1, "containerizer/fetcher/task_fetches_failed": 1,
		"slave/container_launch_errors": 1, "containerizer/mesos/container_destroy_errors": 0,
	} {
		if got := after[name] - before[name]; got != want {
			t.Errorf("%s grew by %v, want %v", name, got, want)
		}
	}
}

// onlyObjects leaves the shapes that are objects.
func onlyObjects(t *testing.T, data []byte) []byte {
	t.Helper()
	all := decode[map[string]json.RawMessage](t, string(data))
	for name, shape := range all {
		if len(shape) == 0 || shape[0] != '{' {
			delete(all, name)
		}
	}
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
