package master

import (
	"errors"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// checkExecutor checks a task's executor, and returns what both need together.
func (x *acceptance) checkExecutor(e *mesos.ExecutorInfo, need resource.Resources) (resource.Resources, error) {
	if err := x.checkExecutorParts(e); err != nil {
		return need, err
	}
	own, err := x.resourcesOf(e.GetResources())
	if err != nil {
		return need, mesosErrorf("Executor uses invalid resources: %w", err)
	}
	for r := range own.All() {
		for t := range need.All() {
			if r.Name == t.Name && r.Revocable != t.Revocable {
				return need, mesosErrorf("Task (and its executor, if exists) uses both revocable and non-revocable %s", r.Name)
			}
		}
	}
	return need.Add(own)
}

func (x *acceptance) checkExecutorParts(e *mesos.ExecutorInfo) error {
	if err := validateID(e.GetExecutorId().GetValue()); err != nil {
		return err
	}
	if id := e.GetFrameworkId().GetValue(); e.GetFrameworkId() != nil && id != x.f.ID {
		return mesosErrorf("ExecutorInfo has an invalid FrameworkID (Actual: %s vs Expected: %s)", id, x.f.ID)
	}
	if e.GetShutdownGracePeriod().GetNanoseconds() < 0 {
		return mesosErrorf("ExecutorInfo's 'shutdown_grace_period' must be non-negative")
	}
	switch e.GetType() {
	case mesos.ExecutorInfo_DEFAULT:
		switch {
		case e.GetCommand() != nil:
			return errors.New("'ExecutorInfo.command' must not be set for 'DEFAULT' executor")
		case e.GetContainer() != nil && e.GetContainer().GetType() != mesos.ContainerInfo_MESOS:
			return errors.New("'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor")
		case e.GetContainer().GetMesos().GetImage() != nil:
			return errors.New("'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor")
		}
	default:
		if e.GetCommand() == nil {
			return errors.New("'ExecutorInfo.command' must be set for 'CUSTOM' executor")
		}
		return checkCommand(e.GetCommand())
	}
	return nil
}

// Least resources of a task group's executor.
const (
	minCPUs = resource.Scalar(10)     // 0.01
	minMem  = resource.Scalar(32_000) // MB
)

// checkGroup says what is wrong with a LAUNCH_GROUP.
func (x *acceptance) checkGroup(op *mesos.Offer_Operation) error {
	if op.GetId() != nil {
		return mesosErrorf("Operation id cannot be set on LAUNCH_GROUP: its outcome is told by task statuses")
	}
	e := op.GetLaunchGroup().GetExecutor()
	if e.GetType() == mesos.ExecutorInfo_UNKNOWN {
		return errors.New("'ExecutorInfo.type' must be set")
	}
	if err := x.checkExecutorParts(e); err != nil {
		return err
	}
	own, err := x.resourcesOf(e.GetResources())
	switch {
	case err != nil:
		return err
	case own.Amount("cpus") < minCPUs:
		return mesosErrorf("Executor uses less CPUs (or none) than the minimum required (0.01)")
	case own.Amount("mem") < minMem:
		return mesosErrorf("Executor uses less memory (or none) than the minimum required (32MB)")
	case own.Amount("disk") == 0:
		return mesosErrorf("Executor uses no disk")
	}
	total := own
	for _, t := range op.GetLaunchGroup().GetTaskGroup().GetTasks() {
		need, err := x.checkGrouped(t)
		if err != nil {
			return mesosErrorf("Task '%s' is invalid: %w", t.GetTaskId().GetValue(), err)
		}
		if total, err = total.Add(need); err != nil {
			return err
		}
	}
	if !x.left.Contains(total) {
		return mesosErrorf("Total resources %s required by task group and its executor are more than available %s", total, x.left)
	}
	return nil
}

// checkGrouped says what is wrong with one task of a group.
func (x *acceptance) checkGrouped(t *mesos.TaskInfo) (resource.Resources, error) {
	var none resource.Resources
	if err := validateID(t.GetTaskId().GetValue()); err != nil {
		return none, err
	}
	if err := x.checkUnique(t.GetTaskId().GetValue()); err != nil {
		return none, err
	}
	switch {
	case t.GetAgentId().GetValue() != x.agent.ID:
		return none, mesosErrorf("Task uses invalid agent %s while agent %s is expected", t.GetAgentId().GetValue(), x.agent.ID)
	case t.GetExecutor() != nil:
		return none, errors.New("'TaskInfo.executor' must not be set")
	case t.GetContainer().GetType() == mesos.ContainerInfo_DOCKER && t.GetContainer() != nil:
		return none, mesosErrorf("Docker ContainerInfo is not supported on the task")
	}
	if err := checkTaskParts(t); err != nil {
		return none, err
	}
	if err := x.checkLimits(t, true); err != nil {
		return none, err
	}
	return x.resourcesOf(t.GetResources())
}
