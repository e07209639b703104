package agent

import (
	"math/rand/v2"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Config is what an Agent is told of itself. It is not changed once handed over.
type Config struct {
	// Info describes the agent to the master: hostname, port, resources, attributes, domain. It has no id.
	Info *mesos.AgentInfo
	// Resources is the agent's total, the same that Info says.
	Resources resource.Resources
	// Capabilities are told to the master.
	Capabilities []mesos.AgentInfo_Capability_Type
	// Version is the build's, as `mezzo version` prints it.
	Version string
	// Instance is the random id of the work directory.
	Instance string
	// Boot identifies the present run of the machine; empty where the system does not tell.
	Boot string
	// Address is host:port of the agent's HTTP endpoint.
	Address string
	// IP is reported as the address of tasks that share the agent's network.
	IP string
	// WorkDir holds the sandboxes. Absolute.
	WorkDir string
	// Random makes the ids of containers and of status updates.
	Random *rand.Rand
	// SwitchUser lets tasks run as the user they name. Without, all run as the agent's own.
	SwitchUser bool
	// AuthorizeTasks asks, by an Authorize effect, before each task.
	AuthorizeTasks bool
	// KillGrace is how long a task has after SIGTERM if its kill policy does not say. Zero means 3 s.
	KillGrace time.Duration
	// ShutdownGrace is how long a task has after SIGTERM when its executor or framework is shut down. Zero
	// means 5 s, and less than zero no time.
	ShutdownGrace time.Duration
	// GCDelay is how long a sandbox is kept after its task ended. Zero means a week, and less than zero that it is not.
	GCDelay time.Duration
	// CleanupTimeout is how long a task's terminal update waits for the remains of its container to be cleaned
	// up. Zero means 10 s.
	CleanupTimeout time.Duration
}

// What a Config that does not say otherwise means.
const (
	defaultKillGrace      = 3 * time.Second
	defaultShutdownGrace  = 5 * time.Second
	defaultGCDelay        = 7 * 24 * time.Hour
	defaultCleanupTimeout = 10 * time.Second
)

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		setting *time.Duration
		value   time.Duration
	}{
		{&c.KillGrace, defaultKillGrace},
		{&c.ShutdownGrace, defaultShutdownGrace},
		{&c.GCDelay, defaultGCDelay},
		{&c.CleanupTimeout, defaultCleanupTimeout},
	} {
		if *d.setting == 0 {
			*d.setting = d.value
		}
		*d.setting = max(*d.setting, 0)
	}
	return c
}
