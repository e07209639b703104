package sim

import (
	"strings"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// agentCheck checks one agent's process: what it writes, and that it says nothing that is not written.
type agentCheck struct {
	p *process
	// starting is set until the recovery is through, leaving when the agent goes for good, exits when it ends.
	starting, leaving, exits bool
	// ended has the frameworks that the agent was told to end.
	ended   map[string]bool
	updates map[string][]byte // uuids by update key
	repeats repeatCheck
	kills   killCheck
}

func (c *agentCheck) init(p *process, found record.Contents) {
	c.p, c.starting, c.ended, c.updates = p, true, map[string]bool{}, map[string][]byte{}
	c.repeats.init(c)
	c.kills.init(c)
	for _, t := range found.Tasks {
		for i, u := range t.Updates {
			c.updates[record.UpdateKey(t.Framework, t.ID, uint64(i))] = decode[mesos.TaskStatus](u.Status).GetUuid()
		}
	}
}

// before looks at an event that the machine is about to be given.
func (c *agentCheck) before(ev agent.Event) {
	switch ev := ev.(type) {
	case agent.MasterMessage:
		switch body := ev.Msg.GetBody().(type) {
		case *linkv1.ToAgent_ShutdownFramework:
			c.ended[body.ShutdownFramework.GetFrameworkId()] = true
		}
	case agent.Shutdown:
		c.leaving = true
	}
}

// stepped looks at what the machine makes of an event: nothing, if it comes from a master whose term is over.
func (c *agentCheck) stepped(ev agent.Event, effects []agent.Effect) {
	m := c.p.m
	c.repeats.stepped(ev, effects)
	c.kills.stepped(ev, effects)
	var epoch uint64
	switch ev := ev.(type) {
	case agent.MasterConnected:
		epoch = ev.Epoch
	case agent.MasterMessage:
		epoch = ev.Msg.GetEpoch()
	default:
		return
	}
	if epoch >= m.epoch {
		return
	}
	for _, e := range effects {
		switch e.(type) {
		case agent.Log, agent.Reconnect, agent.CancelTimer:
		default:
			m.w.violate("%s has seen epoch %d, and yet acts upon a message of epoch %d: %T", c.p.name, m.epoch, epoch, e)
			return
		}
	}
}

// said looks at a message to the master.
func (c *agentCheck) said(msg *linkv1.ToMaster) {
	u := msg.GetUpdate()
	if u == nil {
		return
	}
	w := c.p.w
	c.repeats.said(u.GetUuid())
	s := decode[mesos.TaskStatus](u.GetStatus())
	if c.leaving || c.ended[u.GetFrameworkId()] {
		return // sent once, for the master's books, and forgotten at the same time
	}
	if _, there := c.p.m.disk.live[record.TaskKey(u.GetFrameworkId(), s.GetTaskId().GetValue())]; !there {
		if s.GetReason() != mesos.TaskStatus_REASON_EXECUTOR_TERMINATED {
			w.violate("%s sends an update of task %s, which is not written down", c.p.name, s.GetTaskId().GetValue())
		}
		return
	}
	for n := uint64(0); ; n++ {
		uuid, there := c.updates[record.UpdateKey(u.GetFrameworkId(), s.GetTaskId().GetValue(), n)]
		if !there {
			w.violate("%s sends update %s of task %s, which is not written down", c.p.name, s.GetState(),
				s.GetTaskId().GetValue())
			return
		}
		if string(uuid) == string(u.GetUuid()) {
			return
		}
	}
}

// wrote looks at what was appended to the run store.
func (c *agentCheck) wrote(ops []record.Op) {
	for _, op := range ops {
		kind, rest, _ := strings.Cut(op.Key, "/")
		ids := strings.Split(rest, "/")
		switch {
		case op.Key == record.EpochKey():
			contents, _ := record.Read(map[string][]byte{op.Key: op.Value})
			c.p.m.epoch = max(c.p.m.epoch, contents.Epoch)
		case kind == "task" && op.Value != nil:
			if t := c.p.w.ledger.task(ids[0], ids[1]); t != nil {
				t.on = c.p.m
			}
		case kind == "update" && op.Value != nil:
			c.wroteUpdate(op, ids)
		case kind == "acknowledged" && op.Value != nil:
			c.wroteAcknowledged(ids)
		case kind == "update":
			c.erased(op, ids)
		}
	}
}

func (c *agentCheck) wroteUpdate(op record.Op, ids []string) {
	contents, errs := record.Read(map[string][]byte{
		record.TaskKey(ids[0], ids[1]): record.Task{}.Encode(), record.UpdateKey(ids[0], ids[1], 0): op.Value,
	})
	if len(errs) > 0 || len(contents.Tasks) != 1 || len(contents.Tasks[0].Updates) != 1 {
		c.p.w.violate("%s writes an update that cannot be read: %v", c.p.name, errs)
		return
	}
	uuid := decode[mesos.TaskStatus](contents.Tasks[0].Updates[0].Status).GetUuid()
	c.updates[op.Key] = uuid
	if t := c.p.w.ledger.task(ids[0], ids[1]); t != nil {
		t.updates = append(t.updates, [16]byte(uuid))
		c.p.w.ledger.updates++
	}
}

// wroteAcknowledged checks that all that is written as acknowledged was.
func (c *agentCheck) wroteAcknowledged(ids []string) {
	live, part := c.p.m.disk.live, map[string][]byte{}
	for _, key := range []string{record.TaskKey(ids[0], ids[1]), record.AckKey(ids[0], ids[1])} {
		part[key] = live[key]
	}
	for n := uint64(0); live[record.UpdateKey(ids[0], ids[1], n)] != nil; n++ {
		key := record.UpdateKey(ids[0], ids[1], n)
		part[key] = live[key]
	}
	contents, _ := record.Read(part)
	for _, t := range contents.Tasks {
		for _, u := range t.Updates[:t.Acknowledged] {
			c.wasAcknowledged(t.Framework, t.ID, decode[mesos.TaskStatus](u.Status).GetUuid())
		}
	}
}

// erased checks that an update that is forgotten was acknowledged, or that nobody is there to do it.
func (c *agentCheck) erased(op record.Op, ids []string) {
	uuid := c.updates[op.Key]
	delete(c.updates, op.Key)
	t := c.p.w.ledger.task(ids[0], ids[1])
	switch {
	case t == nil, c.leaving, c.exits, c.ended[ids[0]], t.rebooted, c.starting && !t.f.checkpoint:
	default:
		c.wasAcknowledged(ids[0], ids[1], uuid)
	}
}

func (c *agentCheck) wasAcknowledged(framework, id string, uuid []byte) {
	t := c.p.w.ledger.task(framework, id)
	if t != nil && len(uuid) == 16 && !t.passed[[16]byte(uuid)] {
		c.p.w.violate("%s takes an update of task %s as acknowledged, or forgets it; no master told it so", c.p.name, id)
	}
}

// after looks at the machine after a round.
func (c *agentCheck) after() {
	c.starting = false
	c.repeats.after()
	m := c.p.m
	if s := c.p.a.State(); !s.Total.Contains(s.Used.Unallocate()) {
		m.w.violate("%s: tasks hold %s of %s", c.p.name, s.Used, s.Total)
	}
}
