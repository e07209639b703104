package agent

import (
	"log/slog"
	"time"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
)

// exitSlack is what an agent that shuts down waits beyond its tasks' grace.
const exitSlack = 30 * time.Second

// exit is an agent that shuts down.
type exit struct {
	reason  string
	leaving bool // at an operator's wish: the agent's id is given up, and the master told
	done    bool
}

// shutdown kills all tasks and then ends the agent.
func (a *Agent) shutdown(reason string, leaving bool) {
	if a.exit != nil {
		return
	}
	level := slog.LevelWarn
	if leaving {
		level = slog.LevelInfo
	}
	a.log(level, "agent shuts down", slog.String("reason", reason))
	a.exit = &exit{reason: reason, leaving: leaving}
	a.cancelTimer(TimerID{Kind: TimerRegister})
	a.setTimer(TimerID{Kind: TimerExit}, a.cfg.ShutdownGrace+exitSlack)
	for _, f := range a.sortedFrameworks() {
		for _, t := range f.sortedTasks() {
			a.endTask(t, a.cfg.ShutdownGrace, causeShutdown)
		}
	}
	a.exitIfDone()
}

// exitIfDone ends the agent once no task has a container any more.
func (a *Agent) exitIfDone() {
	if a.exit == nil || a.exit.done {
		return
	}
	for _, f := range a.frameworks {
		for _, t := range f.tasks {
			if t.phase != phaseTerminated {
				return
			}
		}
	}
	a.exit.done = true
	a.cancelTimer(TimerID{Kind: TimerExit})
	if !a.exit.leaving {
		a.emit(Exit{Failed: true, Reason: a.exit.reason})
		return
	}
	for _, f := range a.sortedFrameworks() {
		for _, t := range f.sortedTasks() {
			a.forget(t)
		}
	}
	a.sync(ForgetAgent{}, func() {
		if a.link.registered {
			a.send(&linkv1.ToMaster{Body: &linkv1.ToMaster_Unregister{Unregister: &linkv1.Unregister{}}})
		}
		a.emit(Exit{Reason: a.exit.reason})
	})
}

func (a *Agent) exitLate() {
	if a.exit == nil || a.exit.done {
		return
	}
	a.exit.done = true
	a.emit(Exit{Failed: true, Reason: a.exit.reason + "; some tasks could not be ended in time"})
}
