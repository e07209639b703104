// Package registry holds what must survive the loss of a master: which agents have been admitted, which are
// unreachable, and which are gone. What agents and frameworks can tell again when they come back (tasks,
// frameworks) is not in it, as in Mesos (https://mesos.apache.org/documentation/latest/replicated-log-internals/).
//
// State and Op are plain: a state changes by applying operations, in one order, on every master alike. How the
// operations are agreed upon and kept is the business of registry/raftstore. The package imports no more than the
// standard library, so that the master's state machine and the simulator can use it.
package registry

import (
	"fmt"
	"maps"
	"time"
)

// State is the registry's content after some operations. A State is not safe for concurrent use; Clone it.
type State struct {
	// Agents are the admitted agents, by id.
	Agents map[string]Agent `json:"agents"`
	// Unreachable are the agents that stopped answering, by id, with the time when that was noticed.
	Unreachable map[string]time.Time `json:"unreachable"`
	// Gone are the agents an operator has declared gone for good, by id, with the time.
	Gone map[string]time.Time `json:"gone"`
	// Members are the masters, by server id: where each is reached.
	Members map[string]Member `json:"members"`
}

// Member says where a master is reached. Redirects are made from it.
type Member struct {
	// HTTP, Agents and Raft are host:port of the master's three listeners.
	HTTP   string `json:"http"`
	Agents string `json:"agents"`
	Raft   string `json:"raft"`
	// Version is the release the master last ran.
	Version string `json:"version"`
}

// Agent is what the registry keeps of an admitted agent.
type Agent struct {
	// Info is an encoded mesos.v1.AgentInfo.
	Info []byte `json:"info"`
}

// NewState returns an empty registry.
func NewState() *State {
	return &State{
		Agents: map[string]Agent{}, Unreachable: map[string]time.Time{}, Gone: map[string]time.Time{},
		Members: map[string]Member{},
	}
}

// Clone returns an independent copy. The encoded infos, which never change, are shared.
func (s *State) Clone() *State {
	return &State{
		Agents: maps.Clone(s.Agents), Unreachable: maps.Clone(s.Unreachable), Gone: maps.Clone(s.Gone),
		Members: maps.Clone(s.Members),
	}
}

// Op is a change of the registry. Applying one twice has the effect of applying it once, since a master that
// lost the answer to a commit asks again.
type Op interface {
	// apply changes s, or says why the change does not fit.
	apply(s *State) error
	// name is the operation's name on disk.
	name() string
}

// AdmitAgent adds a new agent.
type AdmitAgent struct {
	ID string `json:"id"`
	// Info is an encoded mesos.v1.AgentInfo, with the id.
	Info []byte `json:"info"`
}

// UpdateAgent replaces the info of an admitted agent, which came back with other resources or attributes.
type UpdateAgent struct {
	ID string `json:"id"`
	// Info is an encoded mesos.v1.AgentInfo, with the id.
	Info []byte `json:"info"`
}

// MarkUnreachable moves an admitted agent to the unreachable ones.
type MarkUnreachable struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

// MarkReachable takes an unreachable agent back, or an agent whose entry has been collected.
type MarkReachable struct {
	ID string `json:"id"`
	// Info is an encoded mesos.v1.AgentInfo, with the id.
	Info []byte `json:"info"`
}

// MarkGone moves an agent, admitted or unreachable, to the ones that are never to come back.
type MarkGone struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

// RemoveAgent forgets an agent that has unregistered.
type RemoveAgent struct {
	ID string `json:"id"`
}

// Prune forgets unreachable and gone agents, the oldest of which would otherwise pile up.
type Prune struct {
	Unreachable []string `json:"unreachable,omitempty"`
	Gone        []string `json:"gone,omitempty"`
}

// PutMember records where a master is reached.
type PutMember struct {
	ID     string `json:"id"`
	Member Member `json:"member"`
}

// Apply changes s by op. An error means that op does not fit the state (an agent gone that is to be admitted,
// say), and that s is unchanged.
func (s *State) Apply(op Op) error {
	if err := op.apply(s); err != nil {
		return fmt.Errorf("%s: %w", op.name(), err)
	}
	return nil
}

func (s *State) refuseGone(id string) error {
	if at, ok := s.Gone[id]; ok {
		return fmt.Errorf("agent %s was marked gone at %s", id, at.Format(time.RFC3339))
	}
	return nil
}

func (o AdmitAgent) name() string { return "admit_agent" }
func (o AdmitAgent) apply(s *State) error {
	if err := s.refuseGone(o.ID); err != nil {
		return err
	}
	delete(s.Unreachable, o.ID)
	s.Agents[o.ID] = Agent{Info: o.Info}
	return nil
}

func (o UpdateAgent) name() string { return "update_agent" }
func (o UpdateAgent) apply(s *State) error {
	if _, ok := s.Agents[o.ID]; !ok {
		return fmt.Errorf("agent %s is not admitted", o.ID)
	}
	s.Agents[o.ID] = Agent{Info: o.Info}
	return nil
}

func (o MarkUnreachable) name() string { return "mark_unreachable" }
func (o MarkUnreachable) apply(s *State) error {
	if _, ok := s.Unreachable[o.ID]; ok {
		return nil
	}
	if _, ok := s.Agents[o.ID]; !ok {
		return fmt.Errorf("agent %s is not admitted", o.ID)
	}
	delete(s.Agents, o.ID)
	s.Unreachable[o.ID] = o.At
	return nil
}

func (o MarkReachable) name() string { return "mark_reachable" }
func (o MarkReachable) apply(s *State) error {
	if err := s.refuseGone(o.ID); err != nil {
		return err
	}
	delete(s.Unreachable, o.ID)
	s.Agents[o.ID] = Agent{Info: o.Info}
	return nil
}

func (o MarkGone) name() string { return "mark_gone" }
func (o MarkGone) apply(s *State) error {
	if _, ok := s.Gone[o.ID]; ok {
		return nil
	}
	delete(s.Agents, o.ID)
	delete(s.Unreachable, o.ID)
	s.Gone[o.ID] = o.At
	return nil
}

func (o RemoveAgent) name() string { return "remove_agent" }
func (o RemoveAgent) apply(s *State) error {
	delete(s.Agents, o.ID)
	return nil
}

func (o Prune) name() string { return "prune" }
func (o Prune) apply(s *State) error {
	for _, id := range o.Unreachable {
		delete(s.Unreachable, id)
	}
	for _, id := range o.Gone {
		delete(s.Gone, id)
	}
	return nil
}

func (o PutMember) name() string { return "put_member" }
func (o PutMember) apply(s *State) error {
	s.Members[o.ID] = o.Member
	return nil
}
