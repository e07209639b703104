package sim

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/mezzo-cluster/mezzo/host/clock"
	"github.com/mezzo-cluster/mezzo/host/registry"
)

// Options say which run it is.
type Options struct {
	// Seed decides everything that happens.
	Seed uint64
	// Steps is how many events the machines are given before the faults stop and the run is brought to its end,
	// which takes some hundred more.
	Steps int
	// Trace is where each event and effect is written in words, nil for nowhere.
	Trace io.Writer
}

// Result is what became of a run.
type Result struct {
	Seed uint64
	// Steps is how many events the machines of masters and agents were given, Effects how many came out.
	Steps, Effects int
	// Time is how much virtual time has passed.
	Time time.Duration
	// Tasks is how many tasks the masters launched, Ended how many of them have ended, Updates how many status
	// updates agents wrote down, Faults how many faults there were.
	Tasks, Ended, Updates, Faults int
	// Hash covers every event and every effect. Two runs of one seed have the same.
	Hash     string
	Coverage Coverage
	// Err is the first rule that was broken, nil if none was.
	Err error
}

// world is one run.
type world struct {
	opts   Options
	rng    *rand.Rand
	plan   plan
	now    time.Duration
	agenda agenda
	trace  *tracer
	cover  Coverage
	log    *slog.Logger
	steps  int
	popped int
	broken error
	// calm is set when the faults are over, and the world is to come to rest.
	calm bool

	registry   *registry.State
	raft       raft
	epoch      uint64
	leader     *leader // the one that Raft has chosen, nil between terms
	deposed    []*leader
	elections  int
	skew       time.Duration // of the masters' wall clock
	machines   []*machine
	schedulers []*client
	ledger     ledger
	effects    int
	faults     int
	lastID     int
}

// epochStart is the wall-clock time when every world begins.
var epochStart = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// Run makes a run from its beginning to its end. It never panics: what panics in a machine is a broken rule.
func Run(o Options) Result {
	w := &world{
		opts: o, rng: rand.New(rand.NewPCG(o.Seed, 0x6d657a7a6f)), //nolint:gosec // a simulation, no secret
		cover: Coverage{}, registry: registry.NewState(), log: slog.New(slog.DiscardHandler),
	}
	w.trace = newTracer(w, o.Trace)
	w.ledger = newLedger(w)
	w.guard(func() {
		w.begin()
		for w.broken == nil && w.steps < o.Steps && w.advance() {
		}
		if w.broken == nil {
			w.settle()
		}
	})
	return Result{
		Seed: o.Seed, Steps: w.steps, Effects: w.effects, Time: w.now, Tasks: w.ledger.launched,
		Ended: w.ledger.ended(), Updates: w.ledger.updates, Faults: w.faults, Hash: w.trace.hash(),
		Coverage: w.cover, Err: w.broken,
	}
}

// guard turns a panic into a broken rule.
func (w *world) guard(do func()) {
	defer func() {
		if p := recover(); p != nil {
			w.violate("a machine panicked: %v\n%s", p, debug.Stack())
		}
	}()
	do()
}

// begin makes the world.
func (w *world) begin() {
	w.plan = newPlan(w.rng)
	w.elect(0)
	for i := range w.plan.machines {
		w.machines = append(w.machines, newMachine(w, i))
	}
	for i := range w.plan.schedulers {
		w.schedulers = append(w.schedulers, newClient(w, i))
	}
	for _, m := range w.machines {
		w.after(w.between(0, 200*time.Millisecond), m.start)
	}
	for _, s := range w.schedulers {
		w.after(w.between(0, 500*time.Millisecond), s.start)
	}
	w.scheduleFault()
}

// advance lets the next thing happen. It reports whether there was one.
func (w *world) advance() bool {
	e := w.agenda.next()
	if e == nil {
		w.violate("nothing will ever happen again")
		return false
	}
	w.now = e.at
	w.popped++
	e.do()
	return true
}

// after has something happen a while from now.
func (w *world) after(d time.Duration, do func()) *entry { return w.agenda.add(w.now+max(d, 0), do) }

// violate notes that a rule is broken. The first time counts.
func (w *world) violate(format string, args ...any) {
	if w.broken != nil {
		return
	}
	w.broken = fmt.Errorf("step %d, at %s: %w", w.steps, w.now, fmt.Errorf(format, args...))
	w.trace.begin("world", "BROKEN").str("rule", w.broken.Error()).end()
}

// at is the time on a machine whose wall clock is off.
func (w *world) at(skew time.Duration) clock.Time {
	return clock.Time{Wall: epochStart.Add(w.now + skew), Mono: w.now}
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// between draws a duration, evenly.
func (w *world) between(from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + time.Duration(w.rng.Int64N(int64(to-from)))
}

// latency is how long a message takes: little as a rule.
func (w *world) latency() time.Duration {
	if w.chance(w.plan.slowMessages) {
		return w.between(20*time.Millisecond, 600*time.Millisecond)
	}
	return w.between(100*time.Microsecond, 3*time.Millisecond)
}

// id makes a name that is not used twice.
func (w *world) id(prefix string) string {
	w.lastID++
	return prefix + strconv.Itoa(w.lastID)
}

// background is for calls of real code that want a context. Nothing in a simulation waits.
func background() context.Context { return context.Background() }
