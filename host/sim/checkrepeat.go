package sim

import (
	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// repeatCheck checks when an agent repeats status updates: at once when somebody has come back who is to hear of them,
// and otherwise only when they have waited long enough for their acknowledgement.
type repeatCheck struct {
	c *agentCheck
	// registered is whether the agent was, before the event in hand.
	registered bool
	// sent are the updates that were sent at least once, round those of this round, by their uuids.
	sent, round map[string]bool
	// back are the frameworks that came back in this round; all of them where the master did.
	back map[string]bool
	all  bool
}

func (r *repeatCheck) init(c *agentCheck) {
	r.c, r.sent, r.round, r.back = c, map[string]bool{}, map[string]bool{}, map[string]bool{}
}

// stepped looks at what the machine makes of an event.
func (r *repeatCheck) stepped(ev agent.Event, effects []agent.Effect) {
	was, is := r.registered, r.c.p.a.State().Registered
	r.registered = is
	r.all = r.all && is || is && !was
	if f := r.subscribed(ev); f != "" && was && is {
		r.back[f] = true
	}
	reason := r.mayRepeat(ev)
	_, several := ev.(agent.Synced) // messages have waited for it, and each may be a reason
	said := map[string]bool{}
	for _, e := range effects {
		send, ok := e.(agent.SendMaster)
		if !ok || send.Msg.GetUpdate() == nil {
			continue
		}
		uuid := string(send.Msg.GetUpdate().GetUuid())
		if said[uuid] && !several || r.sent[uuid] && !reason && !r.answers(ev, send.Msg.GetUpdate()) {
			r.c.p.w.violate("%s repeats an update of framework %s for no reason, upon %T", r.c.p.name,
				send.Msg.GetUpdate().GetFrameworkId(), ev)
		}
		said[uuid], r.sent[uuid] = true, true
	}
}

// subscribed is the framework of which an event tells that it has subscribed again.
func (r *repeatCheck) subscribed(ev agent.Event) string {
	if u := r.c.heard(ev).GetUpdateFramework(); u.GetSubscribed() {
		return decode[mesos.FrameworkInfo](u.GetFrameworkInfo()).GetId().GetValue()
	}
	return ""
}

// heard is the message of an event, if it is one that the agent heeds: of its present master.
func (c *agentCheck) heard(ev agent.Event) *linkv1.ToAgent {
	msg, ok := ev.(agent.MasterMessage)
	if !ok || c.p.link == nil || c.p.link.id != string(msg.Conn) || msg.Msg.GetEpoch() < c.p.m.epoch {
		return nil
	}
	return msg.Msg
}

func (r *repeatCheck) mayRepeat(ev agent.Event) bool {
	switch ev := ev.(type) {
	case agent.TimerFired:
		return ev.ID.Kind == agent.TimerUpdate
	case agent.Synced:
		return true // of a new id, with which the agent is registered
	case agent.MasterMessage:
		switch body := ev.Msg.GetBody().(type) {
		case *linkv1.ToAgent_Registered:
			return true
		case *linkv1.ToAgent_UpdateFramework:
			return body.UpdateFramework.GetSubscribed()
		}
	}
	return false
}

// answers tells whether an update answers a KILL of a task that no agent wrote down: whoever asks again hears it again.
func (r *repeatCheck) answers(ev agent.Event, u *linkv1.StatusUpdate) bool {
	kill := r.c.heard(ev).GetKillTask()
	task := r.c.p.w.ledger.task(u.GetFrameworkId(), kill.GetTaskId())
	return kill != nil && kill.GetFrameworkId() == u.GetFrameworkId() && kill.GetTaskId() == u.GetExecutorId() &&
		(task == nil || task.on == nil)
}

// said looks at an update that is sent.
func (r *repeatCheck) said(uuid []byte) { r.round[string(uuid)] = true }

// after looks at the machine after a round: who has come back in it has been told the oldest update of each task.
func (r *repeatCheck) after() {
	if (r.all || len(r.back) > 0) && r.registered && !r.c.leaving {
		contents, _ := record.Read(r.c.p.m.disk.live)
		for _, t := range contents.Tasks {
			if r.all || r.back[t.Framework] {
				r.told(t)
			}
		}
	}
	r.all = false
	clear(r.back)
	clear(r.round)
}

func (r *repeatCheck) told(t record.TaskContents) {
	if r.c.ended[t.Framework] || t.Acknowledged >= len(t.Updates) {
		return
	}
	r.c.p.w.cover.hit("outcome", "updates resumed")
	if uuid := decode[mesos.TaskStatus](t.Updates[t.Acknowledged].Status).GetUuid(); !r.round[string(uuid)] {
		r.c.p.w.violate("%s does not tell of task %s at once when the other side has come back", r.c.p.name, t.ID)
	}
}
