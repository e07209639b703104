package master

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// checkCommand checks a command's environment.
func checkCommand(c *mesos.CommandInfo) error {
	for _, v := range c.GetEnvironment().GetVariables() {
		name := v.GetName()
		switch v.GetType() {
		case mesos.Environment_Variable_VALUE:
			if v.GetSecret() != nil {
				return fmt.Errorf("Environment variable '%s' of type 'VALUE' must not have a secret set", name) //nolint:staticcheck // Mesos's words
			}
			if v.Value == nil {
				return fmt.Errorf("Environment variable '%s' of type 'VALUE' must have a value set", name) //nolint:staticcheck // as above
			}
		case mesos.Environment_Variable_SECRET:
			if v.Value != nil {
				return fmt.Errorf("Environment variable '%s' of type 'SECRET' must not have a value set", name) //nolint:staticcheck // as above
			}
			if err := checkSecret(v.GetSecret()); err != nil {
				return fmt.Errorf("Environment variable '%s' specifies an invalid secret: %w", name, err) //nolint:staticcheck // as above
			}
		default:
			return fmt.Errorf("Environment variable '%s' of type 'UNKNOWN' is not allowed", name) //nolint:staticcheck // as above
		}
	}
	return nil
}

func checkSecret(s *mesos.Secret) error {
	switch s.GetType() {
	case mesos.Secret_REFERENCE:
		if s.GetReference() == nil || s.GetValue() != nil {
			return errors.New("Secret of type REFERENCE must have the 'reference' field alone set") //nolint:staticcheck // Mesos's words
		}
	case mesos.Secret_VALUE:
		if s.GetValue() == nil || s.GetReference() != nil {
			return errors.New("Secret of type VALUE must have the 'value' field alone set") //nolint:staticcheck // as above
		}
		if slices.Contains(s.GetValue().GetData(), 0) {
			return errors.New("Secret contains a zero byte")
		}
	default:
		return errors.New("Secret type is not known") //nolint:staticcheck // as above
	}
	return nil
}

// checkContainer checks a container's volumes and parameters.
func checkContainer(c *mesos.ContainerInfo) error {
	for _, v := range c.GetVolumes() {
		sources := 0
		for _, set := range []bool{v.HostPath != nil, v.GetImage() != nil, v.GetSource() != nil} {
			if set {
				sources++
			}
		}
		if sources != 1 {
			return errors.New("Only one of them should be set: 'host_path', 'image' and 'source'") //nolint:staticcheck // Mesos's words
		}
		if v.GetSource() != nil {
			if err := checkVolumeSource(v.GetSource()); err != nil {
				return err
			}
		}
	}
	for _, p := range c.GetDocker().GetParameters() {
		if p.GetKey() == "name" {
			return errors.New("Parameter in DockerInfo must not be 'name'") //nolint:staticcheck // as above
		}
	}
	if c.GetType() == mesos.ContainerInfo_DOCKER && c.GetDocker() == nil {
		return errors.New("DockerInfo must be set for a container of type DOCKER") //nolint:staticcheck // as above
	}
	return nil
}

// checkVolumeSource checks that the part is there that the type asks for.
func checkVolumeSource(s *mesos.Volume_Source) error {
	var set bool
	switch s.GetType() {
	case mesos.Volume_Source_DOCKER_VOLUME:
		set = s.GetDockerVolume() != nil
	case mesos.Volume_Source_HOST_PATH:
		set = s.GetHostPath() != nil
	case mesos.Volume_Source_SANDBOX_PATH:
		set = s.GetSandboxPath() != nil
	case mesos.Volume_Source_SECRET:
		set = s.GetSecret() != nil
	case mesos.Volume_Source_CSI_VOLUME:
		set = s.GetCsiVolume() != nil
	default:
		return errors.New("'source.type' is unknown")
	}
	if !set {
		return fmt.Errorf("'source.%s' is not set for a volume of that type", strings.ToLower(s.GetType().String()))
	}
	return nil
}

// checkHealthCheck checks a health check's type and numbers.
func checkHealthCheck(h *mesos.HealthCheck) error {
	switch h.GetType() {
	case mesos.HealthCheck_COMMAND:
		if h.GetCommand() == nil {
			return errors.New("Expecting 'command' to be set for COMMAND health check") //nolint:staticcheck // Mesos's words
		}
		if err := checkCommand(h.GetCommand()); err != nil {
			return fmt.Errorf("Health check's 'CommandInfo' is invalid: %w", err) //nolint:staticcheck // as above
		}
	case mesos.HealthCheck_HTTP:
		if h.GetHttp() == nil {
			return errors.New("Expecting 'http' to be set for HTTP health check") //nolint:staticcheck // as above
		}
		if s := h.GetHttp().GetScheme(); h.GetHttp().Scheme != nil && s != "http" && s != "https" {
			return fmt.Errorf("Unsupported HTTP health check scheme: '%s'", s) //nolint:staticcheck // as above
		}
		if h.GetHttp().Path != nil && !strings.HasPrefix(h.GetHttp().GetPath(), "/") {
			return fmt.Errorf("The path '%s' of HTTP health check must start with '/'", h.GetHttp().GetPath()) //nolint:staticcheck // as above
		}
	case mesos.HealthCheck_TCP:
		if h.GetTcp() == nil {
			return errors.New("Expecting 'tcp' to be set for TCP health check") //nolint:staticcheck // as above
		}
	default:
		if h.Type == nil {
			return errors.New("HealthCheck must specify 'type'") //nolint:staticcheck // as above
		}
		return errors.New("'UNKNOWN' is not a valid health check type")
	}
	return nonNegative("HealthCheck", []named{
		{"delay_seconds", h.GetDelaySeconds()},
		{"grace_period_seconds", h.GetGracePeriodSeconds()},
		{"interval_seconds", h.GetIntervalSeconds()},
		{"timeout_seconds", h.GetTimeoutSeconds()},
	})
}

// checkCheck checks a check's type and numbers.
func checkCheck(c *mesos.CheckInfo) error {
	switch c.GetType() {
	case mesos.CheckInfo_COMMAND:
		if c.GetCommand() == nil {
			return errors.New("Expecting 'command' to be set for COMMAND check") //nolint:staticcheck // Mesos's words
		}
		if err := checkCommand(c.GetCommand().GetCommand()); err != nil {
			return fmt.Errorf("Check's 'CommandInfo' is invalid: %w", err) //nolint:staticcheck // as above
		}
	case mesos.CheckInfo_HTTP:
		if c.GetHttp() == nil {
			return errors.New("Expecting 'http' to be set for HTTP check") //nolint:staticcheck // as above
		}
		if c.GetHttp().Path != nil && !strings.HasPrefix(c.GetHttp().GetPath(), "/") {
			return fmt.Errorf("The path '%s' of HTTP check must start with '/'", c.GetHttp().GetPath()) //nolint:staticcheck // as above
		}
	case mesos.CheckInfo_TCP:
		if c.GetTcp() == nil {
			return errors.New("Expecting 'tcp' to be set for TCP check") //nolint:staticcheck // as above
		}
	default:
		if c.Type == nil {
			return errors.New("CheckInfo must specify 'type'") //nolint:staticcheck // as above
		}
		return errors.New("'UNKNOWN' is not a valid check type")
	}
	return nonNegative("CheckInfo", []named{
		{"delay_seconds", c.GetDelaySeconds()},
		{"interval_seconds", c.GetIntervalSeconds()},
		{"timeout_seconds", c.GetTimeoutSeconds()},
	})
}

type named struct {
	name  string
	value float64
}

func nonNegative(of string, values []named) error {
	for _, v := range values {
		if v.value < 0 || math.IsNaN(v.value) {
			return fmt.Errorf("Expecting '%s' of %s to be non-negative", v.name, of) //nolint:staticcheck // Mesos's words
		}
	}
	return nil
}

// checkExecutor checks a task's executor, and returns what both need together.
func (x *acceptance) checkExecutor(e *mesos.ExecutorInfo, need resource.Resources) (resource.Resources, error) {
	if err := x.checkExecutorParts(e); err != nil {
		return need, err
	}
	own, err := x.resourcesOf(e.GetResources())
	if err != nil {
		return need, fmt.Errorf("Executor uses invalid resources: %w", err) //nolint:staticcheck // Mesos's words
	}
	for r := range own.All() {
		for t := range need.All() {
			if r.Name == t.Name && r.Revocable != t.Revocable {
				return need, fmt.Errorf("Task (and its executor, if exists) uses both revocable and non-revocable %s", r.Name) //nolint:staticcheck // as above
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
		return fmt.Errorf("ExecutorInfo has an invalid FrameworkID (Actual: %s vs Expected: %s)", id, x.f.ID) //nolint:staticcheck // Mesos's words
	}
	if e.GetShutdownGracePeriod().GetNanoseconds() < 0 {
		return errors.New("ExecutorInfo's 'shutdown_grace_period' must be non-negative") //nolint:staticcheck // as above
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
		return errors.New("Operation id cannot be set on LAUNCH_GROUP: its outcome is told by task statuses") //nolint:staticcheck // shown beside Mesos's own
	}
	e := op.GetLaunchGroup().GetExecutor()
	if e.Type == nil || e.GetType() == mesos.ExecutorInfo_UNKNOWN {
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
		return errors.New("Executor uses less CPUs (or none) than the minimum required (0.01)") //nolint:staticcheck // as Mesos's
	case own.Amount("mem") < minMem:
		return errors.New("Executor uses less memory (or none) than the minimum required (32MB)") //nolint:staticcheck // as Mesos's
	case own.Amount("disk") == 0:
		return errors.New("Executor uses no disk")
	}
	total := own
	for _, t := range op.GetLaunchGroup().GetTaskGroup().GetTasks() {
		need, err := x.checkGrouped(t)
		if err != nil {
			return fmt.Errorf("Task '%s' is invalid: %w", t.GetTaskId().GetValue(), err) //nolint:staticcheck // as Mesos's
		}
		if total, err = total.Add(need); err != nil {
			return err
		}
	}
	if !x.left.Contains(total) {
		return fmt.Errorf("Total resources %s required by task group and its executor are more than available %s", total, x.left) //nolint:staticcheck // as Mesos's
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
		return none, fmt.Errorf("Task uses invalid agent %s while agent %s is expected", t.GetAgentId().GetValue(), x.agent.ID) //nolint:staticcheck // Mesos's words
	case t.GetExecutor() != nil:
		return none, errors.New("'TaskInfo.executor' must not be set")
	case t.GetContainer().GetType() == mesos.ContainerInfo_DOCKER && t.GetContainer() != nil:
		return none, errors.New("Docker ContainerInfo is not supported on the task") //nolint:staticcheck // as above
	}
	if err := checkTaskParts(t); err != nil {
		return none, err
	}
	if err := x.checkLimits(t, true); err != nil {
		return none, err
	}
	return x.resourcesOf(t.GetResources())
}
