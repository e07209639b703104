package master

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// fakeAgent behaves as an agent does, over a link that keeps messages back until they are delivered.
type fakeAgent struct {
	host, id string
	conn     ConnID // empty: not connected
	heard    int    // messages of the connection that were delivered
	says     []any  // what is on its way to the master
	tasks    []*fakeTask
	nextUUID *int
}

// fakeTask is a task on an agent, with the updates that await acknowledgement.
type fakeTask struct {
	framework, id string
	info          []byte
	state         mesos.TaskState
	updates       []fakeUpdate
	past          [][]byte
	n             int // updates so far
}

type fakeUpdate struct {
	uuid, n int
	state   mesos.TaskState
}

func (a *fakeAgent) find(framework, id string) *fakeTask {
	for _, t := range a.tasks {
		if t.framework == framework && t.id == id {
			return t
		}
	}
	return nil
}

// becomes gives a task a new state, of which an update tells.
func (a *fakeAgent) becomes(t *fakeTask, state mesos.TaskState) {
	if Terminal(t.state) {
		return
	}
	*a.nextUUID++
	t.n++
	t.state = state
	t.updates = append(t.updates, fakeUpdate{*a.nextUUID, t.n, state})
	t.past = append(t.past, a.status(t, t.updates[len(t.updates)-1]).GetStatus())
	if len(t.updates) == 1 {
		a.resend(t)
	}
}

// status is an update as it is sent. Its message counts the task's updates.
func (a *fakeAgent) status(t *fakeTask, u fakeUpdate) *linkv1.StatusUpdate {
	out := update(t.framework, a.id, t.id, u.uuid, u.state, t.state)
	s := &mesos.TaskStatus{}
	mustDecode(out.GetStatus(), s)
	s.Message = proto.String(fmt.Sprint(u.n))
	out.Status = encode(s)
	return out
}

// resend sends the oldest update of a task that awaits acknowledgement.
func (a *fakeAgent) resend(t *fakeTask) {
	if a.conn != "" && a.id != "" && len(t.updates) > 0 {
		a.says = append(a.says, a.status(t, t.updates[0]))
	}
}

// registering is what the agent says when it has connected.
func (a *fakeAgent) registering() *linkv1.Register {
	reg := registering(agentInfo(a.id, a.host), nil)
	seen := map[string]bool{}
	for _, t := range a.tasks {
		lt := &linkv1.Task{
			FrameworkId: t.framework, TaskInfo: t.info, ExecutorId: t.id, LatestState: int32(t.state), Statuses: t.past,
		}
		if len(t.updates) > 0 {
			lt.StatusUpdateState, lt.StatusUpdateUuid = int32(t.updates[0].state), uuidOf(t.updates[0].uuid)
		}
		reg.Tasks = append(reg.Tasks, lt)
		if !seen[t.framework] {
			seen[t.framework] = true
			reg.FrameworkInfos = append(reg.FrameworkInfos, encode(withID(framework(t.framework, partitionAware), t.framework)))
		}
	}
	return reg
}

// hears deals with a message of the master.
func (a *fakeAgent) hears(msg *linkv1.ToAgent) {
	switch b := msg.GetBody().(type) {
	case *linkv1.ToAgent_Registered:
		a.id = b.Registered.GetAgentId()
		for _, t := range a.tasks {
			a.resend(t)
		}
	case *linkv1.ToAgent_Ping:
		a.says = append(a.says, &linkv1.Pong{Number: b.Ping.GetNumber()})
	case *linkv1.ToAgent_RunTask:
		a.runs(b.RunTask)
	case *linkv1.ToAgent_KillTask:
		if t := a.find(b.KillTask.GetFrameworkId(), b.KillTask.GetTaskId()); t != nil {
			a.becomes(t, mesos.TaskState_TASK_KILLED)
		}
	case *linkv1.ToAgent_ShutdownFramework:
		for _, t := range a.tasks {
			if t.framework == b.ShutdownFramework.GetFrameworkId() {
				a.becomes(t, mesos.TaskState_TASK_KILLED)
			}
		}
	case *linkv1.ToAgent_Acknowledge:
		a.acknowledged(b.Acknowledge)
	}
}

func (a *fakeAgent) runs(run *linkv1.RunTask) {
	info, f := &mesos.TaskInfo{}, &mesos.FrameworkInfo{}
	mustDecode(run.GetTaskInfo(), info)
	mustDecode(run.GetFrameworkInfo(), f)
	t := &fakeTask{
		framework: f.GetId().GetValue(), id: info.GetTaskId().GetValue(), info: run.GetTaskInfo(),
		state: mesos.TaskState_TASK_STAGING,
	}
	if a.find(t.framework, t.id) == nil {
		a.tasks = append(a.tasks, t)
		a.becomes(t, mesos.TaskState_TASK_STARTING)
	}
}

func (a *fakeAgent) acknowledged(ack *linkv1.Acknowledge) {
	t := a.find(ack.GetFrameworkId(), ack.GetTaskId())
	if t == nil || len(t.updates) == 0 || string(uuidOf(t.updates[0].uuid)) != string(ack.GetUuid()) {
		return
	}
	t.updates = t.updates[1:]
	if len(t.updates) == 0 && Terminal(t.state) {
		a.tasks = slices.DeleteFunc(a.tasks, func(x *fakeTask) bool { return x == t })
		return
	}
	a.resend(t)
}

// fakeFramework behaves as a scheduler does, and remembers what it heard of its tasks.
type fakeFramework struct {
	id     string
	stream StreamID // empty: not connected
	heard  int      // events of the stream that were dealt with
	offers []*mesos.Offer
	// launched are the tasks it asked for, by the agent.
	launched map[string]string
	order    []string
	tasks    map[string]*heardTask
	over     bool
}

// heardTask is what a framework heard of a task.
type heardTask struct {
	n     int                      // the latest update of the agent
	ends  map[mesos.TaskState]bool // terminal states it was told, but by reconciliation
	final bool                     // some way or other, it has ended
}

// hears deals with an event; it returns calls to make.
func (f *fakeFramework) hears(t failer, e *scheduler.Event) []*scheduler.Call {
	t.Helper()
	switch e.GetType() {
	case scheduler.Event_OFFERS:
		f.offers = append(f.offers, e.GetOffers().GetOffers()...)
	case scheduler.Event_RESCIND:
		f.offers = slices.DeleteFunc(f.offers, func(o *mesos.Offer) bool {
			return o.GetId().GetValue() == e.GetRescind().GetOfferId().GetValue()
		})
	case scheduler.Event_UPDATE:
		return f.hearsStatus(t, e.GetUpdate().GetStatus())
	}
	return nil
}

func (f *fakeFramework) hearsStatus(t failer, s *mesos.TaskStatus) []*scheduler.Call {
	t.Helper()
	id := s.GetTaskId().GetValue()
	h := f.tasks[id]
	if h == nil {
		h = &heardTask{ends: map[mesos.TaskState]bool{}}
		f.tasks[id] = h
	}
	if Terminal(s.GetState()) || s.GetState() == mesos.TaskState_TASK_UNKNOWN {
		h.final = true
		if s.GetMessage() != "Reconciliation: Task is unknown to the agent" || s.GetState() == mesos.TaskState_TASK_DROPPED {
			h.ends[s.GetState()] = true
		}
		if len(h.ends) > 1 {
			t.Fatalf("task %s of %s ended twice: %v, now %v", id, f.id, h.ends, s)
		}
	} else if len(h.ends) > 0 && s.GetReason() != mesos.TaskStatus_REASON_RECONCILIATION {
		t.Fatalf("task %s of %s goes on after its end: %v", id, f.id, s)
	}
	if s.Uuid == nil {
		return nil
	}
	n := 0
	_, _ = fmt.Sscan(s.GetMessage(), &n)
	if n != h.n && n != h.n+1 {
		t.Fatalf("task %s of %s: update %d comes after update %d", id, f.id, n, h.n)
	}
	h.n = n
	return []*scheduler.Call{{Type: scheduler.Call_ACKNOWLEDGE.Enum(), Acknowledge: &scheduler.Call_Acknowledge{
		AgentId: s.GetAgentId(), TaskId: s.GetTaskId(), Uuid: s.GetUuid(),
	}}}
}

// part is some of what is free.
func part(free resource.Resources, cpus, mem resource.Scalar) resource.Resources {
	out, err := resource.New(
		resource.Resource{Name: "cpus", Scalar: min(cpus, free.Amount("cpus"))},
		resource.Resource{Name: "mem", Scalar: min(mem, free.Amount("mem"))},
	)
	if err != nil {
		panic(err)
	}
	return out
}
