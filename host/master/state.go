package master

import (
	"iter"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// State is what a master knows at one moment. It never changes, so any number of goroutines may read it, and it
// refers to its parts only, so that keeping it costs no more than what changed since.
type State struct {
	leader Leader

	frameworks  tree[*Framework] // by id
	completed   tree[*Framework] // by order of completion
	agents      tree[*Agent]
	recovered   tree[*RecoveredAgent]
	unreachable tree[time.Time]
	gone        tree[time.Time]
	tasks       tree[*Task]  // by taskKey
	completedT  tree[*Task]  // by framework and order of completion
	unreachT    tree[*Task]  // by taskKey
	offers      tree[*Offer] // by id

	counters  *Counters
	allocator AllocatorStatus
	sequence  uint64
	region    string
	stepped   time.Time
}

// Leader says who the master is.
type Leader struct {
	// ID is the master's UUID, which its ids begin with.
	ID    string
	Epoch uint64
	// Info is what schedulers and agents are told. It is not to be changed.
	Info *mesos.MasterInfo
	// Started is when the process began, Elected when it became the leader.
	Started, Elected time.Time
}

// AllocatorStatus says whether there is an allocator.
type AllocatorStatus struct {
	Ready      bool
	Generation uint64
}

// Leader says who the master is.
func (s *State) Leader() Leader { return s.leader }

// Time is the wall-clock time of the latest event that the state reflects.
func (s *State) Time() time.Time { return s.stepped }

// Allocator says whether there is an allocator.
func (s *State) Allocator() AllocatorStatus { return s.allocator }

// Framework returns a framework that is not completed, or nil.
func (s *State) Framework(id string) *Framework {
	f, _ := s.frameworks.get(id)
	return f
}

// Frameworks yields the frameworks that are not completed, in the order of their ids.
func (s *State) Frameworks() iter.Seq[*Framework] { return s.frameworks.below("") }

// CompletedFrameworks yields the frameworks that were removed, oldest first; the latest 50 are kept.
func (s *State) CompletedFrameworks() iter.Seq[*Framework] { return s.completed.below("") }

// Agent returns a registered agent, or nil.
func (s *State) Agent(id string) *Agent {
	a, _ := s.agents.get(id)
	return a
}

// Agents yields the registered agents, connected or not, in the order of their ids.
func (s *State) Agents() iter.Seq[*Agent] { return s.agents.below("") }

// RecoveredAgents yields the agents that are known from the registry only, in the order of their ids.
func (s *State) RecoveredAgents() iter.Seq[*RecoveredAgent] { return s.recovered.below("") }

// Unreachable tells since when an agent is unreachable.
func (s *State) Unreachable(agent string) (since time.Time, ok bool) { return s.unreachable.get(agent) }

// UnreachableAgents yields the ids of unreachable agents, in order, and since when they are.
func (s *State) UnreachableAgents() iter.Seq2[string, time.Time] { return s.unreachable.pairs() }

// Gone tells when an agent was declared gone for good.
func (s *State) Gone(agent string) (at time.Time, ok bool) { return s.gone.get(agent) }

// Task returns a task that is neither completed nor unreachable, or nil.
func (s *State) Task(framework, id string) *Task {
	t, _ := s.tasks.get(taskKey(framework, id))
	return t
}

// Tasks yields a framework's tasks that are neither completed nor unreachable, in the order of their ids. The
// empty framework means all of them, framework by framework. A task that has ended is among them until the
// framework has acknowledged it.
func (s *State) Tasks(framework string) iter.Seq[*Task] { return s.tasks.below(taskPrefix(framework)) }

// CompletedTasks yields a framework's completed tasks, oldest first; the latest 1,000 are kept. The empty
// framework means all. It works for completed frameworks, too.
func (s *State) CompletedTasks(framework string) iter.Seq[*Task] {
	return s.completedT.below(taskPrefix(framework))
}

// UnreachableTasks yields a framework's tasks on unreachable agents, in the order of their ids. The empty
// framework means all.
func (s *State) UnreachableTasks(framework string) iter.Seq[*Task] {
	return s.unreachT.below(taskPrefix(framework))
}

// Offer returns an outstanding offer, or nil.
func (s *State) Offer(id string) *Offer {
	o, _ := s.offers.get(id)
	return o
}

// Offers yields all outstanding offers, in the order of their ids.
func (s *State) Offers() iter.Seq[*Offer] { return s.offers.below("") }

// Usage is what a framework has of all agents together. As resources of different agents, ranges and sets
// unite.
type Usage struct{ Used, Offered resource.Resources }

// Usages sums up what each framework has of all agents. It goes through all agents.
func (s *State) Usages() map[string]Usage {
	all := map[string]Usage{}
	for a := range s.Agents() {
		for _, u := range a.Uses {
			sum := all[u.Framework]
			sum.Used = addOrKeep(sum.Used, u.Used)
			sum.Offered = addOrKeep(sum.Offered, u.Offered)
			all[u.Framework] = sum
		}
	}
	return all
}

// addOrKeep adds for display: a sum that does not fit is left as it is.
func addOrKeep(a, b resource.Resources) resource.Resources {
	if sum, err := a.Add(b); err == nil {
		return sum
	}
	return a
}

// taskKey is a task's place in the trees: a framework's tasks stand together. An id holds no zero byte.
func taskKey(framework, id string) string { return framework + "\x00" + id }

func taskPrefix(framework string) string {
	if framework == "" {
		return ""
	}
	return framework + "\x00"
}
