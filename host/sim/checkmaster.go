package sim

import (
	"slices"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// masterCheck checks one leader: its books after each round, and what it says as it says it.
type masterCheck struct {
	l *leader
	// agents are those whose books were checked; the machine makes new values of those that change.
	agents map[string]*master.Agent
	// offered are the offers that each connected framework has been told of on its stream and not used.
	offered map[master.StreamID]map[string]bool
	rounds  int
	replies map[master.ReplyID]bool // those that somebody waits for
}

// fullEvery is after how many rounds everything is checked, and not only what changed.
const fullEvery = 8

func (c *masterCheck) init(l *leader) {
	c.l, c.agents = l, map[string]*master.Agent{}
	c.offered, c.replies = map[master.StreamID]map[string]bool{}, map[master.ReplyID]bool{}
}

// before looks at an event that the machine is about to be given.
func (c *masterCheck) before(ev master.Event) {
	switch ev := ev.(type) {
	case master.Call:
		if ev.Reply != 0 {
			c.replies[ev.Reply] = true
		}
		for _, d := range ev.Denied {
			if d.Operation == master.WholeCall {
				return
			}
		}
		for _, id := range append(ev.Call.GetAccept().GetOfferIds(), ev.Call.GetDecline().GetOfferIds()...) {
			delete(c.offered[ev.Stream], id.GetValue())
		}
	case master.Teardown:
		if ev.Reply != 0 {
			c.replies[ev.Reply] = true
		}
	}
}

// replied looks at an answer to somebody who waits.
func (c *masterCheck) replied(r master.Reply) {
	if !c.replies[r.ID] {
		c.l.w.violate("%s answers %d, who does not wait, or was answered already", c.l.name, r.ID)
	}
	delete(c.replies, r.ID)
}

// said looks at an event that the machine sends to a scheduler.
func (c *masterCheck) said(framework string, id master.StreamID, ev *scheduler.Event) {
	w := c.l.w
	offered := c.offered[id]
	switch ev.GetType() {
	case scheduler.Event_SUBSCRIBED:
		c.offered[id] = map[string]bool{}
	case scheduler.Event_OFFERS:
		for _, o := range ev.GetOffers().GetOffers() {
			if offered == nil || offered[o.GetId().GetValue()] {
				w.violate("%s offers %s on stream %s, which is not open, or twice", c.l.name, o.GetId().GetValue(), id)
				return
			}
			offered[o.GetId().GetValue()] = true
		}
	case scheduler.Event_RESCIND:
		delete(offered, ev.GetRescind().GetOfferId().GetValue())
	case scheduler.Event_FAILURE:
		agent := ev.GetFailure().GetAgentId().GetValue()
		if _, admitted := w.registry.Agents[agent]; admitted && ev.GetFailure().ExecutorId == nil && !c.l.deposed {
			w.violate("%s tells that agent %s is lost, and the registry has it as admitted", c.l.name, agent)
		}
	case scheduler.Event_UPDATE:
		s := ev.GetUpdate().GetStatus()
		if s.GetState() == mesos.TaskState_TASK_UNREACHABLE && !c.l.deposed {
			if _, admitted := w.registry.Agents[s.GetAgentId().GetValue()]; admitted {
				w.violate("%s tells %s that task %s is unreachable, and the registry has its agent as admitted", c.l.name,
					framework, s.GetTaskId().GetValue())
			}
		}
	}
}

// told looks at a message that the machine sends to an agent.
func (c *masterCheck) told(msg *linkv1.ToAgent) {
	w := c.l.w
	if msg.GetEpoch() != c.l.epoch {
		w.violate("%s of epoch %d sends a message of epoch %d", c.l.name, c.l.epoch, msg.GetEpoch())
	}
	switch body := msg.GetBody().(type) {
	case *linkv1.ToAgent_Registered:
		id := body.Registered.GetAgentId()
		if _, admitted := w.registry.Agents[id]; !admitted && !c.l.deposed {
			w.violate("%s tells agent %s that it is registered, and the registry does not have it", c.l.name, id)
		}
	case *linkv1.ToAgent_RunTask:
		fi, ti := decode[mesos.FrameworkInfo](body.RunTask.GetFrameworkInfo()), decode[mesos.TaskInfo](body.RunTask.GetTaskInfo())
		t := w.ledger.task(fi.GetId().GetValue(), ti.GetTaskId().GetValue())
		switch {
		case t == nil:
			w.violate("%s launches task %s, which nobody asked for", c.l.name, ti.GetTaskId().GetValue())
		case t.known:
			w.violate("%s launches task %s a second time", c.l.name, t.id)
		default:
			t.known, t.stray = true, c.l.deposed
			w.ledger.launched++
		}
	case *linkv1.ToAgent_Acknowledge:
		c.acknowledged(body.Acknowledge)
	case *linkv1.ToAgent_ShutdownFramework:
		id := body.ShutdownFramework.GetFrameworkId()
		if c.l.state.Framework(id) != nil {
			w.violate("%s has an agent end framework %s, which is not over", c.l.name, id)
		}
		if f := w.ledger.byID[id]; f != nil {
			f.shutDown = true
		}
	}
}

// acknowledged looks at an acknowledgement: it is the framework's, unless the framework is no more, or was told
// another end of the task already.
func (c *masterCheck) acknowledged(a *linkv1.Acknowledge) {
	w := c.l.w
	t := w.ledger.task(a.GetFrameworkId(), a.GetTaskId())
	if t == nil || len(a.GetUuid()) != 16 {
		return
	}
	uuid := [16]byte(a.GetUuid())
	if !slices.Contains(t.updates, uuid) {
		return // it was made up for a task that the agent does not know
	}
	if !t.acknowledged[uuid] && c.l.state.Framework(a.GetFrameworkId()) != nil {
		t.excused[uuid] = true
		if !c.givenUp(a) {
			w.violate("%s acknowledges an update of task %s which framework %s never did, and the task has not ended otherwise",
				c.l.name, t.id, t.f.name)
		}
	}
	t.passed[uuid] = true
}

// givenUp tells whether the master itself has ended a task.
func (c *masterCheck) givenUp(a *linkv1.Acknowledge) bool {
	for t := range c.l.state.CompletedTasks(a.GetFrameworkId()) {
		if t.ID != a.GetTaskId() {
			continue
		}
		if all := t.Statuses(); len(all) > 0 {
			if last := all[len(all)-1]; master.Terminal(last.GetState()) && len(last.GetUuid()) == 0 {
				return true
			}
		}
	}
	return false
}

// after looks at the state that was published.
func (c *masterCheck) after() {
	c.rounds++
	s := c.l.state
	full := c.rounds%fullEvery == 0
	for a := range s.Agents() {
		if c.agents[a.ID] != a {
			c.agents[a.ID] = a
			c.books(a)
		}
	}
	c.offers(s)
	if full {
		c.everything(s)
	}
}

// books checks that what an agent has is what is free, what tasks use and what is offered.
func (c *masterCheck) books(a *master.Agent) {
	sum := a.Free
	for _, u := range a.Uses {
		for _, r := range []resource.Resources{u.Used, u.Offered} {
			var err error
			if sum, err = sum.Add(r.Unallocate()); err != nil {
				c.l.w.violate("%s: the resources of agent %s do not add up: %v", c.l.name, a.ID, err)
				return
			}
		}
	}
	if !sum.Equal(a.Total) {
		c.l.w.violate("%s: agent %s has %s, but %s are free, used and offered", c.l.name, a.ID, a.Total, sum)
	}
}

// offers checks that offers do not outlive their agent or their framework's stream, and that the frameworks know
// of just those that there are.
func (c *masterCheck) offers(s *master.State) {
	count := map[master.StreamID]int{}
	for o := range s.Offers() {
		f, a := s.Framework(o.Framework), s.Agent(o.Agent)
		switch {
		case a == nil || !a.Connected:
			c.l.w.violate("%s: offer %s outlives its agent", c.l.name, o.ID)
		case f == nil || !f.Connected:
			c.l.w.violate("%s: offer %s outlives its framework's stream", c.l.name, o.ID)
		case !c.offered[f.Stream][o.ID]:
			c.l.w.violate("%s: framework %s was never told of offer %s", c.l.name, f.ID, o.ID)
		default:
			count[f.Stream]++
		}
	}
	for f := range s.Frameworks() {
		if known := len(c.offered[f.Stream]); f.Connected && known != count[f.Stream] {
			c.l.w.violate("%s: framework %s has %d offers, and believes that it has %d", c.l.name, f.ID,
				count[f.Stream], known)
		}
	}
}

// everything checks the books against tasks and offers.
func (c *masterCheck) everything(s *master.State) {
	c.l.channel.compare(s)
	type holding struct{ framework, agent string }
	used, offered := map[holding]resource.Resources{}, map[holding]resource.Resources{}
	add := func(to map[holding]resource.Resources, h holding, r resource.Resources) {
		sum, err := to[h].Add(r)
		if err != nil {
			c.l.w.violate("%s: resources of %v do not add up: %v", c.l.name, h, err)
		}
		to[h] = sum
	}
	for t := range s.Tasks("") {
		if !master.Terminal(t.State) {
			add(used, holding{t.Framework, t.Agent}, t.Resources)
		}
	}
	for o := range s.Offers() {
		add(offered, holding{o.Framework, o.Agent}, o.Resources)
	}
	for a := range s.Agents() {
		for _, u := range a.Uses {
			h := holding{u.Framework, a.ID}
			if !u.Used.Equal(used[h]) || !u.Offered.Equal(offered[h]) {
				c.l.w.violate("%s: the books of agent %s have %s used and %s offered for %s; its tasks and offers have %s and %s",
					c.l.name, a.ID, u.Used, u.Offered, u.Framework, used[h], offered[h])
			}
			delete(used, h)
			delete(offered, h)
		}
	}
	for h, r := range used {
		c.l.w.violate("%s: tasks of %s hold %s of agent %s, which are not on its books", c.l.name, h.framework, r, h.agent)
	}
	for h, r := range offered {
		c.l.w.violate("%s: offers to %s hold %s of agent %s, which are not on its books", c.l.name, h.framework, r, h.agent)
	}
}
