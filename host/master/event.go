package master

import (
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// StreamID names one subscription of a scheduler: the UUID that HTTP calls carry as Mesos-Stream-Id.
type StreamID string

// ConnID names one connection of an agent. Whoever accepts connections makes it; it is never used twice.
type ConnID string

// ReplyID names somebody who waits for an answer to an event. Zero means nobody does.
type ReplyID uint64

// Event is something that has happened and that the machine has to deal with. The types below are all there are.
type Event interface{ event() }

// Started is the first event of a Master. It makes the machine set the timers that a new epoch begins with.
type Started struct{}

// Subscribe is a scheduler's SUBSCRIBE, on a stream that is open for events already. It is answered on that
// stream, by SUBSCRIBED or by ERROR and the stream's end.
type Subscribe struct {
	Stream StreamID
	// Info is the framework's description. Its id is empty or absent for a new framework. The machine keeps it.
	Info *mesos.FrameworkInfo
	// Suppressed are the roles that are to get no offers at first.
	Suppressed []string
	// Constraints are what offers must meet, nil for none.
	Constraints *scheduler.OfferConstraints
	// Principal is who was authenticated, empty for nobody.
	Principal string
	// Denied is why the authorizer refuses the subscription, empty if it does not.
	Denied string
}

// StreamClosed tells that a scheduler's stream has ended, by whoever's doing.
type StreamClosed struct {
	Framework string
	Stream    StreamID
}

// Call is any call of a subscribed scheduler but SUBSCRIBE. Its shape has been checked: the type is set, and so
// is the part of the message that the type asks for.
type Call struct {
	Framework string
	// Stream is the stream id that the call carried. A call on another stream than the framework's current one
	// is dropped.
	Stream StreamID
	// Call is kept by the machine and must not be changed afterwards.
	Call      *scheduler.Call
	Principal string
	// Denied says which parts of the call the authorizer refuses. The rest is carried out.
	Denied []Denial
	// Reply asks for one Reply, whatever becomes of the call.
	Reply ReplyID
}

// WholeCall as a Denial's Operation refuses the call altogether; as its Task, the whole operation.
const WholeCall = -1

// Denial is one part of a call that the authorizer refuses.
type Denial struct {
	// Operation is the index of an operation of an ACCEPT, or WholeCall.
	Operation int
	// Task is the index of a task of that operation, or WholeCall.
	Task int
	// Reason is what the framework is told.
	Reason string
}

// AgentConnected tells of a new connection, from which messages will come.
type AgentConnected struct {
	Conn ConnID
	// Principal is who was authenticated, empty for nobody.
	Principal string
	// Address is the connection's other end.
	Address string
	// Hello is what the agent said first. It has been answered with Welcome.
	Hello *linkv1.Hello
}

// AgentMessage is a message of an agent, any but Hello.
type AgentMessage struct {
	Conn ConnID
	// Epoch is the epoch the connection was accepted in. A message of another epoch than the machine's is dropped.
	Epoch uint64
	// Msg is kept by the machine and must not be changed afterwards.
	Msg *linkv1.ToMaster
}

// AgentGone tells that a connection has ended, by whoever's doing.
type AgentGone struct{ Conn ConnID }

// Committed answers a Commit: the registry holds the change.
type Committed struct{ ID uint64 }

// LeadershipLost ends the machine: every stream and connection is closed, and later events do nothing.
type LeadershipLost struct{}

// TimerFired tells that the time of a SetTimer is over.
type TimerFired struct{ ID TimerID }

// Teardown removes a framework at an operator's wish.
type Teardown struct {
	Framework string
	// Principal is the operator.
	Principal string
	Reply     ReplyID
}

func (Started) event()        {}
func (Subscribe) event()      {}
func (StreamClosed) event()   {}
func (Call) event()           {}
func (AgentConnected) event() {}
func (AgentMessage) event()   {}
func (AgentGone) event()      {}
func (Committed) event()      {}
func (LeadershipLost) event() {}
func (TimerFired) event()     {}
func (Teardown) event()       {}

// AuthorizerDown tells that nobody can be authorized at present. As schedulers and agents cannot come back, the
// timers that would remove them for that stand still.
type AuthorizerDown struct{}

// AuthorizerReady tells that the authorizer answers again.
type AuthorizerReady struct{}

func (AuthorizerDown) event()  {}
func (AuthorizerReady) event() {}
