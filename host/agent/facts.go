package agent

import (
	"errors"
	"fmt"
	"strings"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// readFacts takes out of a TaskInfo what the agent works with. An error says why the agent cannot run the task; what
// could be read is returned with it.
func readFacts(ti *mesos.TaskInfo) (facts, error) {
	f := facts{
		name: ti.GetName(), executorName: executorName(ti), labels: ti.GetLabels(), killGrace: -1, completion: -1,
	}
	if g := ti.GetKillPolicy().GetGracePeriod(); g != nil {
		f.killGrace = max(time.Duration(g.GetNanoseconds()), 0)
	}
	if c := ti.GetMaxCompletionTime(); c != nil {
		f.completion = max(time.Duration(c.GetNanoseconds()), 0)
	}
	res, err := wire.FromMesos(ti.GetResources())
	if err != nil {
		return f, err
	}
	f.resources = res
	for r := range res.All() {
		f.role = r.Role
		break
	}
	if _, err := wire.LimitsFromMesos(ti.GetLimits()); err != nil {
		return f, err
	}
	return f, unsupported(ti)
}

// unsupported names the first thing a task asks for that this agent cannot do. To run the task without it would be
// worse than not to run it.
func unsupported(ti *mesos.TaskInfo) error {
	c := ti.GetContainer()
	switch {
	case ti.GetExecutor() != nil:
		return errors.New("this agent runs command tasks only: the task has an executor")
	case ti.GetCommand() == nil:
		return errors.New("the task has no command")
	case ti.GetHealthCheck() != nil:
		return errors.New("this agent has no health checks: the task has a health_check")
	case ti.GetCheck() != nil:
		return errors.New("this agent has no checks: the task has a check")
	case c == nil:
	case c.GetType() == mesos.ContainerInfo_DOCKER:
		return errors.New("this agent has no Docker containers: container.type is DOCKER")
	case c.GetMesos().GetImage() != nil:
		return errors.New("this agent has no images: container.mesos.image is set")
	case len(c.GetVolumes()) > 0:
		return errors.New("this agent has no volumes: container.volumes is set")
	case len(c.GetNetworkInfos()) > 0:
		return errors.New("this agent has no container networks: container.network_infos is set")
	case c.GetLinuxInfo() != nil, c.GetTtyInfo() != nil, c.Hostname != nil:
		return errors.New("this agent knows no linux_info, tty_info and hostname of a container")
	}
	for _, v := range ti.GetCommand().GetEnvironment().GetVariables() {
		if v.GetType() == mesos.Environment_Variable_SECRET {
			return fmt.Errorf("this agent has no secrets: environment variable %s is one", v.GetName())
		}
	}
	for _, r := range ti.GetResources() {
		if r.GetDisk() != nil {
			return errors.New("this agent has no persistent volumes: a disk resource asks for one")
		}
	}
	return nil
}

// executorName is the name that Mesos gives to the executor of a command task, the command cut to 15 characters.
func executorName(ti *mesos.TaskInfo) string {
	name := "Command Executor (Task: " + ti.GetTaskId().GetValue() + ") "
	c := ti.GetCommand()
	switch {
	case c == nil, c.Value == nil && c.GetShell():
		return name + "(Command: NO COMMAND)"
	case c.Value == nil:
		return name + "(Command: NO EXECUTABLE)"
	case c.GetShell():
		return name + "(Command: sh -c '" + abridge(c.GetValue()) + "')"
	}
	return name + "(Command: [" + abridge(c.GetValue()+", "+strings.Join(c.GetArguments(), ", ")) + "])"
}

func abridge(s string) string {
	const limit, dots = 15, "..."
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit-len(dots)], "") + dots
}

// executorResources is what Mesos's command executor has of its own. Here nobody is charged for it.
func executorResources(role string) resource.Resources {
	r, err := resource.New(
		resource.Resource{Name: "cpus", Scalar: 100},
		resource.Resource{Name: "mem", Scalar: 32_000},
	)
	if err != nil {
		panic("agent: " + err.Error()) // constants that make no sense: a bug
	}
	return r.Allocate(role)
}
