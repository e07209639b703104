package agent

import (
	"iter"
	"time"

	iradix "github.com/hashicorp/go-immutable-radix/v2"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// State is what an Agent is at one moment, for readers. Nothing in it ever changes, and what its methods return
// must not be changed either.
type State struct {
	// AgentID is empty until a master has admitted the agent.
	AgentID string
	// Instance is the random id of the work directory.
	Instance string
	// Version is the build's.
	Version string
	// Address is host:port of the agent's HTTP endpoint.
	Address string
	// Info describes the agent; it has the id once there is one.
	Info *mesos.AgentInfo
	// Capabilities are those told to the master.
	Capabilities []mesos.AgentInfo_Capability_Type
	// Total is all the agent has, Used what its tasks hold, allocated to their roles.
	Total, Used resource.Resources
	// Started is when the agent's process began.
	Started time.Time
	// GCDelay is how long sandboxes are kept.
	GCDelay time.Duration

	// Master is the one the agent is connected to, nil if none; MasterAddress is where it was dialled.
	Master        *mesos.MasterInfo
	MasterAddress string
	// Registered tells whether that master has admitted the agent.
	Registered bool
	// Epoch is the newest term of leadership the agent has heard of.
	Epoch uint64
	// ShuttingDown tells that the agent takes no tasks any more.
	ShuttingDown bool

	frameworks *iradix.Tree[*Framework]
	completed  []*Framework
	sandboxes  *iradix.Tree[*Sandbox]
	counts     counts
}

// Frameworks yields the frameworks that have something here, in the order of their ids.
func (s *State) Frameworks() iter.Seq[*Framework] { return values(s.frameworks) }

// Framework returns a framework that has something here, or nil.
func (s *State) Framework(id string) *Framework {
	f, _ := s.frameworks.Get([]byte(id))
	return f
}

// CompletedFrameworks returns the frameworks whose last executor has ended, the oldest first; at most 50.
func (s *State) CompletedFrameworks() []*Framework { return s.completed }

// Executors yields every executor that is not completed, in the order of their frameworks' ids and their own.
func (s *State) Executors() iter.Seq[*Executor] {
	return func(yield func(*Executor) bool) {
		for f := range s.Frameworks() {
			for e := range f.Executors() {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// Sandboxes yields the sandboxes of ended containers that are not removed yet, in the order of their directories.
func (s *State) Sandboxes() iter.Seq[*Sandbox] { return values(s.sandboxes) }

// Sandbox is the directory of an ended container.
type Sandbox struct {
	Framework, Executor, Container string
	// Directory is absolute.
	Directory string
	// Ended is when the container ended.
	Ended time.Time
}

func values[T any](tree *iradix.Tree[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		it := tree.Root().Iterator()
		for _, v, ok := it.Next(); ok; _, v, ok = it.Next() {
			if !yield(v) {
				return
			}
		}
	}
}
