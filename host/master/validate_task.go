package master

import (
	"maps"
	"math"
	"slices"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// checkTask says why a task of a LAUNCH is refused, or what it takes of the offers. The texts are Mesos's, and
// so is the order of the checks.
func (x *acceptance) checkTask(op *mesos.Offer_Operation, info *mesos.TaskInfo) (resource.Resources, error) {
	var none resource.Resources
	if op.GetId() != nil {
		return none, mesosErrorf("Operation id cannot be set on LAUNCH: its outcome is told by task statuses")
	}
	id := info.GetTaskId().GetValue()
	if err := validateID(id); err != nil {
		return none, err
	}
	if err := x.checkUnique(id); err != nil {
		return none, err
	}
	if agent := info.GetAgentId().GetValue(); agent != x.agent.ID {
		return none, mesosErrorf("Task uses invalid agent %s while agent %s is expected", agent, x.agent.ID)
	}
	if err := checkTaskParts(info); err != nil {
		return none, err
	}
	if err := x.checkLimits(info, false); err != nil {
		return none, err
	}
	if (info.GetCommand() == nil) == (info.GetExecutor() == nil) {
		return none, mesosErrorf("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present")
	}
	need, err := x.resourcesOf(info.GetResources())
	if err != nil {
		return none, err
	}
	if need.IsEmpty() {
		return none, mesosErrorf("Task uses no resources")
	}
	all := need
	if info.GetExecutor() != nil {
		if all, err = x.checkExecutor(info.GetExecutor(), need); err != nil {
			return none, err
		}
	}
	if !x.left.Contains(all) {
		return none, mesosErrorf("Total resources %s required by task and its executor is more than available %s", all, x.left)
	}
	if info.GetExecutor() != nil {
		return none, mesosErrorf("Task uses an executor, which agents of this release do not run: use a CommandInfo")
	}
	return need, nil
}

// checkUnique refuses an id that another of the framework's tasks has which has not been completed.
func (x *acceptance) checkUnique(id string) error {
	key := taskKey(x.f.ID, id)
	if _, found := x.m.s.tasks.get(key); found {
		return mesosErrorf("Task has duplicate ID: %s", id)
	}
	if _, found := x.m.s.unreachT.get(key); found {
		return mesosErrorf("Task reuses the ID of an unreachable task: %s", id)
	}
	return nil
}

// resourcesOf reads a task's resources, with the role they are allocated to. Scalars of 0, which clients send,
// are nothing.
func (x *acceptance) resourcesOf(in []*mesos.Resource) (resource.Resources, error) {
	var none resource.Resources
	in = slices.DeleteFunc(slices.Clone(in), func(r *mesos.Resource) bool {
		return r.GetType() == mesos.Value_SCALAR && r.GetScalar() != nil && r.GetScalar().GetValue() == 0
	})
	out, err := wire.FromMesos(in)
	if err != nil {
		return none, err
	}
	seen := map[string]bool{}
	for r := range out.All() {
		switch {
		case r.Role != "" && r.Role != x.role:
			return none, mesosErrorf("Resources must be allocated to the role '%s' of the offer, not to '%s'", x.role, r.Role)
		case r.IsPersistentVolume() && !r.Shared && seen[r.Disk.Persistence.ID]:
			return none, mesosErrorf("Task uses duplicate persistence ID %s", r.Disk.Persistence.ID)
		}
		if r.IsPersistentVolume() {
			seen[r.Disk.Persistence.ID] = true
		}
	}
	return out.Allocate(x.role), nil
}

// checkTaskParts checks those parts of a task that need nothing else to be judged.
func checkTaskParts(info *mesos.TaskInfo) error {
	if g := info.GetKillPolicy().GetGracePeriod(); g.GetNanoseconds() < 0 {
		return mesosErrorf("Task's 'kill_policy.grace_period' must be non-negative")
	}
	if info.GetMaxCompletionTime().GetNanoseconds() < 0 {
		return mesosErrorf("Task's 'max_completion_time' must be non-negative")
	}
	if info.GetCheck() != nil {
		if err := checkCheck(info.GetCheck()); err != nil {
			return mesosErrorf("Task uses invalid check: %w", err)
		}
	}
	if info.GetHealthCheck() != nil {
		if err := checkHealthCheck(info.GetHealthCheck()); err != nil {
			return mesosErrorf("Task uses invalid health check: %w", err)
		}
	}
	if info.GetCommand() != nil {
		if err := checkCommand(info.GetCommand()); err != nil {
			return mesosErrorf("Task's 'CommandInfo' is invalid: %w", err)
		}
	}
	if info.GetContainer() != nil {
		if err := checkContainer(info.GetContainer()); err != nil {
			return mesosErrorf("Task's 'ContainerInfo' is invalid: %w", err)
		}
	}
	return nil
}

// checkLimits checks what a task may use at most: cpus and mem only, each with a request that it covers.
func (x *acceptance) checkLimits(info *mesos.TaskInfo, grouped bool) error {
	if len(info.GetLimits()) == 0 {
		return nil
	}
	if !slices.Contains(x.agent.Capabilities, mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS) {
		return mesosErrorf("Agent %s does not support resource limits", x.agent.ID)
	}
	if grouped && info.GetContainer().GetLinuxInfo().GetShareCgroups() {
		return mesosErrorf("Resource limits may only be set for tasks within a task group when 'share_cgroups' is false")
	}
	for _, name := range slices.Sorted(maps.Keys(info.GetLimits())) {
		limit := info.GetLimits()[name].GetValue()
		request, asked := requestOf(info, name)
		switch {
		case name != "cpus" && name != "mem":
			return mesosErrorf("Resource limits are only supported for 'cpus' and 'mem', not for '%s'", name)
		case math.IsNaN(limit):
			return mesosErrorf("The limit of '%s' is not a number", name)
		case !asked:
			return mesosErrorf("When the limit of '%s' is set, so must be a request", name)
		case limit < request:
			return mesosErrorf("The limit of '%s', %v, is less than the request, %v", name, limit, request)
		}
	}
	return nil
}

// requestOf is how much of a scalar resource a task asks for.
func requestOf(info *mesos.TaskInfo, name string) (sum float64, asked bool) {
	for _, r := range info.GetResources() {
		if r.GetName() == name {
			sum, asked = sum+r.GetScalar().GetValue(), true
		}
	}
	return sum, asked
}
