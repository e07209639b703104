package sim

import (
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
)

type containerState uint8

const (
	containerLaunching containerState = iota
	containerRunning
	// containerEnded has ended, or will never start; something of it may still be there.
	containerEnded
)

// container is a container as the kernel has it.
type container struct {
	m     *machine
	id    string
	spec  containerizer.Spec
	state containerState
	pid   int
	// started is set once the command was let go.
	started bool
	// status is a wait status, if it is known.
	status int
	known  bool
	// limits are those that were reached while nobody watched.
	limits []containerizer.Limitation
	// watcher is the agent that hears of the container, nil while there is none.
	watcher *process
	// destroyed is set once its agent wants it gone.
	destroyed, stubborn, undead bool
}

// recoverContainers finds the containers of which there is a checkpoint as they are, for a new agent, which hears
// of them from here on.
func (m *machine) recoverContainers(p *process, checkpoints map[string][]byte) []containerizer.Recovered {
	var out []containerizer.Recovered
	for _, id := range slices.Sorted(maps.Keys(checkpoints)) {
		c := m.container(id)
		if c == nil {
			// The machine was restarted: nothing runs, and nobody knows how it ended.
			c = &container{m: m, id: id, state: containerEnded, started: m.w.chance(0.5)}
			m.containers = append(m.containers, c)
		}
		if c.state == containerLaunching {
			c.state = containerEnded // held at a pipe whose other end is gone
		}
		c.watcher = p
		r := containerizer.Recovered{ID: id}
		switch {
		case c.state == containerRunning:
			r.State, r.Pid = containerizer.Running, c.pid
		case c.started:
			r.State, r.WaitStatus, r.Known = containerizer.Ended, c.status, c.known
			c.tellEnd(0)
		default:
			c.tell(0, containerizer.Failed{ID: id, Message: "the agent ended while it was being launched"})
			c.clean()
		}
		out = append(out, r)
	}
	return out
}

// launch starts a container.
func (p *process) launch(spec containerizer.Spec) {
	m := p.m
	m.disk.append([]record.Op{{Key: record.ContainerKey(spec.ID), Value: []byte{1}}})
	c := &container{m: m, id: spec.ID, spec: spec, watcher: p, stubborn: m.w.chance(0.2), undead: m.w.chance(0.05)}
	m.containers = append(m.containers, c)
	m.w.ledger.containerLaunched(m, c)
	takes := m.w.between(time.Millisecond, 30*time.Millisecond)
	if m.w.chance(0.1) {
		takes = m.w.between(100*time.Millisecond, 3*time.Second)
	}
	fails := m.w.chance(0.07)
	m.w.after(takes, func() {
		switch {
		case c.state != containerLaunching || c.watcher != p:
		case fails:
			c.state = containerEnded
			c.tell(0, containerizer.Failed{ID: c.id, Message: "fetch http://10.9.9.9/x: connection refused"})
			c.clean()
		default:
			c.run()
		}
	})
}

// run lets the command go.
func (c *container) run() {
	w := c.m.w
	c.m.nextPid++
	c.state, c.started, c.pid = containerRunning, true, c.m.nextPid
	c.tell(0, containerizer.Started{ID: c.id, Pid: c.pid})
	runs := w.between(50*time.Millisecond, 3*time.Second)
	switch {
	case w.chance(0.25):
		return // a service
	case w.chance(0.15):
		runs = w.between(0, 2*time.Millisecond) // a command that is not there, say
	case w.chance(0.3):
		runs = w.between(3*time.Second, 40*time.Second)
	}
	status, known := 0, true
	switch {
	case w.chance(0.15):
		status = (1 + w.rng.IntN(127)) << 8
	case w.chance(0.05):
		status = int(syscall.SIGSEGV)
	case w.chance(0.04):
		known = false // somebody killed its init
	}
	memory := w.chance(0.08)
	w.after(runs, func() {
		if memory && c.state == containerRunning {
			c.limited()
			status, known = int(syscall.SIGKILL), true
		}
		c.end(status, known)
	})
}

// limited has the container run out of memory.
func (c *container) limited() {
	l := containerizer.Limitation{
		Isolator: "cgroups", Resource: "mem", Amount: c.spec.Resources.Amount("mem"), Message: "out of memory",
	}
	if c.watcher == nil {
		c.limits = append(c.limits, l)
		return
	}
	c.tell(0, containerizer.Limited{ID: c.id, Limitation: l})
}

// end ends a running container.
func (c *container) end(status int, known bool) {
	if c.state != containerRunning {
		return
	}
	c.state, c.status, c.known = containerEnded, status, known
	c.tellEnd(c.m.w.between(0, 2*time.Millisecond))
}

// tellEnd tells the agent of the end, if there is one; otherwise the next agent will find it.
func (c *container) tellEnd(in time.Duration) {
	if c.watcher == nil {
		return
	}
	for _, l := range c.limits {
		c.tell(in, containerizer.Limited{ID: c.id, Limitation: l})
	}
	c.tell(in, containerizer.Exited{ID: c.id, WaitStatus: c.status, Known: c.known})
	c.clean()
}

// clean removes what is left of the container, which takes long at times.
func (c *container) clean() {
	w, p := c.m.w, c.watcher
	takes := w.between(3*time.Millisecond, 20*time.Millisecond)
	if w.chance(0.03) {
		takes = w.between(500*time.Millisecond, 15*time.Second)
	}
	w.after(takes, func() {
		if p == nil || c.watcher != p || p.dead {
			return
		}
		p.m.disk.append([]record.Op{{Key: record.ContainerKey(c.id)}})
		p.post(agent.ContainerEvent{Event: containerizer.Cleaned{ID: c.id}})
		c.vanish()
		c.m.containers = slices.DeleteFunc(c.m.containers, func(x *container) bool { return x == c })
	})
}

// tell tells the watching agent of an event.
func (c *container) tell(in time.Duration, ev containerizer.Event) {
	p := c.watcher
	c.m.w.after(in, func() {
		if p != nil && c.watcher == p {
			p.post(agent.ContainerEvent{Event: ev})
		}
	})
}

// unwatch is the end of the agent that watched.
func (c *container) unwatch(p *process) {
	if c.watcher == p {
		c.watcher = nil
	}
}

// vanish is the end of the container with its machine, or after its cleaning up.
func (c *container) vanish() { c.state, c.watcher = containerEnded, nil }

// signal delivers a signal. Some commands do not heed SIGTERM, and some cannot be killed for a while.
func (c *container) signal(s syscall.Signal) {
	if s == syscall.SIGTERM && c.stubborn || c.undead {
		return
	}
	c.m.w.after(c.m.w.between(0, 10*time.Millisecond), func() { c.end(int(s), true) })
}

// destroy ends the container by force.
func (c *container) destroy() {
	c.destroyed = true
	w := c.m.w
	switch c.state {
	case containerLaunching:
		c.state = containerEnded
		c.tell(w.between(0, 10*time.Millisecond), containerizer.Failed{
			ID: c.id, Reason: containerizer.Destroyed, Message: "it was destroyed",
		})
		w.after(11*time.Millisecond, c.clean)
	case containerRunning:
		w.after(w.between(0, 50*time.Millisecond), func() { c.end(int(syscall.SIGKILL), true) })
	case containerEnded:
	}
}

// live tells whether the container holds resources.
func (c *container) live() bool { return c.state != containerEnded }
