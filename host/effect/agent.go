package effect

import (
	"context"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/mutant"
)

// AgentPorts is the world as an agent's effects see it: real in the daemon, simulated in the simulator. No method
// may wait for anything that takes long, save for RunStore.Append, which is a write that is not synced. What takes
// longer goes on by itself and is answered by an event.
type AgentPorts struct {
	Master     MasterLink
	Runs       RunStore
	Durable    DurableStore
	Containers Containers
	Sandboxes  Sandboxes
	Timers     AgentTimers
	// Authorizer may be nil where the agent authorizes no tasks.
	Authorizer TaskAuthorizer
	Process    Process
	Log        *slog.Logger
}

// MasterLink is the connection to the leading master.
type MasterLink interface {
	// Send queues a message on a connection; one that is gone swallows it.
	Send(conn agent.ConnID, msg *linkv1.ToMaster)
	// Redial gives a connection up and dials anew.
	Redial(conn agent.ConnID)
}

// RunStore keeps what must survive the agent's process.
type RunStore interface {
	// Append returns once the operations, all of them together, survive the death of this process.
	Append(ops ...record.Op) error
}

// DurableStore keeps what must survive the machine.
type DurableStore interface {
	// Sync begins a change; agent.Synced{ID: id} follows once it is on disk. A change that fails ends the process.
	Sync(id uint64, op agent.Durable)
}

// Containers is what the effects need of a containerizer.
type Containers interface {
	Launch(ctx context.Context, spec containerizer.Spec)
	Kill(ctx context.Context, id string, signal syscall.Signal) error
	Destroy(ctx context.Context, id string)
}

// Sandboxes removes sandboxes.
type Sandboxes interface {
	// Remove begins to delete a directory; agent.SandboxRemoved follows.
	Remove(directory string)
}

// AgentTimers makes agent.TimerFired events.
type AgentTimers interface {
	Set(id agent.TimerID, after time.Duration)
	Cancel(id agent.TimerID)
}

// TaskAuthorizer asks whether tasks may run.
type TaskAuthorizer interface {
	// Authorize begins to ask; agent.Authorized for the container follows, within the launch timeout.
	Authorize(q agent.Authorize)
}

// Process is the agent's own.
type Process interface {
	// Exit ends it, soon: effects may still follow.
	Exit(e agent.Exit)
}

// AgentExecutor carries out an agent's effects, in order.
type AgentExecutor struct{ ports AgentPorts }

// NewAgentExecutor returns an executor over ports.
func NewAgentExecutor(ports AgentPorts) *AgentExecutor { return &AgentExecutor{ports: ports} }

// Run carries out the effects of one step. After an error, nothing that follows in the step has been done, and the
// agent must not be stepped again: what it believes to be written down is not. Containers are not harmed by that.
func (x *AgentExecutor) Run(ctx context.Context, effects []agent.Effect) error {
	for _, e := range effects {
		if err := x.do(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (x *AgentExecutor) do(ctx context.Context, effect agent.Effect) error {
	p := &x.ports
	switch e := effect.(type) {
	case agent.SendMaster:
		p.Master.Send(e.Conn, e.Msg)
	case agent.Reconnect:
		p.Master.Redial(e.Conn)
	case agent.Append:
		if err := p.Runs.Append(e.Ops...); err != nil && !mutant.WriteErrorIgnored {
			return fmt.Errorf("write to the run store: %w", err)
		}
	case agent.Sync:
		p.Durable.Sync(e.ID, e.Op)
	case agent.Authorize:
		p.Authorizer.Authorize(e)
	case agent.Launch:
		p.Containers.Launch(ctx, e.Spec)
	case agent.Kill:
		if err := p.Containers.Kill(ctx, e.Container, e.Signal); err != nil {
			// It has ended meanwhile, which an event tells.
			p.Log.Debug("signal not delivered", "container", e.Container, "signal", e.Signal.String(), "error", err)
		}
	case agent.Destroy:
		p.Containers.Destroy(ctx, e.Container)
	case agent.SetTimer:
		p.Timers.Set(e.ID, e.After)
	case agent.CancelTimer:
		p.Timers.Cancel(e.ID)
	case agent.RemoveSandbox:
		p.Sandboxes.Remove(e.Directory)
	case agent.Exit:
		p.Process.Exit(e)
	case agent.Log:
		p.Log.LogAttrs(ctx, e.Level, e.Msg, e.Attrs...)
	default:
		return fmt.Errorf("effect %T is not known", e)
	}
	return nil
}
