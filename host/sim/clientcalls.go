package sim

import (
	"time"

	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"google.golang.org/protobuf/proto"
)

// update takes a status update, and acknowledges it: at once, late, or not until it is sent again.
func (s *client) update(status *mesos.TaskStatus) {
	s.w.ledger.heard(s.owner, status, s.stream.l)
	if len(status.GetUuid()) == 0 {
		return
	}
	acknowledge := func() { s.acknowledge(status) }
	switch {
	case s.w.calm || !s.w.chance(s.w.plan.lazy):
		acknowledge()
	case s.w.chance(0.7):
		s.soon(100*time.Millisecond, 12*time.Second, acknowledge)
	default:
		s.w.cover.hit("outcome", "update not acknowledged")
	}
}

func (s *client) acknowledge(status *mesos.TaskStatus) {
	if s.call(&scheduler.Call{Type: scheduler.Call_ACKNOWLEDGE.Enum(), Acknowledge: &scheduler.Call_Acknowledge{
		AgentId: status.GetAgentId(), TaskId: status.GetTaskId(), Uuid: status.GetUuid(),
	}}) {
		s.w.ledger.acknowledged(s.owner, status)
	}
}

// tick does, now and then, one of the things that schedulers do by themselves.
func (s *client) tick() {
	if s.w.calm {
		s.calmTick()
		return
	}
	s.soon(200*time.Millisecond, 2*time.Second, s.tick)
	open := s.owner.open()
	switch n := s.w.rng.IntN(100); {
	case n < 25 && len(open) > 0:
		s.killTask(open[s.w.rng.IntN(len(open))])
	case n < 35:
		s.reconcile(open)
	case n < 40:
		s.reconcile(nil)
	case n < 50:
		s.suppressed = false
		s.call(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum(), Revive: &scheduler.Call_Revive{}})
	case n < 53:
		s.suppressed = true
		s.call(&scheduler.Call{Type: scheduler.Call_SUPPRESS.Enum(), Suppress: &scheduler.Call_Suppress{}})
	case n < 58:
		s.decide()
	case n < 70 && len(open) > 0:
		s.meddle(open[s.w.rng.IntN(len(open))])
	case n < 74:
		s.change()
	case n < 75 && s.w.chance(0.4):
		if s.call(&scheduler.Call{Type: scheduler.Call_TEARDOWN.Enum()}) {
			s.owner.tornDown = true
		}
	}
}

// calmTick brings the client's view up to date, and wants no more.
func (s *client) calmTick() {
	s.soon(time.Second, 5*time.Second, s.tick)
	s.decide()
	if open := s.owner.open(); len(open) > 0 {
		s.reconcile(open)
	}
}

func (s *client) killTask(t *task) {
	kill := &scheduler.Call_Kill{TaskId: &mesos.TaskID{Value: proto.String(t.id)}}
	if s.w.chance(0.7) {
		kill.AgentId = &mesos.AgentID{Value: proto.String(t.agent)}
	}
	if s.w.chance(0.3) {
		kill.KillPolicy = killPolicy(s.w.between(0, 2*time.Second))
	}
	s.call(&scheduler.Call{Type: scheduler.Call_KILL.Enum(), Kill: kill})
}

// reconcile asks how tasks are; for none, how all are.
func (s *client) reconcile(tasks []*task) {
	c := &scheduler.Call_Reconcile{}
	for _, t := range tasks {
		one := &scheduler.Call_Reconcile_Task{TaskId: &mesos.TaskID{Value: proto.String(t.id)}}
		if s.w.calm || s.w.chance(0.8) {
			one.AgentId = &mesos.AgentID{Value: proto.String(t.agent)}
		}
		c.Tasks = append(c.Tasks, one)
	}
	s.call(&scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: c})
}

// meddle does what command tasks do not need.
func (s *client) meddle(t *task) {
	agent, executor := &mesos.AgentID{Value: proto.String(t.agent)}, &mesos.ExecutorID{Value: proto.String(t.id)}
	switch s.w.rng.IntN(4) {
	case 0:
		s.call(&scheduler.Call{Type: scheduler.Call_MESSAGE.Enum(), Message: &scheduler.Call_Message{
			AgentId: agent, ExecutorId: executor, Data: []byte("hello"),
		}})
	case 1:
		s.call(&scheduler.Call{Type: scheduler.Call_SHUTDOWN.Enum(), Shutdown: &scheduler.Call_Shutdown{
			AgentId: agent, ExecutorId: executor,
		}})
	case 2:
		s.call(&scheduler.Call{Type: scheduler.Call_REQUEST.Enum(), Request: &scheduler.Call_Request{
			Requests: []*mesos.Request{{AgentId: agent}},
		}})
	case 3:
		s.call(&scheduler.Call{
			Type: scheduler.Call_KILL.Enum(),
			Kill: &scheduler.Call_Kill{TaskId: &mesos.TaskID{Value: proto.String("no-such-task")}, AgentId: agent},
		}, master.Denial{Operation: master.WholeCall, Task: master.WholeCall, Reason: "Not authorized to kill"})
	}
}

// change updates the framework's own description: its roles, if it has a list of them, and its failover timeout.
func (s *client) change() {
	if s.info.GetFailoverTimeout() == 0 {
		return
	}
	if s.has(mesos.FrameworkInfo_Capability_MULTI_ROLE) {
		s.info.Roles = roleSets[s.w.rng.IntN(len(roleSets))]
	}
	s.suppressed = false
	s.call(&scheduler.Call{Type: scheduler.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: &scheduler.Call_UpdateFramework{
		FrameworkInfo: s.info,
	}})
}
