package sim

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
)

// agentPorts is the world as an agent's effects see it.
type agentPorts process

type (
	containerPort agentPorts
	sandboxPort   agentPorts
	agentClock    agentPorts
	processPort   agentPorts
)

func (a *agentPorts) containers() *containerPort { return (*containerPort)(a) }
func (a *agentPorts) sandboxes() *sandboxPort    { return (*sandboxPort)(a) }
func (a *agentPorts) clock() *agentClock         { return (*agentClock)(a) }
func (a *agentPorts) self() *processPort         { return (*processPort)(a) }

// Send sends a message to the master.
func (a *agentPorts) Send(conn agent.ConnID, msg *linkv1.ToMaster) {
	p := (*process)(a)
	if !p.alive() {
		return
	}
	p.check.said(msg)
	if p.link != nil && p.link.id == string(conn) {
		p.link.toMaster(msg)
	}
}

// Redial gives the connection up.
func (a *agentPorts) Redial(conn agent.ConnID) {
	p := (*process)(a)
	if p.alive() && p.link != nil && p.link.id == string(conn) {
		masterNotices := p.w.soonOrLate()
		if p.m.stalledUp {
			masterNotices = p.w.between(10*time.Second, 40*time.Second)
		}
		p.link.sever(0, masterNotices)
	}
}

var (
	errKilled = errors.New("the process was killed")
	errFull   = errors.New("no space left on device")
)

// Append writes to the run store.
func (a *agentPorts) Append(ops ...record.Op) error {
	p := (*process)(a)
	if !p.alive() {
		return errKilled
	}
	if p.m.disk.full {
		p.m.disk.full = false
		return errFull
	}
	p.m.disk.append(ops)
	p.check.wrote(ops)
	return nil
}

// Sync makes a durable change.
func (a *agentPorts) Sync(id uint64, op agent.Durable) {
	p := (*process)(a)
	if !p.alive() {
		return
	}
	if p.m.disk.failing {
		p.m.disk.failing = false
		p.w.after(p.w.between(0, 20*time.Millisecond), p.kill) // the daemon exits
		return
	}
	d, takes := p.m.disk, p.w.between(time.Millisecond, 30*time.Millisecond)+p.m.slowSync
	p.w.after(p.w.between(0, takes), func() {
		if p.m.disk == d && !p.dead {
			d.keep(op) // on disk, though nobody has been told
		}
	})
	p.w.after(takes, func() { p.post(agent.Synced{ID: id}) })
}

// Authorize asks whether a task may run.
func (a *agentPorts) Authorize(q agent.Authorize) {
	p := (*process)(a)
	if !p.alive() {
		return
	}
	answer := agent.Authorized{Container: q.Container}
	takes := p.w.between(0, 20*time.Millisecond)
	switch {
	case p.w.calm:
	case p.w.chance(0.05):
		answer.Denied = "Not authorized to run tasks as 'nobody'"
	case p.w.chance(0.05):
		answer.Unavailable, takes = `authorizer "opa": it does not answer`, 2*time.Second
	}
	p.w.after(takes, func() { p.post(answer) })
}

// Launch starts a container.
func (c *containerPort) Launch(_ context.Context, spec containerizer.Spec) {
	if p := (*process)(c); p.alive() {
		p.launch(spec)
	}
}

// Kill signals a container.
func (c *containerPort) Kill(_ context.Context, id string, signal syscall.Signal) error {
	p := (*process)(c)
	if !p.alive() {
		return nil
	}
	x := p.m.container(id)
	if x == nil || x.state != containerRunning {
		return containerizer.ErrUnknownContainer
	}
	x.signal(signal)
	return nil
}

// Destroy ends a container by force.
func (c *containerPort) Destroy(_ context.Context, id string) {
	if p := (*process)(c); p.alive() {
		if x := p.m.container(id); x != nil {
			x.destroy()
		}
	}
}

// Remove removes a sandbox.
func (s *sandboxPort) Remove(directory string) {
	p := (*process)(s)
	if !p.alive() {
		return
	}
	failed := ""
	if p.w.chance(0.1) {
		failed = "unlinkat: operation not permitted"
	}
	p.w.after(p.w.between(0, 20*time.Millisecond), func() {
		p.post(agent.SandboxRemoved{Directory: directory, Err: failed})
	})
}

// Set starts a timer, in place of the one that has the id already.
func (c *agentClock) Set(id agent.TimerID, after time.Duration) {
	p := (*process)(c)
	if !p.alive() {
		return
	}
	p.timers[id].cancel()
	p.w.cover.hit("timer", agentTimer(id.Kind))
	p.timers[id] = p.w.after(after+p.w.between(0, 2*time.Millisecond), func() {
		delete(p.timers, id)
		p.post(agent.TimerFired{ID: id})
	})
}

// Cancel stops a timer.
func (c *agentClock) Cancel(id agent.TimerID) {
	p := (*process)(c)
	if p.alive() {
		p.timers[id].cancel()
		delete(p.timers, id)
	}
}

// Exit ends the process, once what it has sent is on its way.
func (x *processPort) Exit(e agent.Exit) {
	p := (*process)(x)
	if !p.alive() {
		return
	}
	p.w.cover.hit("outcome", "agent exits")
	p.check.exits = true
	p.w.after(20*time.Millisecond, func() { p.lose(0) })
	_ = e
}
