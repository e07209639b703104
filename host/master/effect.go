package master

import (
	"log/slog"
	"time"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// Effect is something to be done. Effects are carried out in order, after the state they follow from has been
// published. The types below are all there are.
type Effect interface{ effect() }

// SendScheduler sends an event on a framework's stream. If the stream has gone meanwhile, the event is dropped:
// StreamClosed tells the machine.
type SendScheduler struct {
	Framework string
	Stream    StreamID
	// Event is never changed after it was handed out; several effects may share it.
	Event *scheduler.Event
}

// CloseStream ends a scheduler's stream after what was sent on it before.
type CloseStream struct{ Stream StreamID }

// SendAgent sends a message on an agent's connection. If the connection has gone, the message is dropped:
// AgentGone tells the machine.
type SendAgent struct {
	Conn ConnID
	// Msg belongs to whoever carries the effect out; what it refers to is never changed.
	Msg *linkv1.ToAgent
}

// CloseAgent ends an agent's connection after what was sent on it before.
type CloseAgent struct{ Conn ConnID }

// Commit changes the registry. It is answered by Committed, or by LeadershipLost.
type Commit struct {
	ID uint64
	Op registry.Op
}

// TimerKind says what a timer is for.
type TimerKind uint8

// The machine's timers, and what their keys are.
const (
	// TimerHeartbeat is due when a framework is to hear a heartbeat. Key: the framework.
	TimerHeartbeat TimerKind = iota + 1
	// TimerFailover is due when a disconnected framework's failover_timeout is over. Key: the framework.
	TimerFailover
	// TimerPing is due when an agent is to be pinged. Key: the agent.
	TimerPing
	// TimerReregister is due when a disconnected agent has not come back in time. Key: the agent.
	TimerReregister
	// TimerOffer is due when an offer is no longer to be held. Key: the offer.
	TimerOffer
	// TimerRecovery is due when the agents of the registry that have not come back since the machine began are
	// to be marked unreachable. No key.
	TimerRecovery
	// TimerAllocations is due when the rest of the allocator's proposals are to be judged. No key.
	TimerAllocations
	// TimerReconcile is due when a reconciliation goes on. Key: the framework.
	TimerReconcile
	// TimerRegistry is due when the registry's old entries are to be collected. No key.
	TimerRegistry
)

// TimerID names a timer. Setting a timer that is set replaces it.
type TimerID struct {
	Kind TimerKind
	Key  string
}

// SetTimer asks for a TimerFired after some time, by the monotonic clock.
type SetTimer struct {
	ID    TimerID
	After time.Duration
}

// CancelTimer takes a SetTimer back. A TimerFired that is on its way already does no harm.
type CancelTimer struct{ ID TimerID }

// ReplyCode says what became of what somebody waited for.
type ReplyCode uint8

// What a Reply can say.
const (
	// ReplyOK: it is done, or, for a call without a result, under way.
	ReplyOK ReplyCode = iota
	// ReplyInvalid: what was asked for makes no sense. The message says why.
	ReplyInvalid
	// ReplyForbidden: the authorizer, or the state of the framework, does not allow it.
	ReplyForbidden
	// ReplyNotFound: there is no such framework or agent.
	ReplyNotFound
	// ReplyConflict: the framework has been removed or has got another stream meanwhile.
	ReplyConflict
	// ReplyUnavailable: this master does not lead any more.
	ReplyUnavailable
)

// Reply answers whoever waits for the outcome of an event.
type Reply struct {
	ID      ReplyID
	Code    ReplyCode
	Message string
}

// Log is a line for the log: a constant message with attributes.
type Log struct {
	Level slog.Level
	Msg   string
	Attrs []slog.Attr
}

func (SendScheduler) effect() {}
func (CloseStream) effect()   {}
func (SendAgent) effect()     {}
func (CloseAgent) effect()    {}
func (Commit) effect()        {}
func (SetTimer) effect()      {}
func (CancelTimer) effect()   {}
func (Reply) effect()         {}
func (Log) effect()           {}
