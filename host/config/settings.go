package config

import (
	"time"
)

// Settings is a configuration read from a file or a folder.
type Settings struct {
	// Files are the files read, in order.
	Files []string
	// Master is nil when there is no master block, Agent when there is no agent block.
	Master *Master
	Agent  *Agent
	// Plugins stand in the order of the files; isolators run in this order.
	Plugins []Plugin
	Log     Log
	// Warnings are to be logged at every start, such as a listener open to the network by `insecure`.
	Warnings []string

	// lock is empty when there is no lock file; lockFile is where it would be, lockCommand what writes it.
	lock                  Lock
	lockFile, lockCommand string
}

// Of returns the plugins of one kind, in file order.
func (s *Settings) Of(kind string) []Plugin {
	var of []Plugin
	for _, p := range s.Plugins {
		if p.Kind == kind {
			of = append(of, p)
		}
	}
	return of
}

// Master is the master block. Times have Mesos's defaults.
type Master struct {
	// Listen serves the scheduler and operator APIs (host:port), AgentListen the agents' gRPC
	// connections, and RaftListen the other masters.
	Listen      string
	AgentListen string
	RaftListen  string
	// Advertise is the host:port that clients are told to use; empty means Listen.
	Advertise string
	// Hostname is shown to people; empty means the machine's own.
	Hostname string
	// Cluster is the cluster's name, shown to people.
	Cluster string
	// DataDir holds the registry; absolute.
	DataDir string
	// PluginDir is searched for plugin binaries; empty means the folder of the running program.
	PluginDir string
	// Insecure allows listeners beyond loopback without TLS and authentication.
	Insecure       bool
	TLS            *TLS
	Authentication *Authentication

	AgentPingTimeout                time.Duration
	MaxAgentPingTimeouts            int
	AgentReregisterTimeout          time.Duration
	OfferTimeout                    time.Duration // zero: offers never time out
	MaxCompletedFrameworks          int
	MaxCompletedTasksPerFramework   int
	MaxUnreachableTasksPerFramework int
	RootSubmissions                 bool
}

// Agent is the agent block. Times have Mesos's defaults.
type Agent struct {
	// Listen serves the executor and operator APIs (host:port).
	Listen string
	// Advertise is the host:port that the master tells to others; empty means Listen.
	Advertise string
	// Masters are the host:port addresses of the masters' agent listeners. With a master block in the
	// same configuration it defaults to that master's.
	Masters []string
	// Hostname is what offers carry; empty means the machine's own.
	Hostname string
	// WorkDir holds sandboxes and the agent's state; absolute.
	WorkDir string
	// RuntimeDir holds what need not outlive a reboot; empty means /run/mezzo, or for users other than root a folder
	// of their own among the temporary files.
	RuntimeDir string
	// PluginDir is searched for plugin binaries; empty means the folder of the running program.
	PluginDir string
	// Insecure allows a listener beyond loopback without TLS and authentication.
	Insecure       bool
	TLS            *TLS
	Authentication *Authentication

	// Resources and Attributes are in Mesos's text form ("cpus:4;mem:1024"); Resources may be JSON
	// as well. Empty Resources means what the machine has.
	Resources   string
	Attributes  string
	DefaultRole string

	// ExecutorEnvironmentVariables is nil when not set.
	ExecutorEnvironmentVariables  map[string]string
	ExecutorShutdownGracePeriod   time.Duration
	ExecutorReregistrationTimeout time.Duration
	RecoveryTimeout               time.Duration
	// LaunchTimeout is how long a launch waits for a plugin that is down.
	LaunchTimeout time.Duration
	// Strict makes the agent refuse to start with state that it cannot read whole.
	Strict bool
	// ReconfigurationPolicy is "equal" or "additive".
	ReconfigurationPolicy string
	// SwitchUser runs tasks as their own user rather than as the agent's.
	SwitchUser bool
	// Launcher is "linux", "posix", or "" for what the machine and the agent's user allow.
	Launcher string
	// FrameworksHome is prepended to relative fetch paths; empty means none.
	FrameworksHome      string
	FetcherStallTimeout time.Duration
	GCDelay             time.Duration
}

// TLS is a tls block: paths of PEM files.
type TLS struct {
	CertFile string
	KeyFile  string
	// CAFile signs the certificates of masters and agents among each other.
	CAFile string

	where where
}

// Authentication is an authentication block.
type Authentication struct {
	// Scheme is "basic".
	Scheme string
	// CredentialsFile is JSON: {"credentials": [{"principal": "...", "secret": "..."}]}.
	CredentialsFile string

	where where
}

// Log is the log block.
type Log struct {
	Level  string // "debug", "info", "warn" or "error"
	Format string // "text" or "json"
}

func newMaster() *Master {
	return &Master{
		Listen:                          "127.0.0.1:5050",
		AgentListen:                     "127.0.0.1:5052",
		RaftListen:                      "127.0.0.1:5053",
		AgentPingTimeout:                15 * time.Second,
		MaxAgentPingTimeouts:            5,
		AgentReregisterTimeout:          10 * time.Minute,
		MaxCompletedFrameworks:          50,
		MaxCompletedTasksPerFramework:   1000,
		MaxUnreachableTasksPerFramework: 1000,
		RootSubmissions:                 true,
	}
}

func newAgent() *Agent {
	return &Agent{
		Listen:                        "127.0.0.1:5051",
		DefaultRole:                   "*",
		ExecutorShutdownGracePeriod:   5 * time.Second,
		ExecutorReregistrationTimeout: 2 * time.Second,
		RecoveryTimeout:               15 * time.Minute,
		LaunchTimeout:                 time.Minute,
		Strict:                        true,
		ReconfigurationPolicy:         "equal",
		SwitchUser:                    true,
		FetcherStallTimeout:           time.Minute,
		GCDelay:                       7 * 24 * time.Hour,
	}
}
