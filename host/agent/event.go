package agent

import (
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
)

// ConnID names one connection to a master. It is never used twice.
type ConnID string

// Event is something that has happened and that the machine has to deal with. The types below are all there are.
type Event interface{ event() }

// Started is the first event of an Agent, and comes once. Its effects finish the recovery: they signal, destroy
// and write down what has become of the containers that were found.
type Started struct{}

// MasterConnected tells of a new connection to the leading master, which has answered Hello.
type MasterConnected struct {
	Conn ConnID
	// Epoch is the master's term of leadership, from the envelope of Welcome.
	Epoch uint64
	// Address is where the master was dialled.
	Address string
	// Welcome is kept by the machine and must not be changed afterwards.
	Welcome *linkv1.Welcome
}

// MasterMessage is a message of the master, after Welcome. It carries the epoch it was said in.
type MasterMessage struct {
	Conn ConnID
	// Msg is kept by the machine and must not be changed afterwards.
	Msg *linkv1.ToAgent
}

// MasterGone tells that a connection has ended, by whoever's doing.
type MasterGone struct{ Conn ConnID }

// ContainerEvent is something that happened to a container.
type ContainerEvent struct{ Event containerizer.Event }

// TimerFired tells that the time of a SetTimer is over.
type TimerFired struct{ ID TimerID }

// Synced answers a Sync: the change is on disk.
type Synced struct{ ID uint64 }

// Authorized answers an Authorize.
type Authorized struct {
	// Container is the one that the Authorize named.
	Container string
	// Denied is why the task may not run, empty if it may.
	Denied string
	// Unavailable is set when nobody could tell within the launch timeout, and says why, naming the plugin.
	Unavailable string
}

// SandboxRemoved answers a RemoveSandbox.
type SandboxRemoved struct {
	Directory string
	// Err is what went wrong, empty if nothing did. A directory that is gone already is no error.
	Err string
}

// Shutdown ends the agent for good at an operator's wish: its tasks are killed, it says farewell to the master,
// and it exits.
type Shutdown struct{ Reason string }

func (Started) event()         {}
func (MasterConnected) event() {}
func (MasterMessage) event()   {}
func (MasterGone) event()      {}
func (ContainerEvent) event()  {}
func (TimerFired) event()      {}
func (Synced) event()          {}
func (Authorized) event()      {}
func (SandboxRemoved) event()  {}
func (Shutdown) event()        {}
