// Package supervise decides when a plugin is started, started again, and given an alarm: a state machine
// without clock, process or goroutine. It imports the standard library only.
package supervise

import (
	"math/rand/v2"
	"time"
)

// State is where a plugin stands.
type State string

const (
	// Starting: the process is being started and configured.
	Starting State = "starting"
	// Ready: it answers.
	Ready State = "ready"
	// BackingOff: it ended or did not start, and is started again after a while.
	BackingOff State = "backing_off"
	// Failed: it keeps ending. It is still started again, every so often, and an alarm is shown.
	Failed State = "failed"
	// Stopping: it is being stopped, for good.
	Stopping State = "stopping"
)

// The back-off doubles from Least to Most, each time shortened at random by up to a quarter, so that the
// agents of a cluster do not start theirs in step.
const (
	Least = 100 * time.Millisecond
	Most  = 30 * time.Second
	// Settled is how long a plugin must have been ready for its earlier ends to be forgotten.
	Settled = time.Minute
)

// Event is what happened to a plugin.
type Event uint8

const (
	// Started: it was started and configured.
	Started Event = iota + 1
	// Ended: its process ended, did not start, did not take its configuration, or was killed for not answering.
	Ended
	// Waited: the time set by the last action has passed.
	Waited
	// Replaced: another process took its place, ready, without an end in between.
	Replaced
	// Stop: it is not wanted any more.
	Stop
)

// Action is what is to be done now.
type Action struct {
	// Start the process.
	Start bool
	// Wait is after which time Waited is due; zero for none, which also voids an earlier one.
	Wait time.Duration
	// Alarm says that the plugin has just become Failed.
	Alarm bool
	// Kill what is left of the process.
	Kill bool
}

// Machine is one plugin's supervision. It is not safe for concurrent use.
type Machine struct {
	state    State
	restarts int
	ends     int // in a row, none of them after a settled time
	readyAt  time.Time
	random   *rand.Rand
}

// New is a machine in the state Starting, whose first action, to start the process, is the caller's.
func New(random *rand.Rand) *Machine { return &Machine{state: Starting, random: random} }

// State is the present state.
func (m *Machine) State() State { return m.state }

// Restarts counts how often the process was started again.
func (m *Machine) Restarts() int { return m.restarts }

// Step takes an event in. An event that makes no sense in the present state changes nothing.
func (m *Machine) Step(now time.Time, event Event) Action {
	if m.state == Stopping {
		return Action{}
	}
	switch event {
	case Stop:
		m.state = Stopping
		return Action{Kill: true}
	case Started:
		if m.state == Starting {
			m.state, m.readyAt = Ready, now
		}
		return Action{}
	case Replaced:
		m.state, m.readyAt, m.ends = Ready, now, 0
		return Action{}
	case Ended:
		return m.ended(now)
	case Waited:
		if m.state == BackingOff || m.state == Failed {
			m.state = Starting
			m.restarts++
			return Action{Start: true}
		}
	}
	return Action{}
}

func (m *Machine) ended(now time.Time) Action {
	switch m.state {
	case Ready:
		if now.Sub(m.readyAt) >= Settled {
			m.ends = 0
		}
	case Starting:
	default:
		return Action{}
	}
	full := Most
	if m.ends < 16 {
		full = min(Most, Least<<m.ends)
	}
	m.ends++
	action := Action{Kill: true, Wait: full - time.Duration(m.random.Int64N(int64(full/4)))}
	m.state = BackingOff
	if full == Most {
		m.state = Failed
		// The alarm is given once, not at each of the attempts that follow.
		action.Alarm = m.ends == firstFailed
	}
	return action
}

// firstFailed is the number of ends in a row at which the back-off is at its longest: Least<<9 passes Most.
const firstFailed = 10
