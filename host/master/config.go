package master

import (
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// Config is what a Master is given for its life. The zero value of a field means Mesos's default.
type Config struct {
	// ID is a fresh UUID: the prefix of all the ids that the master hands out.
	ID string
	// Epoch is the number of this leadership, greater than all before.
	Epoch uint64
	// Info is what schedulers and agents are told about the master. It is not changed.
	Info *mesos.MasterInfo
	// Started is when the process began.
	Started time.Time

	// PingInterval is how often agents are pinged, MaxMissedPings how many pings in a row an agent may leave
	// unanswered before it is unreachable.
	PingInterval   time.Duration
	MaxMissedPings int
	// ReregisterTimeout is how long an agent that was disconnected, or has not come back since the master
	// began, may take before it is unreachable.
	ReregisterTimeout time.Duration
	// HeartbeatInterval is how often schedulers hear a heartbeat.
	HeartbeatInterval time.Duration
	// OfferTimeout is how long an offer is held; 0 means as long as it takes.
	OfferTimeout time.Duration
	// AllocationInterval is the allocator's cycle; a filter holds for one cycle at least.
	AllocationInterval time.Duration
	// NoRootSubmissions refuses frameworks and tasks that would run as root.
	NoRootSubmissions bool

	// MaxCompletedFrameworks, MaxCompletedTasks and MaxUnreachableTasks bound what is kept of the past, the
	// latter two for each framework. Negative means none.
	MaxCompletedFrameworks int
	MaxCompletedTasks      int
	MaxUnreachableTasks    int
	// RegistryInterval is how often the registry's old entries are collected: those of unreachable and gone
	// agents that are older than RegistryMaxAge, or more than RegistryMaxCount.
	RegistryInterval time.Duration
	RegistryMaxAge   time.Duration
	RegistryMaxCount int
}

// withDefaults fills in Mesos's defaults.
func (c Config) withDefaults() Config {
	orDefault(&c.PingInterval, 15*time.Second)
	orDefault(&c.MaxMissedPings, 5)
	orDefault(&c.ReregisterTimeout, 10*time.Minute)
	orDefault(&c.HeartbeatInterval, 15*time.Second)
	orDefault(&c.AllocationInterval, time.Second)
	orDefault(&c.MaxCompletedFrameworks, 50)
	orDefault(&c.MaxCompletedTasks, 1000)
	orDefault(&c.MaxUnreachableTasks, 1000)
	orDefault(&c.RegistryInterval, 15*time.Minute)
	orDefault(&c.RegistryMaxAge, 14*24*time.Hour)
	orDefault(&c.RegistryMaxCount, 102400)
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
