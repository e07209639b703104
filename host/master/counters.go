package master

import (
	"maps"
	"strings"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// counter is one of the master's fixed counters.
type counter int

// The fixed counters; counterNames has what Mesos calls them.
const (
	countDroppedMessages counter = iota
	countInvalidExecutorMessages
	countInvalidFrameworkMessages
	countInvalidOperationAcks
	countInvalidOperationUpdates
	countInvalidAcks
	countInvalidUpdates
	countDeclineOffers
	countExecutorMessages
	countExitedExecutor
	countFrameworkMessages
	countKillTask
	countLaunchTasks
	countOperationUpdates
	countOperationAcks
	countReconcileOperations
	countReconcileTasks
	countRegisterFramework
	countRegisterAgent
	countReregisterFramework
	countReregisterAgent
	countResourceRequest
	countReviveOffers
	countStatusUpdates
	countAcks
	countSuppressOffers
	countUnregisterFramework
	countUnregisterAgent
	countUpdateAgent
	countRecoveryRemovals
	countAgentRegistrations
	countAgentReregistrations
	countAgentRemovals
	countRemovedRegistered
	countRemovedUnhealthy
	countRemovedUnregistered
	countUnreachableScheduled
	countUnreachableCompleted
	countUnreachableCanceled
	countTasksDropped
	countTasksError
	countTasksFailed
	countTasksFinished
	countTasksGone
	countTasksGoneByOperator
	countTasksKilled
	countTasksLost
	countValidExecutorMessages
	countValidFrameworkMessages
	countValidOperationAcks
	countValidOperationUpdates
	countValidAcks
	countValidUpdates
	counters
)

var counterNames = [counters]string{
	countDroppedMessages:          "dropped_messages",
	countInvalidExecutorMessages:  "invalid_executor_to_framework_messages",
	countInvalidFrameworkMessages: "invalid_framework_to_executor_messages",
	countInvalidOperationAcks:     "invalid_operation_status_update_acknowledgements",
	countInvalidOperationUpdates:  "invalid_operation_status_updates",
	countInvalidAcks:              "invalid_status_update_acknowledgements",
	countInvalidUpdates:           "invalid_status_updates",
	countDeclineOffers:            "messages_decline_offers",
	countExecutorMessages:         "messages_executor_to_framework",
	countExitedExecutor:           "messages_exited_executor",
	countFrameworkMessages:        "messages_framework_to_executor",
	countKillTask:                 "messages_kill_task",
	countLaunchTasks:              "messages_launch_tasks",
	countOperationUpdates:         "messages_operation_status_update",
	countOperationAcks:            "messages_operation_status_update_acknowledgement",
	countReconcileOperations:      "messages_reconcile_operations",
	countReconcileTasks:           "messages_reconcile_tasks",
	countRegisterFramework:        "messages_register_framework",
	countRegisterAgent:            "messages_register_slave",
	countReregisterFramework:      "messages_reregister_framework",
	countReregisterAgent:          "messages_reregister_slave",
	countResourceRequest:          "messages_resource_request",
	countReviveOffers:             "messages_revive_offers",
	countStatusUpdates:            "messages_status_update",
	countAcks:                     "messages_status_update_acknowledgement",
	countSuppressOffers:           "messages_suppress_offers",
	countUnregisterFramework:      "messages_unregister_framework",
	countUnregisterAgent:          "messages_unregister_slave",
	countUpdateAgent:              "messages_update_slave",
	countRecoveryRemovals:         "recovery_slave_removals",
	countAgentRegistrations:       "slave_registrations",
	countAgentReregistrations:     "slave_reregistrations",
	countAgentRemovals:            "slave_removals",
	countRemovedRegistered:        "slave_removals/reason_registered",
	countRemovedUnhealthy:         "slave_removals/reason_unhealthy",
	countRemovedUnregistered:      "slave_removals/reason_unregistered",
	countUnreachableScheduled:     "slave_unreachable_scheduled",
	countUnreachableCompleted:     "slave_unreachable_completed",
	countUnreachableCanceled:      "slave_unreachable_canceled",
	countTasksDropped:             "tasks_dropped",
	countTasksError:               "tasks_error",
	countTasksFailed:              "tasks_failed",
	countTasksFinished:            "tasks_finished",
	countTasksGone:                "tasks_gone",
	countTasksGoneByOperator:      "tasks_gone_by_operator",
	countTasksKilled:              "tasks_killed",
	countTasksLost:                "tasks_lost",
	countValidExecutorMessages:    "valid_executor_to_framework_messages",
	countValidFrameworkMessages:   "valid_framework_to_executor_messages",
	countValidOperationAcks:       "valid_operation_status_update_acknowledgements",
	countValidOperationUpdates:    "valid_operation_status_updates",
	countValidAcks:                "valid_status_update_acknowledgements",
	countValidUpdates:             "valid_status_updates",
}

// terminalCounters says which counter counts tasks that ended in a state.
var terminalCounters = map[mesos.TaskState]counter{
	mesos.TaskState_TASK_DROPPED:          countTasksDropped,
	mesos.TaskState_TASK_ERROR:            countTasksError,
	mesos.TaskState_TASK_FAILED:           countTasksFailed,
	mesos.TaskState_TASK_FINISHED:         countTasksFinished,
	mesos.TaskState_TASK_GONE:             countTasksGone,
	mesos.TaskState_TASK_GONE_BY_OPERATOR: countTasksGoneByOperator,
	mesos.TaskState_TASK_KILLED:           countTasksKilled,
	mesos.TaskState_TASK_LOST:             countTasksLost,
}

// Counters count what has happened since the master began.
type Counters struct {
	rev   uint64
	fixed [counters]uint64
	// reasons are those of tasks that ended, by state, source and reason, by Mesos's names.
	reasons map[string]uint64
	// reasonsRev is the revision in which reasons was last copied.
	reasonsRev uint64
}

// Get returns a counter by Mesos's name without "master/", and 0 for one that has not counted yet.
func (c *Counters) Get(name string) uint64 {
	for i, n := range counterNames {
		if n == name {
			return c.fixed[i]
		}
	}
	return c.reasons[name]
}

// addReason counts a task that ended, by the status that told of it.
func (c *Counters) addReason(rev uint64, s *mesos.TaskStatus) {
	if c.reasonsRev != rev {
		c.reasons, c.reasonsRev = maps.Clone(c.reasons), rev
	}
	if c.reasons == nil {
		c.reasons = map[string]uint64{}
	}
	c.reasons[reasonName(s)]++
}

// reasonName is the counter's name: task_lost/source_slave/reason_slave_removed. Where the wire says agent,
// Mesos's metrics say slave.
func reasonName(s *mesos.TaskStatus) string {
	name := strings.ToLower(s.GetState().String() + "/" + s.GetSource().String() + "/" + s.GetReason().String())
	return strings.ReplaceAll(name, "agent", "slave")
}
