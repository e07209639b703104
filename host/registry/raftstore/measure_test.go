package raftstore

import (
	"math"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/registry"
)

func TestMetricsMoveWithChanges(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	defer s.Close()
	lead(t, s)
	read := func() map[string]float64 {
		m := map[string]float64{}
		s.Metrics(m)
		return m
	}
	before := read()
	if before["registrar/state_fetch_ms"] <= 0 || before["registrar/log/recovered"] != 1 || before["registrar/log/ensemble_size"] != 1 {
		t.Errorf("at first: %v", before)
	}
	// What is stored at first is where this master is reached.
	if _, several := before["registrar/state_store_ms/count"]; several || before["registrar/state_store_ms"] <= 0 {
		t.Errorf("at first: %v", before)
	}
	const infoSize = 3000
	if err := commit(t, s, registry.AdmitAgent{ID: "a", Info: make([]byte, infoSize)}); err != nil {
		t.Fatal(err)
	}
	after := read()
	if grown := after["registrar/registry_size_bytes"] - before["registrar/registry_size_bytes"]; grown < infoSize || grown > 2*infoSize {
		t.Errorf("the registry grew by %v bytes", grown)
	}
	if after["registrar/state_store_ms/count"] != 2 || after["registrar/queued_operations"] != 0 {
		t.Errorf("after one change: %v", after)
	}
	if err := commit(t, s, registry.RemoveAgent{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if last := read(); last["registrar/state_store_ms/count"] != 3 || last["registrar/registry_size_bytes"] != before["registrar/registry_size_bytes"] ||
		last["registrar/state_store_ms/p50"] < last["registrar/state_store_ms/min"] || last["registrar/state_store_ms/p50"] > last["registrar/state_store_ms/max"] {
		t.Errorf("after another: %v", last)
	}
}

// The figures are those that Mesos gives for the same times.
func TestTimer(t *testing.T) {
	t.Parallel()
	var few, many timer
	few.add(122112 * time.Nanosecond)
	few.add(96 * time.Microsecond)
	got := map[string]float64{}
	few.addTo(got, "t")
	for name, want := range map[string]float64{
		"t": 0.096, "t/count": 2, "t/min": 0.096, "t/max": 0.122112, "t/p50": 0.109056, "t/p90": 0.1195008, "t/p95": 0.1208064,
		"t/p99": 0.12185088, "t/p999": 0.122085888, "t/p9999": 0.1221093888,
	} {
		if math.Abs(got[name]-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	for i := range kept + 10 {
		many.add(time.Duration(i) * time.Millisecond)
	}
	clear(got)
	many.addTo(got, "t")
	if got["t/count"] != kept || got["t/min"] != 10 || got["t"] != kept+9 || got["t/max"] != kept+9 {
		t.Errorf("of many: %v", got)
	}
}
