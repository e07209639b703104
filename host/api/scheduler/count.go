package scheduler

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// Counts are how many calls a framework has made, and how many events it was sent, by type. The zero value is
// none.
type Counts struct {
	calls  [32]uint64
	events [32]uint64
}

// AddTo adds the counts to metrics, under Mesos's names after a prefix.
func (c Counts) AddTo(into map[string]float64, prefix string) {
	addTypes(into, prefix+"calls", c.calls[:], scheduler.Call_Type_name)
	addTypes(into, prefix+"events", c.events[:], scheduler.Event_Type_name)
}

func addTypes(into map[string]float64, prefix string, counts []uint64, names map[int32]string) {
	var all uint64
	for number, name := range names {
		if number == 0 {
			continue
		}
		into[prefix+"/"+strings.ToLower(name)] = float64(counts[number])
		all += counts[number]
	}
	into[prefix] = float64(all)
}

// refusals counts calls that never came to the machine, of the types of which Mesos counts the invalid ones.
type refusals struct{ acknowledgements, operationAcknowledgements atomic.Uint64 }

func (r *refusals) count(t scheduler.Call_Type) {
	switch t {
	case scheduler.Call_ACKNOWLEDGE:
		r.acknowledgements.Add(1)
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS:
		r.operationAcknowledgements.Add(1)
	}
}

func (r *refusals) addTo(into map[string]float64) {
	into["master/invalid_status_update_acknowledgements"] += float64(r.acknowledgements.Load())
	into["master/invalid_operation_status_update_acknowledgements"] += float64(r.operationAcknowledgements.Load())
}

// counter holds the Counts of the frameworks that this master knows.
type counter struct {
	mu          sync.Mutex
	byFramework map[string]*Counts
}

func newCounter() *counter { return &counter{byFramework: map[string]*Counts{}} }

func (c *counter) of(framework string) *Counts {
	counts, ok := c.byFramework[framework]
	if !ok {
		counts = &Counts{}
		c.byFramework[framework] = counts
	}
	return counts
}

func (c *counter) call(framework string, t scheduler.Call_Type) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.of(framework)
	if int(t) < len(counts.calls) {
		counts.calls[t]++
	}
}

func (c *counter) event(framework string, t scheduler.Event_Type) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.of(framework)
	if int(t) < len(counts.events) {
		counts.events[t]++
	}
	if t == scheduler.Event_SUBSCRIBED {
		counts.calls[scheduler.Call_SUBSCRIBE]++
	}
}

func (c *counter) get(framework string) Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	if counts, ok := c.byFramework[framework]; ok {
		return *counts
	}
	return Counts{}
}

// keep forgets all frameworks but those that are known.
func (c *counter) keep(known func(framework string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.byFramework {
		if !known(id) {
			delete(c.byFramework, id)
		}
	}
}
