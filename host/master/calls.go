package master

import (
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// call deals with any call but SUBSCRIBE. What was true when the call was let in is looked at again: the
// framework may have been removed, or may have got another stream.
func (m *Master) call(ev Call) {
	f, _ := m.s.frameworks.get(ev.Framework)
	switch {
	case f == nil || !f.Connected || f.Stream != ev.Stream:
		m.count(countDroppedMessages)
		m.reply(ev.Reply, ReplyConflict, "the framework has been removed or has subscribed anew")
		return
	case f.Principal != ev.Principal && ev.Principal != "":
		m.count(countDroppedMessages)
		m.reply(ev.Reply, ReplyForbidden, "the framework has another principal")
		return
	}
	for _, d := range ev.Denied {
		if d.Operation == WholeCall {
			m.reply(ev.Reply, ReplyForbidden, d.Reason)
			m.info("refused a call", slog.String("framework", f.ID), slog.String("type", ev.Call.GetType().String()),
				slog.String("reason", d.Reason))
			return
		}
	}
	if ev.Call.GetType() == scheduler.Call_UPDATE_FRAMEWORK {
		m.updateFramework(m.editFramework(f.ID), ev.Call.GetUpdateFramework(), ev.Reply)
		return
	}
	m.callOf(f, ev)
	m.reply(ev.Reply, ReplyOK, "")
}

func (m *Master) callOf(f *Framework, ev Call) {
	c := ev.Call
	switch c.GetType() {
	case scheduler.Call_TEARDOWN:
		m.count(countUnregisterFramework)
		m.removeFramework(m.editFramework(f.ID))
	case scheduler.Call_ACCEPT:
		m.acceptOffers(f, c.GetAccept(), ev.Denied)
	case scheduler.Call_DECLINE:
		m.decline(f, c.GetDecline())
	case scheduler.Call_REVIVE:
		m.revive(f, c.GetRevive().GetRoles())
	case scheduler.Call_SUPPRESS:
		m.suppress(f, c.GetSuppress().GetRoles())
	case scheduler.Call_KILL:
		m.kill(f, c.GetKill())
	case scheduler.Call_SHUTDOWN:
		m.shutdownExecutor(f, c.GetShutdown())
	case scheduler.Call_ACKNOWLEDGE:
		m.acknowledge(f, c.GetAcknowledge())
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS:
		m.count(countOperationAcks)
		m.count(countInvalidOperationAcks)
	case scheduler.Call_RECONCILE:
		m.reconcile(f, c.GetReconcile().GetTasks())
	case scheduler.Call_RECONCILE_OPERATIONS:
		m.reconcileOperations(f, c.GetReconcileOperations().GetOperations())
	case scheduler.Call_MESSAGE:
		m.message(f, c.GetMessage())
	case scheduler.Call_REQUEST:
		m.request(f, c.GetRequest().GetRequests())
	case scheduler.Call_ACCEPT_INVERSE_OFFERS, scheduler.Call_DECLINE_INVERSE_OFFERS:
		// No inverse offers are made, so the ids are none of ours, and such ids are ignored.
	default:
		m.count(countDroppedMessages)
	}
}

// decline returns offers, not to be made again for a time. Offers that are no longer valid are ignored.
func (m *Master) decline(f *Framework, call *scheduler.Call_Decline) {
	m.count(countDeclineOffers)
	filter := m.filter(call.GetFilters())
	for _, id := range call.GetOfferIds() {
		if o, _ := m.s.offers.get(id.GetValue()); o != nil && o.Framework == f.ID {
			m.returnOffer(o, false, filter)
		}
	}
}

const (
	defaultRefusal = 5 * time.Second
	maxRefusal     = 365 * 24 * time.Hour
)

// filter is what Filters mean: 5 seconds unless they say something sensible, a year at most, no filter for 0.
func (m *Master) filter(f *mesos.Filters) *allocator.Filter {
	refuse := defaultRefusal
	switch s := f.GetRefuseSeconds(); {
	case f == nil || f.RefuseSeconds == nil || math.IsNaN(s) || s < 0:
	case s == 0:
		return nil
	case s > maxRefusal.Seconds():
		refuse = maxRefusal
	default:
		refuse = time.Duration(s * float64(time.Second))
	}
	return &allocator.Filter{Refuse: max(refuse, m.cfg.AllocationInterval)}
}

// rolesMeant are the roles of a REVIVE or SUPPRESS: all of them if none is named, and nothing at all if one is
// not the framework's.
func rolesMeant(f *Framework, named []string) (roles []string, ok bool) {
	if len(named) == 0 {
		return f.Roles, true
	}
	for _, role := range named {
		if !f.HasRole(role) {
			return nil, false
		}
	}
	return sortedCopy(named), true
}

// revive makes roles get offers again, declined ones too.
func (m *Master) revive(f *Framework, named []string) {
	m.count(countReviveOffers)
	roles, ok := rolesMeant(f, named)
	if !ok {
		m.warn("dropped a REVIVE for roles that are not the framework's", slog.String("framework", f.ID))
		return
	}
	f = m.editFramework(f.ID)
	f.Suppressed = without(f.Suppressed, roles)
	m.updateAllocator(allocator.Revived{Framework: f.ID, Roles: roles})
}

// suppress stops offers for roles. Outstanding ones stay.
func (m *Master) suppress(f *Framework, named []string) {
	m.count(countSuppressOffers)
	roles, ok := rolesMeant(f, named)
	if !ok {
		m.warn("dropped a SUPPRESS for roles that are not the framework's", slog.String("framework", f.ID))
		return
	}
	f = m.editFramework(f.ID)
	f.Suppressed = sortedCopy(slices.Concat(f.Suppressed, roles))
	m.updateAllocator(allocator.FrameworkChanged{Framework: f.forAllocator()})
}

// kill has a task ended. It is passed on each time, so that a framework may ask again.
func (m *Master) kill(f *Framework, call *scheduler.Call_Kill) {
	m.count(countKillTask)
	id, agent := call.GetTaskId().GetValue(), call.GetAgentId().GetValue()
	t, _ := m.s.tasks.get(taskKey(f.ID, id))
	switch {
	case t == nil:
		m.reconcile(f, []*scheduler.Call_Reconcile_Task{{TaskId: call.GetTaskId(), AgentId: call.GetAgentId()}})
		return
	case agent != "" && agent != t.Agent:
		m.warn("dropped a KILL that names another agent than the task's", slog.String("framework", f.ID),
			slog.String("task", id), slog.String("agent", agent))
		return
	case Terminal(t.State):
		return
	}
	msg := &linkv1.KillTask{FrameworkId: f.ID, TaskId: id}
	if call.GetKillPolicy() != nil {
		msg.KillPolicy = encode(call.GetKillPolicy())
	}
	// Whether it gets there nobody knows: the agent may be gone, and its connection not yet broken.
	m.editTask(taskRef{f.ID, id}).kill = msg
	if a, _ := m.s.agents.get(t.Agent); a != nil && a.Connected {
		m.tell(a, &linkv1.ToAgent{Body: &linkv1.ToAgent_KillTask{KillTask: msg}})
	}
}

// shutdownExecutor has an executor ended, if its agent can be told.
func (m *Master) shutdownExecutor(f *Framework, call *scheduler.Call_Shutdown) {
	a, _ := m.s.agents.get(call.GetAgentId().GetValue())
	if a == nil || !a.Connected {
		m.warn("dropped a SHUTDOWN for an agent that is not connected", slog.String("framework", f.ID),
			slog.String("agent", call.GetAgentId().GetValue()))
		return
	}
	m.tell(a, &linkv1.ToAgent{Body: &linkv1.ToAgent_ShutdownExecutor{ShutdownExecutor: &linkv1.ShutdownExecutor{
		FrameworkId: f.ID, ExecutorId: call.GetExecutorId().GetValue(),
	}}})
}

// message passes data on to an executor, if its agent can be told.
func (m *Master) message(f *Framework, call *scheduler.Call_Message) {
	m.count(countFrameworkMessages)
	a, _ := m.s.agents.get(call.GetAgentId().GetValue())
	if a == nil || !a.Connected {
		m.count(countInvalidFrameworkMessages)
		return
	}
	m.count(countValidFrameworkMessages)
	m.tell(a, &linkv1.ToAgent{Body: &linkv1.ToAgent_Message{Message: &linkv1.FrameworkMessage{
		FrameworkId: f.ID, ExecutorId: call.GetExecutorId().GetValue(), Data: call.GetData(),
	}}})
}

// request passes a framework's wishes on to the allocator.
func (m *Master) request(f *Framework, requests []*mesos.Request) {
	m.count(countResourceRequest)
	for _, r := range requests {
		if resources, err := wire.FromMesos(r.GetResources()); err == nil {
			m.updateAllocator(allocator.Requested{
				Framework: f.ID, Agent: r.GetAgentId().GetValue(), Resources: resources,
			})
		}
	}
}

// teardown removes a framework at an operator's wish.
func (m *Master) teardown(ev Teardown) {
	f := m.editFramework(ev.Framework)
	if f == nil {
		m.reply(ev.Reply, ReplyNotFound, "No framework found with specified ID")
		return
	}
	m.info("tearing down a framework", slog.String("framework", f.ID), slog.String("principal", ev.Principal))
	m.removeFramework(f)
	m.reply(ev.Reply, ReplyOK, "")
}
