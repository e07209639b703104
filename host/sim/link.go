package sim

import (
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
)

// The two streams of a connection, each in order, but not one with the other.
const (
	control = iota
	data
)

// link is a connection between an agent's process and a leader.
type link struct {
	w  *world
	id string
	p  *process
	l  *leader

	up, down [2]lane
	// welcomed is set once the agent has been told of the connection, registered when the leader has.
	welcomed, accepted bool
	severed            bool
	// agentTold and masterTold are set once either end has noticed that it is severed.
	agentTold, masterTold bool
}

// dial has an agent's process connect to the leader, as soon as there is one that can be reached.
func (p *process) dial() {
	if p.dead || p.link != nil {
		return
	}
	l := p.w.found()
	if l == nil || p.m.stalledUp || p.m.stalledDown {
		p.redial()
		return
	}
	k := &link{w: p.w, id: p.w.id("c"), p: p, l: l}
	for i := range k.up {
		k.up[i] = lane{w: p.w, stalled: func() bool { return p.m.stalledUp }}
		k.down[i] = lane{w: p.w, stalled: func() bool { return p.m.stalledDown }}
	}
	p.link = k
	p.m.links = append(p.m.links, k)
	state := p.a.State()
	hello := &linkv1.Hello{
		Version: state.Version, AgentId: state.AgentID, Instance: state.Instance, Epoch: state.Epoch,
	}
	k.up[control].send(func() { k.accept(hello) })
	p.w.after(10*time.Second, func() {
		if !k.welcomed {
			k.sever(0, p.w.soonOrLate())
		}
	})
}

// redial has the process dial again, after a pause.
func (p *process) redial() {
	p.w.after(p.w.between(25*time.Millisecond, 500*time.Millisecond), p.dial)
}

// accept welcomes the agent and tells the leader of the connection.
func (k *link) accept(hello *linkv1.Hello) {
	if k.l.dead {
		k.sever(k.w.soonOrLate(), 0)
		return
	}
	k.accepted = true
	k.l.links[master.ConnID(k.id)] = k
	k.toAgent(&linkv1.ToAgent{Epoch: k.l.epoch, Body: &linkv1.ToAgent_Welcome{Welcome: &linkv1.Welcome{
		MasterId: k.l.name, Version: "1.0.0", Connection: k.id,
	}}})
	k.l.post(master.AgentConnected{
		Conn: master.ConnID(k.id), Principal: "agent", Address: k.p.m.address, Hello: hello,
	})
}

// toAgent sends a message to the agent.
func (k *link) toAgent(msg *linkv1.ToAgent) {
	on := data
	switch msg.Body.(type) {
	case *linkv1.ToAgent_Welcome, *linkv1.ToAgent_Ping:
		on = control
	}
	bytes := encode(msg)
	k.down[on].send(func() { k.p.receive(k, decode[linkv1.ToAgent](bytes)) })
}

// toMaster sends a message to the leader.
func (k *link) toMaster(msg *linkv1.ToMaster) {
	on := data
	if msg.GetPong() != nil {
		on = control
	}
	bytes := encode(msg)
	k.up[on].send(func() {
		if !k.l.dead {
			k.l.post(master.AgentMessage{
				Conn: master.ConnID(k.id), Epoch: k.l.epoch, Msg: decode[linkv1.ToMaster](bytes),
			})
		}
	})
}

// receive takes a message of the leader.
func (p *process) receive(k *link, msg *linkv1.ToAgent) {
	if p.dead || p.link != k {
		return
	}
	if welcome := msg.GetWelcome(); welcome != nil && !k.welcomed {
		k.welcomed = true
		p.post(agent.MasterConnected{
			Conn: agent.ConnID(k.id), Epoch: msg.GetEpoch(), Address: "10.0.1.1:5052", Welcome: welcome,
		})
		return
	}
	p.post(agent.MasterMessage{Conn: agent.ConnID(k.id), Msg: msg})
}

// sever breaks the connection. What is on its way is lost; either end notices in its time.
func (k *link) sever(agentNotices, masterNotices time.Duration) {
	if !k.severed {
		k.severed = true
		for i := range k.up {
			k.up[i].close()
			k.down[i].close()
		}
	}
	k.w.after(masterNotices, k.tellMaster)
	k.w.after(agentNotices, k.tellAgent)
}

func (k *link) tellAgent() {
	if k.agentTold {
		return
	}
	k.agentTold = true
	k.forget()
	if k.p.link != k {
		return
	}
	k.p.link = nil
	if k.p.dead {
		return
	}
	if k.welcomed {
		k.p.post(agent.MasterGone{Conn: agent.ConnID(k.id)})
	}
	k.p.redial()
}

func (k *link) tellMaster() {
	if k.masterTold {
		return
	}
	k.masterTold = true
	k.forget()
	delete(k.l.links, master.ConnID(k.id))
	if k.accepted && !k.l.dead {
		k.l.post(master.AgentGone{Conn: master.ConnID(k.id)})
	}
}

// forget drops a connection of which both ends have heard that it is over.
func (k *link) forget() {
	if !k.agentTold || !k.masterTold {
		return
	}
	links := k.p.m.links
	for i := range links {
		if links[i] == k {
			k.p.m.links = append(links[:i:i], links[i+1:]...)
			return
		}
	}
}
