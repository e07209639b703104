package agent

import (
	"log/slog"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
)

// keepSandbox sees to it that an ended container's sandbox is removed one day.
func (a *Agent) keepSandbox(t *task) {
	s := &Sandbox{
		Framework: t.framework.id, Executor: t.id, Container: t.container, Directory: t.directory, Ended: t.end.at,
	}
	a.write(record.SandboxKey(s.Container), record.Sandbox{
		Framework: s.Framework, Executor: s.Executor, Container: s.Container, Directory: s.Directory, Ended: s.Ended,
	}.Encode())
	a.scheduleRemoval(s)
}

func (a *Agent) scheduleRemoval(s *Sandbox) {
	a.counts.removals++
	a.view.addSandbox(s)
	a.setTimer(TimerID{Kind: TimerSandbox, Key: s.Directory}, s.Ended.Add(a.cfg.GCDelay).Sub(a.now.Wall))
}

func (a *Agent) removeSandbox(directory string) { a.emit(RemoveSandbox{Directory: directory}) }

// sandboxRemoved forgets a sandbox. One that cannot be removed is forgotten too: whoever made it so has to see to
// it, as the log says.
func (a *Agent) sandboxRemoved(e SandboxRemoved) {
	s := a.view.removeSandbox(e.Directory)
	if s == nil {
		return
	}
	a.counts.removals--
	a.write(record.SandboxKey(s.Container), nil)
	if e.Err != "" {
		a.counts.removalsFailed++
		a.log(slog.LevelError, "sandbox not removed", slog.String("directory", e.Directory), slog.String("error", e.Err))
		return
	}
	a.counts.removalsSucceeded++
}
