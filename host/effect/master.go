package effect

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// MasterPorts is the world as a master's effects see it: real in the daemon, simulated in the simulator. No method
// may wait for anything that takes long; what does goes on by itself and is answered by an event.
type MasterPorts struct {
	Schedulers Schedulers
	Agents     Agents
	Registry   Registry
	Allocator  Allocator
	Timers     MasterTimers
	Replies    Replies
	Log        *slog.Logger
}

// Schedulers are the open streams of frameworks.
type Schedulers interface {
	// Send queues an event on a stream; one that is gone swallows it. framework is empty for a subscription
	// that is refused.
	Send(framework string, stream master.StreamID, event *scheduler.Event)
	// Close ends a stream after what was sent on it.
	Close(stream master.StreamID)
}

// Agents are the open connections of agents.
type Agents interface {
	// Send queues a message on a connection; one that is gone swallows it. The message is the callee's.
	Send(conn master.ConnID, msg *linkv1.ToAgent)
	// Close ends a connection after what was sent on it.
	Close(conn master.ConnID)
}

// Registry is what survives the master.
type Registry interface {
	// Commit begins a change; master.Committed{ID: id} follows once it is made, or master.LeadershipLost.
	// Changes are made in the order in which they were begun.
	Commit(id uint64, op registry.Op)
}

// Allocator is the way to the allocator, and drops what it is told while there is none.
type Allocator interface {
	Update(seq uint64, update allocator.Update)
	Answer(generation uint64, answers []allocator.Answer)
}

// MasterTimers makes master.TimerFired events.
type MasterTimers interface {
	Set(id master.TimerID, after time.Duration)
	Cancel(id master.TimerID)
}

// Replies are those who wait for an answer to an event of theirs.
type Replies interface{ Reply(r master.Reply) }

// MasterExecutor carries out a master's effects, in order.
type MasterExecutor struct{ ports MasterPorts }

// NewMasterExecutor returns an executor over ports.
func NewMasterExecutor(ports MasterPorts) *MasterExecutor { return &MasterExecutor{ports: ports} }

// Run carries out the effects of one or more steps. It fails for an effect that it does not know only.
func (x *MasterExecutor) Run(ctx context.Context, effects []master.Effect) error {
	p := &x.ports
	for _, effect := range effects {
		switch e := effect.(type) {
		case master.SendScheduler:
			p.Schedulers.Send(e.Framework, e.Stream, e.Event)
		case master.CloseStream:
			p.Schedulers.Close(e.Stream)
		case master.SendAgent:
			p.Agents.Send(e.Conn, e.Msg)
		case master.CloseAgent:
			p.Agents.Close(e.Conn)
		case master.Commit:
			p.Registry.Commit(e.ID, e.Op)
		case master.AllocatorUpdate:
			p.Allocator.Update(e.Seq, e.Update)
		case master.AllocatorAnswer:
			p.Allocator.Answer(e.Generation, e.Answers)
		case master.SetTimer:
			p.Timers.Set(e.ID, e.After)
		case master.CancelTimer:
			p.Timers.Cancel(e.ID)
		case master.Reply:
			p.Replies.Reply(e)
		case master.Log:
			p.Log.LogAttrs(ctx, e.Level, e.Msg, e.Attrs...)
		default:
			return fmt.Errorf("effect %T is not known", e)
		}
	}
	return nil
}
