package agent

import (
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// counts is what has happened so far and what there is.
type counts struct {
	tasks     [mesos.TaskState_TASK_UNKNOWN + 1]int64 // terminal states: so far; others: now
	executors [ExecutorTerminated + 1]int64           // ended ones: so far; others: now

	validUpdates         int64
	invalidMessages      int64
	launchErrors         int64
	destroyErrors        int64
	recoveryErrors       int64
	removalsFailed       int64
	removalsSucceeded    int64
	recoverySeconds      float64
	frameworks, removals int64 // now
}

// Metrics returns what Mesos's agent counts, by Mesos's names, at a moment.
func (s *State) Metrics(now time.Time) map[string]float64 {
	c := &s.counts
	m := map[string]float64{
		"slave/registered":                             flag(s.Registered),
		"slave/uptime_secs":                            now.Sub(s.Started).Seconds(),
		"slave/recovery_errors":                        float64(c.recoveryErrors),
		"slave/recovery_time_secs":                     c.recoverySeconds,
		"slave/frameworks_active":                      float64(c.frameworks),
		"slave/executors_registering":                  float64(c.executors[ExecutorRegistering]),
		"slave/executors_running":                      float64(c.executors[ExecutorRunning]),
		"slave/executors_terminating":                  float64(c.executors[ExecutorTerminating]),
		"slave/executors_terminated":                   float64(c.executors[ExecutorTerminated]),
		"slave/executors_preempted":                    0,
		"slave/container_launch_errors":                float64(c.launchErrors),
		"containerizer/mesos/container_destroy_errors": float64(c.destroyErrors),
		"slave/valid_status_updates":                   float64(c.validUpdates),
		"slave/invalid_status_updates":                 0, // the agent makes all updates itself
		// No executor of ours exchanges messages with its scheduler, so none was ever valid.
		"slave/valid_framework_messages":                0,
		"slave/invalid_framework_messages":              float64(c.invalidMessages),
		"slave/executor_directory_max_allowed_age_secs": s.GCDelay.Seconds(),
		"gc/path_removals_pending":                      float64(c.removals),
		"gc/path_removals_failed":                       float64(c.removalsFailed),
		"gc/path_removals_succeeded":                    float64(c.removalsSucceeded),
	}
	for name, state := range map[string]mesos.TaskState{
		"staging": mesos.TaskState_TASK_STAGING, "starting": mesos.TaskState_TASK_STARTING,
		"running": mesos.TaskState_TASK_RUNNING, "killing": mesos.TaskState_TASK_KILLING,
		"finished": mesos.TaskState_TASK_FINISHED, "failed": mesos.TaskState_TASK_FAILED,
		"killed": mesos.TaskState_TASK_KILLED, "lost": mesos.TaskState_TASK_LOST,
		"gone": mesos.TaskState_TASK_GONE,
	} {
		m["slave/tasks_"+name] = float64(c.tasks[state])
	}
	s.addResources(m)
	return m
}

func (s *State) addResources(m map[string]float64) {
	for _, name := range []string{"cpus", "gpus", "mem", "disk"} {
		for kind, keep := range map[string]func(resource.Resources) resource.Resources{
			"": resource.Resources.NonRevocable, "revocable_": resource.Resources.Revocable,
		} {
			total, used := keep(s.Total).Amount(name).Float(), keep(s.Used).Amount(name).Float()
			prefix := "slave/" + name + "_" + kind
			m[prefix+"total"], m[prefix+"used"], m[prefix+"percent"] = total, used, 0
			if total > 0 {
				m[prefix+"percent"] = used / total
			}
		}
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
