package sim

import (
	"time"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// masterPorts is the world as a master's effects see it.
type masterPorts leader

type (
	schedulerPort masterPorts
	agentPort     masterPorts
	allocatorPort masterPorts
	masterClock   masterPorts
)

func (p *masterPorts) schedulers() *schedulerPort { return (*schedulerPort)(p) }
func (p *masterPorts) agents() *agentPort         { return (*agentPort)(p) }
func (p *masterPorts) allocator() *allocatorPort  { return (*allocatorPort)(p) }
func (p *masterPorts) clock() *masterClock        { return (*masterClock)(p) }

// Send sends an event on a framework's stream.
func (p *schedulerPort) Send(framework string, id master.StreamID, event *scheduler.Event) {
	l := (*leader)(p)
	if !l.alive() {
		return
	}
	l.check.said(framework, id, event)
	s := l.streams[id]
	if s == nil {
		return
	}
	s.framework = framework
	if s.gone {
		// The client left before the machine knew of it; now it can be told whose stream that was.
		delete(l.streams, id)
		if framework != "" {
			l.w.after(0, func() { l.post(master.StreamClosed{Framework: framework, Stream: id}) })
		}
		return
	}
	data := encode(event)
	s.down.send(func() { s.s.receive(s, decode[scheduler.Event](data)) })
}

// Close ends a stream after what was sent on it.
func (p *schedulerPort) Close(id master.StreamID) {
	l := (*leader)(p)
	if !l.alive() {
		return
	}
	if s := l.streams[id]; s != nil {
		delete(l.streams, id)
		s.down.send(func() { s.s.ended(s) })
	}
}

// Send sends a message on an agent's connection.
func (p *agentPort) Send(conn master.ConnID, msg *linkv1.ToAgent) {
	l := (*leader)(p)
	if !l.alive() {
		return
	}
	l.check.told(msg)
	if k := l.links[conn]; k != nil {
		k.toAgent(msg)
	}
}

// Close ends a connection, a moment later.
func (p *agentPort) Close(conn master.ConnID) {
	l := (*leader)(p)
	if !l.alive() {
		return
	}
	if k := l.links[conn]; k != nil {
		l.w.after(time.Second, func() { k.sever(l.w.soonOrLate(), 0) })
	}
}

// Commit begins a registry change.
func (p *masterPorts) Commit(id uint64, op registry.Op) {
	l := (*leader)(p)
	if l.alive() {
		l.w.propose(&proposal{from: l, id: id, op: op})
	}
}

// Update tells the allocator what has happened.
func (p *allocatorPort) Update(seq uint64, update allocator.Update) {
	l := (*leader)(p)
	if l.alive() {
		l.channel.update(seq, update)
	}
}

// Answer tells the allocator what became of its proposals.
func (p *allocatorPort) Answer(generation uint64, answers []allocator.Answer) {
	l := (*leader)(p)
	if l.alive() {
		l.channel.answer(generation, answers)
	}
}

// Set starts a timer, in place of the one that has the id already.
func (p *masterClock) Set(id master.TimerID, after time.Duration) {
	l := (*leader)(p)
	if !l.alive() {
		return
	}
	l.timers[id].cancel()
	l.w.cover.hit("timer", masterTimer(id.Kind))
	l.timers[id] = l.w.after(after+l.w.between(0, 2*time.Millisecond), func() {
		delete(l.timers, id)
		l.post(master.TimerFired{ID: id})
	})
}

// Cancel stops a timer.
func (p *masterClock) Cancel(id master.TimerID) {
	l := (*leader)(p)
	if l.alive() {
		l.timers[id].cancel()
		delete(l.timers, id)
	}
}

// Reply answers whoever waits.
func (p *masterPorts) Reply(r master.Reply) {
	l := (*leader)(p)
	if l.alive() {
		l.check.replied(r)
	}
}
