package master

import (
	"log/slog"
	"time"

	"github.com/mezzo-cluster/mezzo/host/clock"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"google.golang.org/protobuf/proto"
)

// Master is the state machine. It is driven by Step and read through State, from one goroutine.
type Master struct {
	cfg Config
	now clock.Time
	out []Effect
	// over is set when the leadership is lost: the machine does nothing any more.
	over bool
	// fresh is set until the first step, which sets the timers of the epoch.
	fresh bool

	s         State
	published *State
	// rev is the revision under way: an object of this revision has not been published, and may be changed.
	rev uint64

	nextFramework, nextAgent, nextOffer, nextCommit uint64
	nextCompleted                                   uint64

	conns   map[ConnID]*conn
	commits map[uint64]commit
	// busy has the agents for which a commit is under way.
	busy map[string]uint64
	// waiting has, by agent, the registration that is to be looked at when the agent's commit is done.
	waiting map[string]*registration
	// instances has the agent of each work directory that has registered with this master.
	instances map[string]string

	// What follows finds things that the state holds. It is derived from the state, and kept beside it since
	// no reader needs it.

	tasksOn       map[string]map[taskRef]struct{} // by agent
	offersOn      map[string]map[string]struct{}  // by agent
	offersOf      map[string]map[string]struct{}  // by framework
	completedTask map[taskRef]string              // key in completedT
	completedFw   map[string]string               // key in completed
	completedN    map[string]int                  // completed tasks kept, by framework
	unreachable   map[string][]taskRef            // unreachable tasks by framework, oldest first
	unreachableOn map[string]map[taskRef]struct{} // the same by agent
	addresses     map[string]string               // the agent of an HTTP address

	recoveryAt time.Duration // monotonic; when the agents of the registry must have come back
	registryAt time.Duration
	// paused is set while the authorizer is down: nobody is removed for not having come back.
	paused   bool
	pausedAt time.Duration
	// agentTasks counts tasks by framework and agent.
	agentTasks map[string]map[string]int
	// interned has the resources of the latest tasks, to be shared by tasks that have the same.
	interned   [8]resource.Resources
	nextIntern int
	// proposed is what the allocator has proposed and what has not been judged.
	proposed []allocator.Allocation
	// reconciling has what frameworks are still to be told of their tasks.
	reconciling map[string]reconciliation
}

// taskRef names a task.
type taskRef struct{ framework, task string }

// New returns a machine for one epoch, which knows what the registry holds. Its first step should be Started.
func New(cfg Config, reg *registry.State, t clock.Time) *Master {
	cfg = cfg.withDefaults()
	m := &Master{
		cfg: cfg, now: t, rev: 1, fresh: true,
		conns: map[ConnID]*conn{}, commits: map[uint64]commit{}, busy: map[string]uint64{},
		waiting: map[string]*registration{}, instances: map[string]string{},
		tasksOn: map[string]map[taskRef]struct{}{}, offersOn: map[string]map[string]struct{}{},
		offersOf: map[string]map[string]struct{}{}, completedTask: map[taskRef]string{},
		completedFw: map[string]string{}, completedN: map[string]int{}, unreachable: map[string][]taskRef{},
		reconciling: map[string]reconciliation{}, agentTasks: map[string]map[string]int{},
		unreachableOn: map[string]map[taskRef]struct{}{}, addresses: map[string]string{},
	}
	m.s = State{
		leader: Leader{
			ID: cfg.ID, Epoch: cfg.Epoch, Info: cfg.Info, Started: cfg.Started, Elected: t.Wall,
		},
		frameworks: newTree[*Framework](), completed: newTree[*Framework](), agents: newTree[*Agent](),
		recovered: newTree[*RecoveredAgent](), unreachable: newTree[time.Time](), gone: newTree[time.Time](),
		tasks: newTree[*Task](), completedT: newTree[*Task](), unreachT: newTree[*Task](), offers: newTree[*Offer](),
		counters: &Counters{}, stepped: t.Wall,
		region: cfg.Info.GetDomain().GetFaultDomain().GetRegion().GetName(),
	}
	m.recover(reg)
	return m
}

// recover takes over what the registry holds.
func (m *Master) recover(reg *registry.State) {
	for id, a := range reg.Agents {
		info := &mesos.AgentInfo{}
		hostname := ""
		if proto.Unmarshal(a.Info, info) == nil {
			hostname = info.GetHostname()
		}
		m.s.recovered.set(id, &RecoveredAgent{ID: id, Encoded: a.Info, Hostname: hostname})
	}
	for id, at := range reg.Unreachable {
		m.s.unreachable.set(id, at)
	}
	for id, at := range reg.Gone {
		m.s.gone.set(id, at)
	}
}

// Step deals with one event and returns what is to be done about it, in order. The caller publishes State before
// it carries out the effects, and may take several steps before that.
func (m *Master) Step(t clock.Time, ev Event) []Effect {
	if m.over {
		return nil
	}
	m.now, m.out = t, nil
	m.s.stepped = t.Wall
	m.published = nil
	if m.fresh {
		m.fresh = false
		m.begin()
	}
	m.dispatch(ev)
	out := m.out
	m.out = nil
	return out
}

func (m *Master) dispatch(ev Event) {
	switch ev := ev.(type) {
	case Started:
	case Subscribe:
		m.subscribe(ev)
	case StreamClosed:
		m.streamClosed(ev)
	case Call:
		m.call(ev)
	case AgentConnected:
		m.conns[ev.Conn] = &conn{
			id: ev.Conn, principal: ev.Principal, address: ev.Address, instance: ev.Hello.GetInstance(),
		}
	case AgentMessage:
		m.agentMessage(ev)
	case AgentGone:
		m.agentGone(ev.Conn)
	case Committed:
		m.committed(ev.ID)
	case LeadershipLost:
		m.leadershipLost()
	case TimerFired:
		m.timerFired(ev.ID)
	case Teardown:
		m.teardown(ev)
	case Allocations:
		m.allocations(ev)
	case AllocatorReady:
		m.allocatorReady(ev.Generation)
	case AllocatorDown:
		m.s.allocator.Ready, m.proposed = false, nil
	case AuthorizerDown:
		m.authorizerDown()
	case AuthorizerReady:
		m.authorizerReady()
	}
}

// State returns what the master knows now. Calling it between two steps again returns the same value.
func (m *Master) State() *State {
	if m.published == nil {
		view := m.s
		view.frameworks, view.completed = m.s.frameworks.view(), m.s.completed.view()
		view.agents, view.recovered = m.s.agents.view(), m.s.recovered.view()
		view.unreachable, view.gone = m.s.unreachable.view(), m.s.gone.view()
		view.tasks, view.completedT, view.unreachT = m.s.tasks.view(), m.s.completedT.view(), m.s.unreachT.view()
		view.offers = m.s.offers.view()
		m.published = &view
		m.rev++
	}
	return m.published
}

// leadershipLost ends the machine. Agents and schedulers find the next leader by themselves.
func (m *Master) leadershipLost() {
	for f := range m.s.frameworks.below("") {
		if f.Connected {
			m.emit(CloseStream{Stream: f.Stream})
		}
	}
	for _, id := range sortedKeys(m.conns) {
		m.emit(CloseAgent{Conn: id})
	}
	m.over = true
}

// emit appends an effect.
func (m *Master) emit(e Effect) { m.out = append(m.out, e) }

func (m *Master) log(level slog.Level, msg string, attrs ...slog.Attr) {
	m.emit(Log{Level: level, Msg: msg, Attrs: attrs})
}

func (m *Master) info(msg string, attrs ...slog.Attr) { m.log(slog.LevelInfo, msg, attrs...) }
func (m *Master) warn(msg string, attrs ...slog.Attr) { m.log(slog.LevelWarn, msg, attrs...) }

// send sends an event to a framework, if it is connected.
func (m *Master) send(f *Framework, e *scheduler.Event) {
	if f.Connected {
		m.emit(SendScheduler{Framework: f.ID, Stream: f.Stream, Event: e})
	}
}

// tell sends a message to an agent, if it is connected.
func (m *Master) tell(a *Agent, msg *linkv1.ToAgent) {
	if a.Connected {
		m.sendConn(a.Conn, msg)
	}
}

func (m *Master) sendConn(c ConnID, msg *linkv1.ToAgent) {
	msg.Epoch = m.cfg.Epoch
	m.emit(SendAgent{Conn: c, Msg: msg})
}

// updateAllocator tells the allocator what has happened.
func (m *Master) updateAllocator(u allocator.Update) {
	m.s.sequence++
	m.emit(AllocatorUpdate{Seq: m.s.sequence, Update: u})
}

// count adds one to a counter.
func (m *Master) count(c counter) { m.counters().fixed[c]++ }

func (m *Master) counters() *Counters {
	if m.s.counters.rev != m.rev {
		c := *m.s.counters
		c.rev = m.rev
		m.s.counters = &c
	}
	return m.s.counters
}
