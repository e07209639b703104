package sim

import (
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/effect"
)

// process is the process of an agent.
type process struct {
	w    *world
	m    *machine
	name string

	a    *agent.Agent
	exec *effect.AgentExecutor

	inbox     []agent.Event
	scheduled bool
	timers    map[agent.TimerID]*entry
	link      *link // nil between connections
	check     agentCheck

	dead bool
	// crashAfter is how many effects are carried out before the process is killed; 0 means it is not.
	crashAfter int
}

// startProcess starts an agent on what an earlier one left.
func startProcess(m *machine) *process {
	p := &process{w: m.w, m: m, name: m.w.id(m.name + ".agent"), timers: map[agent.TimerID]*entry{}}
	contents, errs := record.Read(m.disk.live)
	rec := agent.Recovered{AgentID: m.disk.agentID, Contents: contents, Errors: len(errs)}
	if len(errs) > 0 {
		m.w.violate("%s: what was written cannot be read: %v", p.name, errs)
	}
	if err := rec.Validate(); err != nil {
		m.w.violate("%s: what was written makes no sense: %v", p.name, err)
	}
	rec.Containers = m.recoverContainers(p, contents.Containers)
	m.w.trace.begin(p.name, "starts").str("agent", rec.AgentID).num("tasks", uint64(len(contents.Tasks))).
		num("containers", uint64(len(rec.Containers))).end()
	p.check.init(p, contents)
	p.a = agent.New(m.agentConfig(), rec, m.w.at(m.skew))
	ports := (*agentPorts)(p)
	p.exec = effect.NewAgentExecutor(effect.AgentPorts{
		Master: ports, Runs: ports, Durable: ports, Containers: ports.containers(), Sandboxes: ports.sandboxes(),
		Timers: ports.clock(), Authorizer: ports, Process: ports.self(), Log: m.w.log,
	})
	p.post(agent.Started{})
	m.w.after(m.w.between(time.Millisecond, 50*time.Millisecond), p.dial)
	return p
}

// post gives the machine an event, soon.
func (p *process) post(ev agent.Event) {
	if p.dead {
		return
	}
	p.inbox = append(p.inbox, ev)
	if !p.scheduled {
		p.scheduled = true
		p.w.after(p.w.between(0, time.Millisecond), p.round)
	}
}

// round steps the machine through the events that have come, and carries the effects out, as the daemon's loop does.
func (p *process) round() {
	p.scheduled = false
	if p.dead || p.w.broken != nil {
		return
	}
	events := p.inbox
	p.inbox = nil
	var effects []agent.Effect
	for _, ev := range events {
		p.w.steps++
		p.w.traceAgentEvent(p.name, ev)
		p.check.before(ev)
		did := p.a.Step(p.w.at(p.m.skew), ev)
		p.check.stepped(ev, did)
		effects = append(effects, did...)
	}
	for _, e := range effects {
		p.w.effects++
		p.w.traceAgentEffect(p.name, e)
	}
	if err := p.exec.Run(background(), effects); err != nil && !p.dead {
		// The daemon exits. Containers run on.
		p.w.trace.begin(p.name, "fails").str("error", err.Error()).end()
		p.kill()
	}
	if !p.dead {
		p.check.after()
	}
}

// alive counts an effect that is about to be carried out, and reports whether the process still lives to do it.
func (p *process) alive() bool {
	if p.crashAfter > 0 && !p.dead {
		if p.crashAfter--; p.crashAfter == 0 {
			p.kill()
		}
	}
	return !p.dead
}

// kill ends the process as kill -9 does: what it has written stays, and containers run on. A supervisor starts
// another.
func (p *process) kill() { p.lose(p.w.soonOrLate()) }

// lose ends the process; the master notices after a time.
func (p *process) lose(masterNotices time.Duration) {
	if p.dead {
		return
	}
	p.w.trace.begin(p.name, "ends").end()
	p.dead = true
	for _, t := range p.timers {
		t.cancel()
	}
	if p.link != nil {
		p.link.sever(0, masterNotices)
		p.link = nil
	}
	p.m.process = nil
	for _, c := range p.m.containers {
		c.unwatch(p)
	}
	p.m.startSoon()
}
