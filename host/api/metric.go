package api

import (
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/mezzo-cluster/mezzo/host/api/scheduler"
	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// masterMetrics returns the metrics of a master: the machine's if it leads, and that it does not otherwise.
func masterMetrics(m scheduler.Master, calls *scheduler.Endpoint, started time.Time) func(map[string]float64) {
	return func(into map[string]float64) {
		now := time.Now()
		s := m.State()
		if s == nil {
			into["master/elected"] = 0
			into["master/uptime_secs"] = now.Sub(started).Seconds()
			return
		}
		maps.Copy(into, s.Metrics(now))
		calls.AddRefused(into)
		allocatorMetrics(into, s)
		for f := range s.Frameworks() {
			frameworkMetrics(into, f)
			calls.Counts(f.ID).AddTo(into, frameworkPrefix(f))
		}
	}
}

// allocatorMetrics adds what Mesos's allocator tells of resources.
func allocatorMetrics(into map[string]float64, s *master.State) {
	var total, free resource.Quantities
	for a := range s.Agents() {
		total, free = sum(total, a.Total), sum(free, a.Free)
	}
	for _, name := range []string{"cpus", "mem", "disk"} {
		prefix := "allocator/mesos/resources/" + name
		into[prefix+"/total"] = total.Get(name).Float()
		into[prefix+"/offered_or_allocated"] = total.Get(name).Float() - free.Get(name).Float()
	}
	// Whoever feeds the allocator's program says what waits for it; nobody does where there is none.
	into["allocator/event_queue_dispatches"] = 0
	into["allocator/mesos/event_queue_dispatches"] = 0
}

func sum(q resource.Quantities, more resource.Resources) resource.Quantities {
	if all, err := q.Add(more.Scalars()); err == nil {
		return all
	}
	return q
}

// frameworkPrefix is how the metrics of a framework begin.
func frameworkPrefix(f *master.Framework) string {
	return "master/frameworks/" + url.PathEscape(f.Name) + "/" + f.ID + "/"
}

// frameworkMetrics adds what the state tells of a framework.
func frameworkMetrics(into map[string]float64, f *master.Framework) {
	prefix := frameworkPrefix(f)
	into[prefix+"subscribed"] = number(f.Connected)
	for _, role := range f.Roles {
		into[prefix+"roles/"+role+"/suppressed"] = number(f.IsSuppressed(role))
	}
	for value, name := range mesos.TaskState_name {
		kind := "active"
		if master.Terminal(mesos.TaskState(value)) {
			kind = "terminal"
		}
		into[prefix+"tasks/"+kind+"/"+strings.ToLower(name)] = float64(f.TasksByState[value])
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
