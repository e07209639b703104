package agent

import (
	"log/slog"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
)

// Effect is something to be done. Effects are carried out in order, after the state they follow from has been
// published. The types below are all there are.
type Effect interface{ effect() }

// SendMaster sends a message on a connection. If the connection has gone, the message is dropped: MasterGone
// tells the machine.
type SendMaster struct {
	Conn ConnID
	// Msg is never changed after it was handed out.
	Msg *linkv1.ToMaster
}

// Reconnect gives a connection up and dials again.
type Reconnect struct{ Conn ConnID }

// Append writes records to the run store. All of them are there, or none, should the agent be killed meanwhile.
// What follows it may be done only once the records survive the death of this process. An error ends the agent,
// whose containers run on: a later agent recovers.
type Append struct{ Ops []record.Op }

// Sync changes what is kept of the agent for good, and is answered by Synced once that is on disk.
type Sync struct {
	ID uint64
	Op Durable
}

// Durable is a change to what must survive the machine. The types below are all there are.
type Durable interface{ durable() }

// SaveAgent keeps the agent's id and what it told the master of itself.
type SaveAgent struct {
	// AgentID is the id the master gave.
	AgentID string
	// Info is an encoded mesos.v1.AgentInfo with that id.
	Info []byte
}

// ForgetAgent gives the agent's id up: the next start is that of a new agent.
type ForgetAgent struct{}

// Authorize asks whether a task may run; it is answered by Authorized.
type Authorize struct {
	// Container identifies the question.
	Container string
	// Framework is an encoded mesos.v1.FrameworkInfo.
	Framework []byte
	// Task is an encoded mesos.v1.TaskInfo.
	Task []byte
}

// Launch starts a container; what becomes of it is told by ContainerEvents.
type Launch struct{ Spec containerizer.Spec }

// Kill signals a container's processes. A container that has ended meanwhile is no error.
type Kill struct {
	Container string
	Signal    syscall.Signal
}

// Destroy ends a container by force, in whatever state it is; Exited or Failed, and Cleaned, follow. Every container
// is destroyed at last, once its task's end is written down: then a containerizer need not keep what it would tell
// the next agent of a container that has ended.
type Destroy struct{ Container string }

// TimerKind says what a timer is for.
type TimerKind uint8

// The machine's timers, and what their keys are.
const (
	// TimerPing is due when the master has not been heard for too long. No key.
	TimerPing TimerKind = iota + 1
	// TimerRegister is due when a refused registration is to be tried again. No key.
	TimerRegister
	// TimerUpdate is due when a status update has not been acknowledged. Key: framework/task.
	TimerUpdate
	// TimerKill is due when a task that was asked to end has not. Key: framework/task.
	TimerKill
	// TimerCompletion is due when a task has had its max_completion_time. Key: framework/task.
	TimerCompletion
	// TimerCleanup is due when an ended container's remains have not been cleaned up. Key: framework/task.
	TimerCleanup
	// TimerSandbox is due when a sandbox is to be removed. Key: its directory.
	TimerSandbox
	// TimerExit is due when an agent that shuts down has waited long enough for its tasks to end. No key.
	TimerExit
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

// RemoveSandbox deletes a sandbox, and the directories above it that are left empty, up to the work directory;
// it is answered by SandboxRemoved.
type RemoveSandbox struct{ Directory string }

// Exit ends the agent's process. It is the last effect an Agent has.
type Exit struct {
	// Failed is false when the agent ends as it was asked to.
	Failed bool
	Reason string
}

// Log is a line for the log: a constant message with attributes.
type Log struct {
	Level slog.Level
	Msg   string
	Attrs []slog.Attr
}

func (SendMaster) effect()    {}
func (Reconnect) effect()     {}
func (Append) effect()        {}
func (Sync) effect()          {}
func (Authorize) effect()     {}
func (Launch) effect()        {}
func (Kill) effect()          {}
func (Destroy) effect()       {}
func (SetTimer) effect()      {}
func (CancelTimer) effect()   {}
func (RemoveSandbox) effect() {}
func (Exit) effect()          {}
func (Log) effect()           {}

func (SaveAgent) durable()   {}
func (ForgetAgent) durable() {}
