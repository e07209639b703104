package agent

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/clock"
	"github.com/mezzo-cluster/mezzo/host/mutant"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Agent is the machine. It is stepped by one goroutine; only State may be called from others.
type Agent struct {
	cfg Config
	now clock.Time // of the event in hand

	agentID string
	info    *mesos.AgentInfo // with the id; replaced, never changed
	epoch   uint64
	link    link
	syncs   syncs

	frameworks  map[string]*framework
	byContainer map[string]*task
	free        resource.Resources // of the total, unallocated
	used        resource.Resources // allocated to roles
	exit        *exit              // not nil once the agent is to end
	timers      map[TimerID]time.Duration
	counts      counts

	ops     []record.Op // of this step
	effects []Effect    // of this step

	onStart []func() // what the recovery left to do
	view    view
}

// New builds an Agent from what was recovered; of a new agent that is nothing. The first event must be Started.
func New(cfg Config, rec Recovered, t clock.Time) *Agent {
	a := &Agent{
		cfg:         cfg.withDefaults(),
		now:         t,
		agentID:     rec.AgentID,
		epoch:       rec.Contents.Epoch,
		frameworks:  map[string]*framework{},
		byContainer: map[string]*task{},
		free:        cfg.Resources.Unallocate(),
		timers:      map[TimerID]time.Duration{},
	}
	a.setInfo()
	a.view.init(a.cfg, t.Wall)
	a.recover(rec)
	a.publish()
	return a
}

// State returns what the Agent was after the last Step. It may be called from any goroutine.
func (a *Agent) State() *State { return a.view.state.Load() }

// Step deals with an event, publishes the state that follows, and returns what is to be done, in order. The slice
// is the caller's.
func (a *Agent) Step(t clock.Time, ev Event) []Effect {
	a.now = t
	a.handle(ev)
	effects := a.effects
	if len(a.ops) > 0 {
		// One step's records come first, and together: whatever of the step is seen anywhere, a later agent
		// will know of the whole of it.
		effects = append([]Effect{Append{Ops: a.ops}}, effects...)
		if mutant.LateCheckpoint {
			effects = append(effects[1:], effects[0])
		}
	}
	a.ops, a.effects = nil, nil
	a.publish()
	return effects
}

func (a *Agent) handle(ev Event) {
	switch e := ev.(type) {
	case Started:
		for _, do := range a.onStart {
			do()
		}
		a.onStart = nil
	case MasterConnected:
		a.masterConnected(e)
	case MasterMessage:
		a.masterMessage(e)
	case MasterGone:
		a.masterGone(e)
	case ContainerEvent:
		a.containerEvent(e.Event)
	case TimerFired:
		a.timerFired(e.ID)
	case Synced:
		a.synced(e.ID)
	case Authorized:
		a.authorized(e)
	case SandboxRemoved:
		a.sandboxRemoved(e)
	case Shutdown:
		a.shutdown(e.Reason, true)
	}
}

func (a *Agent) setInfo() {
	a.info = proto.CloneOf(a.cfg.Info)
	if a.agentID != "" {
		a.info.Id = &mesos.AgentID{Value: proto.String(a.agentID)}
	}
}

func (a *Agent) emit(e Effect) { a.effects = append(a.effects, e) }

func (a *Agent) write(key string, value []byte) {
	a.ops = append(a.ops, record.Op{Key: key, Value: value})
}

func (a *Agent) log(level slog.Level, msg string, attrs ...slog.Attr) {
	a.emit(Log{Level: level, Msg: msg, Attrs: attrs})
}

func (a *Agent) setTimer(id TimerID, after time.Duration) {
	after = max(after, 0)
	a.timers[id] = a.now.Mono + after
	a.emit(SetTimer{ID: id, After: after})
}

func (a *Agent) cancelTimer(id TimerID) {
	if _, set := a.timers[id]; set {
		delete(a.timers, id)
		a.emit(CancelTimer{ID: id})
	}
}

// timerFired drops what was cancelled, or set anew, while it was on its way.
func (a *Agent) timerFired(id TimerID) {
	due, set := a.timers[id]
	if !set || a.now.Mono < due {
		return
	}
	delete(a.timers, id)
	switch id.Kind {
	case TimerPing:
		a.masterSilent()
	case TimerRegister:
		a.register()
	case TimerSandbox:
		a.removeSandbox(id.Key)
	case TimerExit:
		a.exitLate()
	default:
		if t := a.taskByKey(id.Key); t != nil {
			a.taskTimer(id.Kind, t)
		}
	}
}

func (a *Agent) taskTimer(kind TimerKind, t *task) {
	switch kind {
	case TimerUpdate:
		a.resend(t)
	case TimerKill:
		a.forceKill(t)
	case TimerCompletion:
		a.completionTimeReached(t)
	case TimerCleanup:
		a.cleanupLate(t)
	}
}

// sortedFrameworks is the frameworks in the order of their ids: effects must not depend on a map's order.
func (a *Agent) sortedFrameworks() []*framework {
	out := make([]*framework, 0, len(a.frameworks))
	for _, id := range sortedKeys(a.frameworks) {
		out = append(out, a.frameworks[id])
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
