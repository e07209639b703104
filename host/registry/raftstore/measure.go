package raftstore

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/mezzo-cluster/mezzo/host/registry"
)

// measures are what the store has measured of itself.
type measures struct {
	queued       atomic.Int64
	fetch, store timer

	mu sync.Mutex
	// size is that of the registry as of some version of the state machine's.
	size, sizeOf uint64
}

// begin notes an operation, and returns what is to be called at its end.
func (m *measures) begin() func() {
	began := time.Now()
	m.queued.Add(1)
	return func() {
		m.queued.Add(-1)
		m.store.add(time.Since(began))
	}
}

// Metrics adds what Mesos's registrar tells of itself, by Mesos's names: operations under way, the registry's size
// once encoded, the times (ms) of reading it when the leadership began and of changing it, and the cluster of masters.
func (s *Store) Metrics(into map[string]float64) {
	into["registrar/queued_operations"] = float64(s.measures.queued.Load())
	s.measures.fetch.addTo(into, "registrar/state_fetch_ms")
	s.measures.store.addTo(into, "registrar/state_store_ms")
	if size, err := s.size(); err == nil {
		into["registrar/registry_size_bytes"] = float64(size)
	}
	_, leader := s.raft.LeaderWithID()
	into["registrar/log/recovered"] = 0
	if leader != "" {
		into["registrar/log/recovered"] = 1
	}
	if f := s.raft.GetConfiguration(); f.Error() == nil {
		voters := 0
		for _, server := range f.Configuration().Servers {
			if server.Suffrage == raft.Voter {
				voters++
			}
		}
		into["registrar/log/ensemble_size"] = float64(voters)
	}
}

// size is the registry's when encoded. It is found out again only after a change.
func (s *Store) size() (uint64, error) {
	m := &s.measures
	m.mu.Lock()
	defer m.mu.Unlock()
	version := s.fsm.version.Load()
	if m.sizeOf == version && m.size > 0 {
		return m.size, nil
	}
	state, err := s.fsm.copy()
	if err != nil {
		return 0, err
	}
	data, err := registry.EncodeState(state)
	if err != nil {
		return 0, err
	}
	m.size, m.sizeOf = uint64(len(data)), version
	return m.size, nil
}

// kept is how many of the latest times a timer keeps.
const kept = 1000

// timer keeps the latest times of something that is done again and again.
type timer struct {
	mu    sync.Mutex
	times []time.Duration // a ring, once it is full
	next  int
}

func (t *timer) add(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.times) < kept {
		t.times = append(t.times, d)
	} else {
		t.times[t.next] = d
	}
	t.next = (t.next + 1) % kept
}

// addTo adds the latest time, in ms, and from two times on their number, extremes and percentiles.
func (t *timer) addTo(into map[string]float64, name string) {
	t.mu.Lock()
	if len(t.times) == 0 {
		t.mu.Unlock()
		return
	}
	last := t.times[(t.next+kept-1)%kept]
	sorted := slices.Sorted(slices.Values(t.times))
	t.mu.Unlock()
	into[name] = milliseconds(last)
	if len(sorted) < 2 {
		return
	}
	into[name+"/count"] = float64(len(sorted))
	maps.Copy(into, map[string]float64{
		name + "/min": milliseconds(sorted[0]), name + "/max": milliseconds(sorted[len(sorted)-1]),
		name + "/p50": percentile(sorted, 0.5), name + "/p90": percentile(sorted, 0.9), name + "/p95": percentile(sorted, 0.95),
		name + "/p99": percentile(sorted, 0.99), name + "/p999": percentile(sorted, 0.999), name + "/p9999": percentile(sorted, 0.9999),
	})
}

// percentile interpolates between the two times around it, as Mesos does.
func percentile(sorted []time.Duration, p float64) float64 {
	at := p * float64(len(sorted)-1)
	below := int(math.Floor(at))
	if below == len(sorted)-1 {
		return milliseconds(sorted[below])
	}
	low, high := milliseconds(sorted[below]), milliseconds(sorted[below+1])
	return low + (at-float64(below))*(high-low)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
