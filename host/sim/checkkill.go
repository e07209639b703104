package sim

import (
	"strings"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// killCheck checks that who asks for a task's end hears of one, and only one.
type killCheck struct {
	c *agentCheck
	// done is set once the agent goes for good and has ended all it had.
	done bool
	// taken are the tasks, by framework and id, that the machine has taken on, be it to refuse them at once.
	taken map[[2]string]bool
	// told are the tasks, by framework and id, whose end was told, with the uuid of that update.
	told map[[2]string]string
}

func (k *killCheck) init(c *agentCheck) {
	k.c, k.taken, k.told = c, map[[2]string]bool{}, map[[2]string]string{}
}

// stepped looks at what the machine makes of an event.
func (k *killCheck) stepped(ev agent.Event, effects []agent.Effect) {
	kill := k.c.heard(ev).GetKillTask()
	if kill == nil || !k.c.p.a.State().Registered || k.done || !k.unknown(kill) {
		kill = nil
	}
	for _, e := range effects {
		switch e := e.(type) {
		case agent.Append:
			k.wrote(e.Ops)
		case agent.Exit, agent.Sync:
			_, leaves := e.(agent.Exit)
			k.done = k.done || leaves || forgets(e)
		case agent.SendMaster:
			if u := e.Msg.GetUpdate(); u != nil && k.said(u) == kill.GetTaskId() {
				kill = nil
			}
		}
	}
	if kill != nil {
		k.c.p.w.violate("%s does not answer a KILL of task %s, which it does not know", k.c.p.name, kill.GetTaskId())
	}
}

// wrote notes the tasks that are to be written down. It may take a while until they are.
func (k *killCheck) wrote(ops []record.Op) {
	for _, op := range ops {
		if kind, rest, _ := strings.Cut(op.Key, "/"); kind == "task" && op.Value != nil {
			framework, task, _ := strings.Cut(rest, "/")
			k.taken[[2]string{framework, task}] = true
		}
	}
}

// unknown tells whether no agent ever wrote the task down, or is about to.
func (k *killCheck) unknown(kill *linkv1.KillTask) bool {
	t := k.c.p.w.ledger.task(kill.GetFrameworkId(), kill.GetTaskId())
	f := k.c.p.a.State().Framework(kill.GetFrameworkId())
	known := f != nil && f.Executor(kill.GetTaskId()) != nil || k.taken[[2]string{kill.GetFrameworkId(), kill.GetTaskId()}]
	return t != nil && t.on == nil && !known && !k.c.ended[kill.GetFrameworkId()]
}

func forgets(e agent.Effect) bool {
	s, ok := e.(agent.Sync)
	if !ok {
		return false
	}
	_, ok = s.Op.(agent.ForgetAgent)
	return ok
}

// said checks that nothing is said of a task after its end, and returns the task.
func (k *killCheck) said(u *linkv1.StatusUpdate) string {
	s := decode[mesos.TaskStatus](u.GetStatus())
	task := [2]string{u.GetFrameworkId(), s.GetTaskId().GetValue()}
	if end, ended := k.told[task]; ended && end != string(u.GetUuid()) {
		k.c.p.w.violate("%s tells of %s of task %s, whose end it has told", k.c.p.name, s.GetState(), task[1])
	}
	if master.Terminal(s.GetState()) {
		k.told[task] = string(u.GetUuid())
	}
	return task[1]
}
