package master

import (
	"errors"
	"log/slog"
	"slices"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
	"google.golang.org/protobuf/proto"
)

// acceptance is an ACCEPT being carried out: operations in order, on what is left of the offers.
type acceptance struct {
	m      *Master
	f      *Framework
	agent  *Agent
	role   string
	left   resource.Resources // carries the role
	denied []Denial
	untold untold
}

// acceptOffers deals with ACCEPT: offers of one agent and role are taken together, operations use them up in
// order, and what is left goes back.
func (m *Master) acceptOffers(f *Framework, call *scheduler.Call_Accept, denied []Denial) {
	m.countAccept(call)
	offers, err := m.checkOffers(f, call.GetOfferIds())
	if err != nil {
		m.acceptInvalid(f, call, offers, err)
		return
	}
	x := &acceptance{m: m, f: f, agent: m.editAgent(offers[0].Agent), role: offers[0].Role, denied: denied}
	for _, o := range offers {
		m.dropOffer(o)
		x.left = sumOf(x.left, o.Resources)
	}
	for i, op := range call.GetOperations() {
		x.operate(i, op)
	}
	m.logUntold(f, x.untold)
	if x.left.IsEmpty() {
		return
	}
	x.agent.unoffer(f.ID, x.left)
	m.updateAllocator(allocator.Recovered{
		Framework: f.ID, Agent: x.agent.ID, Resources: x.left, Filter: m.filter(call.GetFilters()),
	})
}

// countAccept counts launches, and as declining what launches nothing.
func (m *Master) countAccept(call *scheduler.Call_Accept) {
	if len(call.GetOperations()) == 0 {
		m.count(countDeclineOffers)
	}
	for _, op := range call.GetOperations() {
		switch op.GetType() {
		case mesos.Offer_Operation_LAUNCH:
			if len(op.GetLaunch().GetTaskInfos()) == 0 {
				m.count(countDeclineOffers)
				continue
			}
			m.count(countLaunchTasks)
		case mesos.Offer_Operation_LAUNCH_GROUP:
			m.count(countLaunchTasks)
		}
	}
}

// checkOffers returns those of an ACCEPT's offers that the framework holds, and says what is wrong with the list.
func (m *Master) checkOffers(f *Framework, ids []*mesos.OfferID) ([]*Offer, error) {
	var held []*Offer
	var wrong error
	for _, id := range ids {
		o, _ := m.s.offers.get(id.GetValue())
		switch {
		case o == nil || o.Framework != f.ID:
			wrong = errors.Join(wrong, mesosErrorf("Offer %s is no longer valid", id.GetValue()))
			continue
		case slices.Contains(held, o):
			wrong = errors.Join(wrong, mesosErrorf("Duplicate offer %s in offer list", o.ID))
			continue
		}
		held = append(held, o)
	}
	if wrong != nil {
		return held, wrong
	}
	if len(held) == 0 {
		return nil, mesosErrorf("No offers specified")
	}
	for _, o := range held[1:] {
		if o.Agent != held[0].Agent {
			return held, mesosErrorf("Aggregated offers must belong to one single agent. Offer %s uses agent %s and offer %s uses agent %s",
				held[0].ID, held[0].Agent, o.ID, o.Agent)
		}
		if o.Role != held[0].Role {
			return held, mesosErrorf("Aggregated offers must be allocated to the same role. Offer %s uses role '%s' and offer %s uses role '%s'",
				held[0].ID, held[0].Role, o.ID, o.Role)
		}
	}
	return held, nil
}

// acceptInvalid deals with an ACCEPT of offers that are not valid: nothing of it is carried out, and the valid
// ones go back at once.
func (m *Master) acceptInvalid(f *Framework, call *scheduler.Call_Accept, held []*Offer, wrong error) {
	for _, o := range held {
		m.returnOffer(o, false, nil)
	}
	state := lostOr(f, mesos.TaskState_TASK_DROPPED)
	var untold untold
	for _, op := range call.GetOperations() {
		tasks := op.GetLaunch().GetTaskInfos()
		if op.GetType() == mesos.Offer_Operation_LAUNCH_GROUP {
			tasks = op.GetLaunchGroup().GetTaskGroup().GetTasks()
		}
		for _, t := range tasks {
			m.rejectTask(f, t, state, mesos.TaskStatus_REASON_INVALID_OFFERS,
				"Task launched with invalid offers: "+wrong.Error())
		}
		if len(tasks) == 0 {
			m.failOperation(f, op, "", "Operation attempted with invalid offers: "+wrong.Error(), &untold)
		}
	}
	m.logUntold(f, untold)
}

// rejectTask tells the framework of a task that was never launched.
func (m *Master) rejectTask(f *Framework, t *mesos.TaskInfo, state mesos.TaskState, reason mesos.TaskStatus_Reason,
	message string,
) {
	s := m.ownStatus(t.GetTaskId().GetValue(), t.GetAgentId().GetValue(), state, reason, message)
	m.countEnd(state, s)
	m.sendStatus(f, s)
}

// untold are the operations of one ACCEPT that failed and that the framework does not want to be told of.
type untold struct {
	count  int
	first  mesos.Offer_Operation_Type
	reason string // of the first
}

// logUntold has one line for all of them: a call may have a million.
func (m *Master) logUntold(f *Framework, u untold) {
	if u.count > 0 {
		m.warn("dropped operations", slog.String("framework", f.ID), slog.Int("operations", u.count),
			slog.String("first", u.first.String()), slog.String("reason", u.reason))
	}
}

// failOperation tells the framework of an operation that was not carried out, if it wants to know.
func (m *Master) failOperation(f *Framework, op *mesos.Offer_Operation, agent, message string, u *untold) {
	if op.GetId() == nil {
		if u.count++; u.count == 1 {
			u.first, u.reason = op.GetType(), message
		}
		return
	}
	status := &mesos.OperationStatus{
		OperationId: op.GetId(), State: mesos.OperationState_OPERATION_ERROR.Enum(), Message: proto.String(message),
	}
	if agent != "" {
		status.AgentId = &mesos.AgentID{Value: proto.String(agent)}
	}
	m.send(f, &scheduler.Event{
		Type:                  scheduler.Event_UPDATE_OPERATION_STATUS.Enum(),
		UpdateOperationStatus: &scheduler.Event_UpdateOperationStatus{Status: status},
	})
}

// operate carries out one operation.
func (x *acceptance) operate(index int, op *mesos.Offer_Operation) {
	switch op.GetType() {
	case mesos.Offer_Operation_LAUNCH:
		for i, t := range op.GetLaunch().GetTaskInfos() {
			x.launch(op, t, x.denial(index, i))
		}
	case mesos.Offer_Operation_LAUNCH_GROUP:
		x.launchGroup(index, op)
	case mesos.Offer_Operation_UNKNOWN:
		x.m.failOperation(x.f, op, x.agent.ID, "Unknown operation", &x.untold)
	default:
		why := x.denial(index, WholeCall)
		if why == "" {
			why = "This release carries out LAUNCH only, not " + op.GetType().String()
		}
		x.m.failOperation(x.f, op, x.agent.ID, why, &x.untold)
	}
}

// denial is why the authorizer refuses a task of an operation, empty if it does not.
func (x *acceptance) denial(operation, task int) string {
	for _, d := range x.denied {
		if d.Operation == operation && (d.Task == task || d.Task == WholeCall) {
			return d.Reason
		}
	}
	return ""
}

// launch launches one task, or tells the framework why not.
func (x *acceptance) launch(op *mesos.Offer_Operation, info *mesos.TaskInfo, denied string) {
	if denied != "" {
		x.m.rejectTask(x.f, info, mesos.TaskState_TASK_ERROR, mesos.TaskStatus_REASON_TASK_UNAUTHORIZED, denied)
		return
	}
	need, err := x.checkTask(op, info)
	if err != nil {
		x.m.rejectTask(x.f, info, mesos.TaskState_TASK_ERROR, mesos.TaskStatus_REASON_TASK_INVALID, err.Error())
		return
	}
	x.left = less(x.left, need)
	x.agent.launch(x.f.ID, need)
	info.Resources = wire.ToMesos(need, wire.Format{RefinedReservations: true, AllocationInfo: true})
	t := &Task{
		Framework: x.f.ID, ID: info.GetTaskId().GetValue(), Agent: x.agent.ID, Encoded: encode(info),
		Resources: x.m.intern(need), State: mesos.TaskState_TASK_STAGING, UpdateState: mesos.TaskState_TASK_STAGING,
	}
	x.m.addTask(t)
	x.m.tell(x.agent, &linkv1.ToAgent{Body: &linkv1.ToAgent_RunTask{
		RunTask: &linkv1.RunTask{FrameworkInfo: x.f.Encoded, TaskInfo: t.Encoded},
	}})
}

// launchGroup launches nothing: agents of this release do not run executors. All tasks err together.
func (x *acceptance) launchGroup(index int, op *mesos.Offer_Operation) {
	group := op.GetLaunchGroup()
	reason, why := mesos.TaskStatus_REASON_TASK_GROUP_INVALID, "Task groups need an executor, which agents of this release do not run"
	if err := x.checkGroup(op); err != nil {
		why = err.Error()
	}
	for i := range group.GetTaskGroup().GetTasks() {
		if denied := x.denial(index, i); denied != "" {
			reason, why = mesos.TaskStatus_REASON_TASK_GROUP_UNAUTHORIZED, denied
			break
		}
	}
	for _, t := range group.GetTaskGroup().GetTasks() {
		x.m.rejectTask(x.f, t, mesos.TaskState_TASK_ERROR, reason, why)
	}
}
