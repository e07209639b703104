// Package metrics shows a daemon's metrics in two forms: as Mesos's flat snapshot of names and numbers, and to
// Prometheus.
//
// It imports prometheus/client_golang, and nothing of ours.
package metrics

import (
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Source adds metrics, by Mesos's names, to a snapshot. It must be safe for concurrent use.
type Source func(into map[string]float64)

// Snapshot is one reading of several sources.
type Snapshot struct{ sources []Source }

// NewSnapshot returns a Snapshot of the machine's own metrics and of the sources.
func NewSnapshot(sources ...Source) *Snapshot {
	return &Snapshot{sources: append([]Source{System}, sources...)}
}

// Read returns all metrics as they are now.
func (s *Snapshot) Read() map[string]float64 {
	all := map[string]float64{}
	for _, source := range s.sources {
		source(all)
	}
	return all
}

// Names returns the names of a reading, sorted.
func Names(all map[string]float64) []string { return slices.Sorted(maps.Keys(all)) }

// System adds system/*: processors, load, memory. What the operating system does not tell is left out.
func System(into map[string]float64) {
	into["system/cpus_total"] = float64(runtime.NumCPU())
	load, memory, ok := readSystem()
	if !ok {
		return
	}
	into["system/load_1min"], into["system/load_5min"], into["system/load_15min"] = load[0], load[1], load[2]
	into["system/mem_total_bytes"], into["system/mem_free_bytes"] = memory.total, memory.free
}

// memory is in bytes.
type memory struct{ total, free float64 }

// Collector shows a Snapshot to Prometheus: `master/tasks_running` as `mezzo_master_tasks_running`. Names that hold a
// framework, a role or a principal are left out, since Prometheus wants these as labels.
type Collector struct{ snapshot *Snapshot }

// NewCollector returns a Collector.
func NewCollector(s *Snapshot) *Collector { return &Collector{snapshot: s} }

// Describe sends nothing: which metrics there are is known when they are collected only.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics as they are now.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	all := c.snapshot.Read()
	for _, name := range Names(all) {
		if strings.HasPrefix(name, "frameworks/") || strings.HasPrefix(name, "master/frameworks/") ||
			strings.Contains(name, "/roles/") {
			continue
		}
		desc := prometheus.NewDesc("mezzo_"+identifier(name), "Mesos calls it "+name+".", nil, nil)
		ch <- prometheus.MustNewConstMetric(desc, prometheus.UntypedValue, all[name])
	}
}

// identifier replaces what Prometheus does not take in a name.
func identifier(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}
