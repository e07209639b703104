package sim

import (
	"fmt"
	"time"

	"github.com/mezzo-cluster/mezzo/host/effect"
	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"google.golang.org/protobuf/proto"
)

// leader is the process of a leading master: one machine, for one epoch.
type leader struct {
	w     *world
	name  string
	epoch uint64

	m     *master.Master
	exec  *effect.MasterExecutor
	state *master.State

	inbox     []master.Event
	scheduled bool
	// waiting are told when the events that were posted before are dealt with.
	waiting []func()
	timers  map[master.TimerID]*entry
	links   map[master.ConnID]*link
	streams map[master.StreamID]*stream
	answers lane // of the registry
	channel *channel
	check   masterCheck

	// deposed is set when another leads and this one does not know yet, dead when it does nothing any more.
	deposed, dead bool
	// crashAfter is how many effects are carried out before the process is killed; 0 means it is not.
	crashAfter int
	// unauthorized is set while its authorizer is down.
	unauthorized bool
}

// elect makes a new leader a while from now, if there is none by then.
func (w *world) elect(in time.Duration) {
	w.elections++
	election := w.elections
	w.after(in, func() {
		if w.elections == election && w.leader == nil {
			w.lead()
		}
	})
}

// lead begins a new epoch, from what the registry holds.
func (w *world) lead() {
	w.epoch++
	id := fmt.Sprintf("M%d", w.epoch)
	l := &leader{
		w: w, name: id, epoch: w.epoch, timers: map[master.TimerID]*entry{}, links: map[master.ConnID]*link{},
		streams: map[master.StreamID]*stream{}, answers: lane{w: w},
	}
	cfg := w.plan.master
	cfg.ID, cfg.Epoch, cfg.Started = id, w.epoch, w.at(w.skew).Wall
	cfg.Info = &mesos.MasterInfo{
		Id: proto.String(id), Ip: proto.Uint32(1), Port: proto.Uint32(5050), Hostname: proto.String("master"),
	}
	ports := (*masterPorts)(l)
	l.exec = effect.NewMasterExecutor(effect.MasterPorts{
		Schedulers: ports.schedulers(), Agents: ports.agents(), Registry: ports, Allocator: ports.allocator(),
		Timers: ports.clock(), Replies: ports, Log: w.log,
	})
	l.m = master.New(cfg, w.registry.Clone(), w.at(w.skew))
	l.state = l.m.State()
	l.check.init(l)
	w.leader = l
	w.trace.begin(l.name, "leads").num("epoch", w.epoch).end()
	l.post(master.Started{})
	l.channel = newChannel(l)
	l.channel.connectSoon()
}

// post gives the machine an event, soon.
func (l *leader) post(ev master.Event) {
	if l.dead {
		return
	}
	l.inbox = append(l.inbox, ev)
	if !l.scheduled {
		l.scheduled = true
		l.w.after(l.w.between(0, time.Millisecond), l.round)
	}
}

// settled calls back when all events that were posted so far are dealt with, and their effects carried out.
func (l *leader) settled(then func()) { l.waiting = append(l.waiting, then) }

// round steps the machine through the events that have come, publishes its state, and carries the effects out, as
// the daemon's loop does.
func (l *leader) round() {
	l.scheduled = false
	if l.dead || l.w.broken != nil {
		return
	}
	events := l.inbox
	l.inbox = nil
	var effects []master.Effect
	over := false
	for _, ev := range events {
		l.w.steps++
		l.w.traceMasterEvent(l.name, ev)
		l.check.before(ev)
		effects = append(effects, l.m.Step(l.w.at(l.w.skew), ev)...)
		if _, lost := ev.(master.LeadershipLost); lost {
			over = true
		}
	}
	l.state = l.m.State()
	for _, e := range effects {
		l.w.effects++
		l.w.traceMasterEffect(l.name, e)
	}
	if err := l.exec.Run(background(), effects); err != nil {
		l.w.violate("%s: %v", l.name, err)
	}
	if over {
		l.end()
	}
	if l.dead {
		return
	}
	l.check.after()
	waiting := l.waiting
	l.waiting = nil
	for _, then := range waiting {
		then()
	}
}

// alive counts an effect that is about to be carried out, and reports whether the process still lives to do it.
func (l *leader) alive() bool {
	if l.crashAfter > 0 && !l.dead {
		if l.crashAfter--; l.crashAfter == 0 {
			l.crash()
		}
	}
	return !l.dead
}

// crash kills the process. Everybody's connections to it break.
func (l *leader) crash() {
	if l.dead {
		return
	}
	l.w.trace.begin(l.name, "killed").end()
	if l.w.leader == l {
		l.w.settleRaft(l)
		l.w.leader = nil
		l.w.elect(l.w.between(50*time.Millisecond, 3*time.Second))
	}
	l.end()
}

// depose has Raft choose another leader. This one is told later.
func (l *leader) depose() {
	if l.dead || l.deposed {
		return
	}
	l.w.trace.begin(l.name, "deposed").end()
	l.w.settleRaft(l)
	l.deposed = true
	l.answers.close() // an answer of Raft's comes before the news, or never
	l.w.leader = nil
	l.w.deposed = append(l.w.deposed, l)
	l.w.elect(l.w.between(10*time.Millisecond, time.Second))
	told := l.w.between(0, 100*time.Millisecond)
	if l.w.chance(0.6) {
		told = l.w.between(time.Second, 6*time.Second)
	}
	l.w.after(told, func() { l.post(master.LeadershipLost{}) })
}

// end takes the process, or what is left of it, away.
func (l *leader) end() {
	l.dead = true
	if l.channel != nil {
		l.channel.stop()
	}
	for _, t := range l.timers {
		t.cancel()
	}
	l.answers.close()
	for _, m := range l.w.machines {
		for _, k := range m.links {
			if k.l == l {
				k.sever(l.w.soonOrLate(), 0)
			}
		}
	}
	for _, s := range l.w.schedulers {
		for _, st := range s.streams {
			if st.l == l {
				st.sever(l.w.soonOrLate(), 0)
			}
		}
	}
	for i, d := range l.w.deposed {
		if d == l {
			l.w.deposed = append(l.w.deposed[:i:i], l.w.deposed[i+1:]...)
			break
		}
	}
}

// soonOrLate is when an end of a connection notices that the other is gone: at once, or when it misses it.
func (w *world) soonOrLate() time.Duration {
	if w.chance(0.2) {
		return w.between(time.Second, 15*time.Second)
	}
	return w.between(0, 20*time.Millisecond)
}

// found is the leader that somebody who looks for one finds, nil for none. A master that does not know that it has
// been deposed still answers.
func (w *world) found() *leader {
	if n := len(w.deposed); n > 0 && w.chance(0.4) {
		return w.deposed[w.rng.IntN(n)]
	}
	return w.leader
}
