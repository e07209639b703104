package master

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// checkCommand checks a command's environment.
func checkCommand(c *mesos.CommandInfo) error {
	for _, v := range c.GetEnvironment().GetVariables() {
		name := v.GetName()
		switch v.GetType() {
		case mesos.Environment_Variable_VALUE:
			if v.GetSecret() != nil {
				return mesosErrorf("Environment variable '%s' of type 'VALUE' must not have a secret set", name)
			}
			if v.Value == nil {
				return mesosErrorf("Environment variable '%s' of type 'VALUE' must have a value set", name)
			}
		case mesos.Environment_Variable_SECRET:
			if v.Value != nil {
				return mesosErrorf("Environment variable '%s' of type 'SECRET' must not have a value set", name)
			}
			if err := checkSecret(v.GetSecret()); err != nil {
				return mesosErrorf("Environment variable '%s' specifies an invalid secret: %w", name, err)
			}
		default:
			return mesosErrorf("Environment variable '%s' of type 'UNKNOWN' is not allowed", name)
		}
	}
	return nil
}

func checkSecret(s *mesos.Secret) error {
	switch s.GetType() {
	case mesos.Secret_REFERENCE:
		if s.GetReference() == nil || s.GetValue() != nil {
			return mesosErrorf("Secret of type REFERENCE must have the 'reference' field alone set")
		}
	case mesos.Secret_VALUE:
		if s.GetValue() == nil || s.GetReference() != nil {
			return mesosErrorf("Secret of type VALUE must have the 'value' field alone set")
		}
		if slices.Contains(s.GetValue().GetData(), 0) {
			return mesosErrorf("Secret contains a zero byte")
		}
	default:
		return mesosErrorf("Secret type is not known")
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
			return mesosErrorf("Only one of them should be set: 'host_path', 'image' and 'source'")
		}
		if v.GetSource() != nil {
			if err := checkVolumeSource(v.GetSource()); err != nil {
				return err
			}
		}
	}
	for _, p := range c.GetDocker().GetParameters() {
		if p.GetKey() == "name" {
			return mesosErrorf("Parameter in DockerInfo must not be 'name'")
		}
	}
	if c.GetType() == mesos.ContainerInfo_DOCKER && c.GetDocker() == nil {
		return mesosErrorf("DockerInfo must be set for a container of type DOCKER")
	}
	return checkRlimits(c.GetRlimitInfo())
}

// checkRlimits checks that each limit is named once, and has two values in their order, or none.
func checkRlimits(info *mesos.RLimitInfo) error {
	named := map[mesos.RLimitInfo_RLimit_Type]bool{}
	for _, l := range info.GetRlimits() {
		switch {
		case l.GetType() == mesos.RLimitInfo_RLimit_UNKNOWN:
			return errors.New("'rlimit_info' has a limit without a type, or of one that is unknown")
		case named[l.GetType()]:
			return fmt.Errorf("'rlimit_info' names %s twice", l.GetType())
		case (l.Soft == nil) != (l.Hard == nil):
			return fmt.Errorf("'rlimit_info' sets one of 'soft' and 'hard' for %s; set both, or none for no limit", l.GetType())
		case l.GetSoft() > l.GetHard():
			return fmt.Errorf("'rlimit_info' has a soft limit of %d above the hard one of %d for %s", l.GetSoft(), l.GetHard(), l.GetType())
		}
		named[l.GetType()] = true
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
			return mesosErrorf("Expecting 'command' to be set for COMMAND health check")
		}
		if err := checkCommand(h.GetCommand()); err != nil {
			return mesosErrorf("Health check's 'CommandInfo' is invalid: %w", err)
		}
	case mesos.HealthCheck_HTTP:
		if h.GetHttp() == nil {
			return mesosErrorf("Expecting 'http' to be set for HTTP health check")
		}
		if s := h.GetHttp().GetScheme(); h.GetHttp().Scheme != nil && s != "http" && s != "https" {
			return mesosErrorf("Unsupported HTTP health check scheme: '%s'", s)
		}
		if h.GetHttp().Path != nil && !strings.HasPrefix(h.GetHttp().GetPath(), "/") {
			return mesosErrorf("The path '%s' of HTTP health check must start with '/'", h.GetHttp().GetPath())
		}
	case mesos.HealthCheck_TCP:
		if h.GetTcp() == nil {
			return mesosErrorf("Expecting 'tcp' to be set for TCP health check")
		}
	default:
		if h.Type == nil {
			return mesosErrorf("HealthCheck must specify 'type'")
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
			return mesosErrorf("Expecting 'command' to be set for COMMAND check")
		}
		if err := checkCommand(c.GetCommand().GetCommand()); err != nil {
			return mesosErrorf("Check's 'CommandInfo' is invalid: %w", err)
		}
	case mesos.CheckInfo_HTTP:
		if c.GetHttp() == nil {
			return mesosErrorf("Expecting 'http' to be set for HTTP check")
		}
		if c.GetHttp().Path != nil && !strings.HasPrefix(c.GetHttp().GetPath(), "/") {
			return mesosErrorf("The path '%s' of HTTP check must start with '/'", c.GetHttp().GetPath())
		}
	case mesos.CheckInfo_TCP:
		if c.GetTcp() == nil {
			return mesosErrorf("Expecting 'tcp' to be set for TCP check")
		}
	default:
		if c.Type == nil {
			return mesosErrorf("CheckInfo must specify 'type'")
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
			return mesosErrorf("Expecting '%s' of %s to be non-negative", v.name, of)
		}
	}
	return nil
}
