package containerizer

import (
	"strconv"
	"time"
)

// DefaultPath is the PATH of a container whose command and site set none.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Surroundings is what containers are told about their agent.
type Surroundings struct {
	// Endpoint is the agent's address, ip:port. Empty leaves out the variables that carry it.
	Endpoint string
	// RecoveryTimeout and SubscriptionBackoffMax are told to those that checkpoint.
	RecoveryTimeout        time.Duration
	SubscriptionBackoffMax time.Duration
	// Executor is executor_environment_variables: what the site gives to every container.
	Executor []Variable
}

// Environment is the whole environment of a container's command, as Mesos gives it: what the site sets, what
// Mesos says about the container, what isolators ask for, and what the task sets, each before what may replace
// it. Nothing of the agent's own environment is in it, but for PATH there is a default.
func Environment(around Surroundings, s Spec, isolators []string) []string {
	e := environment{index: map[string]int{}}
	for _, v := range around.Executor {
		e.set(v.Name, v.Value)
	}
	e.setMesos(around, s)
	for _, v := range isolators {
		name, value := cutVariable(v)
		e.set(name, value)
	}
	for _, v := range s.Command.Environment {
		e.set(v.Name, v.Value)
	}
	if _, ok := e.index["PATH"]; !ok {
		e.set("PATH", DefaultPath)
	}
	return e.list
}

// environment is variables in the order in which they were first set.
type environment struct {
	list  []string
	index map[string]int
}

func (e *environment) set(name, value string) {
	if name == "" {
		return
	}
	if i, ok := e.index[name]; ok {
		e.list[i] = name + "=" + value
		return
	}
	e.index[name] = len(e.list)
	e.list = append(e.list, name+"="+value)
}

func (e *environment) setMesos(around Surroundings, s Spec) {
	e.set("MESOS_FRAMEWORK_ID", s.Framework)
	e.set("MESOS_EXECUTOR_ID", s.Executor)
	e.set("MESOS_SLAVE_ID", s.Agent)
	if around.Endpoint != "" {
		e.set("MESOS_SLAVE_PID", "slave(1)@"+around.Endpoint)
		e.set("MESOS_AGENT_ENDPOINT", around.Endpoint)
	}
	e.set("MESOS_DIRECTORY", s.Sandbox)
	e.set("MESOS_SANDBOX", s.Sandbox)
	e.set("MESOS_CHECKPOINT", bit(s.Checkpoint))
	e.set("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", duration(s.ShutdownGrace))
	e.set("MESOS_HTTP_COMMAND_EXECUTOR", "0")
	e.set("LIBPROCESS_PORT", "0")
	if s.Checkpoint {
		e.set("MESOS_RECOVERY_TIMEOUT", duration(around.RecoveryTimeout))
		e.set("MESOS_SUBSCRIPTION_BACKOFF_MAX", duration(around.SubscriptionBackoffMax))
	}
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// duration writes a duration as Mesos does: in the largest unit of which it is a whole or decimal number of at
// least one.
func duration(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{
		{"weeks", 7 * 24 * time.Hour},
		{"days", 24 * time.Hour},
		{"hrs", time.Hour},
		{"mins", time.Minute},
		{"secs", time.Second},
		{"ms", time.Millisecond},
		{"us", time.Microsecond},
	}
	for _, u := range units {
		if d >= u.size {
			return strconv.FormatFloat(float64(d)/float64(u.size), 'g', -1, 64) + u.name
		}
	}
	return strconv.FormatInt(int64(d), 10) + "ns"
}

func cutVariable(v string) (name, value string) {
	for i := range len(v) {
		if v[i] == '=' {
			return v[:i], v[i+1:]
		}
	}
	return v, ""
}
