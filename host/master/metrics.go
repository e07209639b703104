package master

import (
	"strings"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Metrics returns all of the master's metrics by Mesos's names, those at 0 too, as they are at a wall-clock
// time. It goes through all agents and frameworks. What is measured elsewhere in the process (event queue,
// HTTP, system) is at 0, and for the caller to fill in.
func (s *State) Metrics(now time.Time) map[string]float64 {
	m := make(map[string]float64, 256)
	for _, name := range elsewhere {
		m["master/"+name] = 0
	}
	for i, name := range counterNames {
		m["master/"+name] = float64(s.counters.fixed[i])
	}
	for name, n := range s.counters.reasons {
		m["master/"+name] = float64(n)
	}
	m["master/elected"] = 1
	m["master/uptime_secs"] = now.Sub(s.leader.Started).Seconds()
	m["master/outstanding_offers"] = float64(s.offers.len())
	s.frameworkMetrics(m)
	s.agentMetrics(m)
	return m
}

// elsewhere are the names of Mesos's metrics that this machine does not move.
var elsewhere = operationNames([]string{
	"event_queue_dispatches", "event_queue_http_requests", "event_queue_messages", "http_cache_hits",
	"messages_authenticate", "messages_deactivate_framework", "operator_event_stream_subscribers",
	"slave_shutdowns_canceled", "slave_shutdowns_completed", "slave_shutdowns_scheduled",
})

func operationNames(names []string) []string {
	states := []string{
		"dropped", "error", "failed", "finished", "gone_by_operator", "pending", "recovering", "total", "unreachable",
	}
	kinds := []string{
		"", "create/", "create_disk/", "destroy/", "destroy_disk/", "grow_volume/", "reserve/", "shrink_volume/",
		"unreserve/",
	}
	for _, kind := range kinds {
		for _, state := range states {
			names = append(names, "operations/"+kind+state)
		}
	}
	return names
}

func (s *State) frameworkMetrics(m map[string]float64) {
	var connected, active, all float64
	var tasks TaskCounts
	for f := range s.Frameworks() {
		all++
		if f.Connected {
			connected++
		}
		if f.Active {
			active++
		}
		for i, n := range f.TasksByState {
			tasks[i] += n
		}
	}
	m["master/frameworks_connected"], m["master/frameworks_disconnected"] = connected, all-connected
	m["master/frameworks_active"], m["master/frameworks_inactive"] = active, all-active
	for _, state := range []mesos.TaskState{
		mesos.TaskState_TASK_STAGING, mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING,
		mesos.TaskState_TASK_KILLING, mesos.TaskState_TASK_UNREACHABLE,
	} {
		name := "master/tasks_" + strings.ToLower(strings.TrimPrefix(state.String(), "TASK_"))
		m[name] = float64(tasks[state])
	}
}

func (s *State) agentMetrics(m map[string]float64) {
	var connected, active, all float64
	var total, used resource.Resources
	for a := range s.Agents() {
		all++
		if a.Connected {
			connected++
		}
		if a.Active {
			active++
		}
		total, used = addOrKeep(total, a.Total), addOrKeep(used, a.Used())
	}
	m["master/slaves_connected"], m["master/slaves_disconnected"] = connected, all-connected
	m["master/slaves_active"], m["master/slaves_inactive"] = active, all-active
	m["master/slaves_unreachable"] = float64(s.unreachable.len())
	for _, name := range []string{"cpus", "gpus", "mem", "disk"} {
		put(m, name, total.NonRevocable().Amount(name), used.NonRevocable().Amount(name))
		put(m, name+"_revocable", total.Revocable().Amount(name), used.Revocable().Amount(name))
	}
}

func put(m map[string]float64, name string, total, used resource.Scalar) {
	m["master/"+name+"_total"], m["master/"+name+"_used"] = total.Float(), used.Float()
	m["master/"+name+"_percent"] = 0
	if total > 0 {
		m["master/"+name+"_percent"] = used.Float() / total.Float()
	}
}
