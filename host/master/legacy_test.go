package master

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// TestFrameworkWithoutCapabilities follows a framework that knows nothing newer than Mesos 1.0 through all it does:
// launches, bad tasks of each kind, a kill, reconciliation. The events are those that a Mesos sends.
func TestFrameworkWithoutCapabilities(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	stream, id := r.subscribe(framework("legacy"))
	x := &legacy{rig: r, conn: conn, agent: agent, stream: stream, id: id}

	x.offered()
	x.runs("t-sleep1", mesos.TaskState_TASK_FINISHED)
	x.runs("t-exit3", mesos.TaskState_TASK_FAILED)
	x.launches(command("t-long", agent, "cpus:0.1;mem:32"))
	x.updates("t-long", mesos.TaskState_TASK_STARTING)
	x.updates("t-long", mesos.TaskState_TASK_RUNNING)

	x.reconciles(
		&scheduler.Call_Reconcile_Task{TaskId: taskID("t-long")},
		&scheduler.Call_Reconcile_Task{TaskId: taskID("nope-with-agent"), AgentId: agentID(agent)},
		&scheduler.Call_Reconcile_Task{TaskId: taskID("nope-no-agent")},
	)
	x.wants(
		"t-long RUNNING MASTER RECONCILIATION Reconciliation: Latest task state",
		"nope-with-agent LOST MASTER RECONCILIATION Reconciliation: Task is unknown to the agent",
		"nope-no-agent LOST MASTER RECONCILIATION Reconciliation: Task is unknown",
	)
	x.reconciles()
	x.wants("t-long RUNNING MASTER RECONCILIATION Reconciliation: Latest task state")
	if s := r.lastStatus(stream); s.GetContainerStatus().GetExecutorPid() != 14341 || s.Uuid != nil || s.ExecutorId != nil {
		t.Fatalf("reconciliation says %v", s)
	}

	x.kills("t-long")
	if last := r.links[conn][len(r.links[conn])-1]; last.GetKillTask().GetTaskId() != "t-long" {
		t.Fatalf("the agent was told %v", last)
	}
	x.updates("t-long", mesos.TaskState_TASK_KILLED)
	x.kills("t-nope")
	x.wants("t-nope LOST MASTER RECONCILIATION Reconciliation: Task is unknown")

	x.badTasks()
	x.tolerated()
	r.call(id, stream, accepting([]string{"no-such-offer"}, command("lost1", agent, "cpus:0.1;mem:32")))
	x.wants("lost1 LOST MASTER INVALID_OFFERS Task launched with invalid offers: Offer no-such-offer is no longer valid")

	free := r.m.State().Agent(agent).Free
	if !free.Equal(r.m.State().Agent(agent).Total) {
		t.Fatalf("free in the end: %s", free)
	}
}

// legacy is the framework's view.
type legacy struct {
	*rig
	conn      ConnID
	agent, id string
	stream    StreamID
	n, seen   int
}

func taskID(id string) *mesos.TaskID   { return &mesos.TaskID{Value: proto.String(id)} }
func agentID(id string) *mesos.AgentID { return &mesos.AgentID{Value: proto.String(id)} }

// offered gets an offer of all that is free, in the form that the framework knows.
func (x *legacy) offered() string {
	x.t.Helper()
	free := x.m.State().Agent(x.agent).Free
	id := x.mustOffer(x.id, "*", x.agent, free.String())
	e := x.streams[x.stream][len(x.streams[x.stream])-1]
	o := e.GetOffers().GetOffers()[0]
	if o.AllocationInfo != nil || o.GetHostname() != "h1" || o.GetUrl().GetAddress().GetIp() != "h1" ||
		o.GetUrl().GetAddress().GetPort() != 5051 || len(o.GetAttributes()) != 1 {
		x.t.Fatalf("offer is %v", o)
	}
	for _, r := range o.GetResources() {
		if r.AllocationInfo != nil || r.GetRole() != "*" || len(r.GetReservations()) > 0 { //nolint:staticcheck // what the framework knows
			x.t.Fatalf("offered resource is %v", r)
		}
	}
	x.call(x.id, x.stream, &scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{OfferIds: offerIDs(id)}})
	x.seen = len(x.statuses(x.stream))
	return id
}

// launches launches tasks on an offer of all that is free.
func (x *legacy) launches(tasks ...*mesos.TaskInfo) {
	x.t.Helper()
	offer := x.mustOffer(x.id, "*", x.agent, x.m.State().Agent(x.agent).Free.String())
	x.call(x.id, x.stream, accepting([]string{offer}, tasks...))
}

// updates has the agent tell of a task, the framework hear it and acknowledge it.
func (x *legacy) updates(task string, state mesos.TaskState) {
	x.t.Helper()
	x.n++
	u := update(x.id, x.agent, task, x.n, state, state)
	s := &mesos.TaskStatus{}
	mustDecode(u.GetStatus(), s)
	s.ContainerStatus = &mesos.ContainerStatus{ExecutorPid: proto.Uint32(14341)}
	u.Status = encode(s)
	x.say(x.conn, u)
	x.wants(task + " " + strings.TrimPrefix(state.String(), "TASK_") + " EXECUTOR")
	x.call(x.id, x.stream, acking(x.agent, task, x.n))
	if last := x.links[x.conn][len(x.links[x.conn])-1]; string(last.GetAcknowledge().GetUuid()) != string(uuidOf(x.n)) {
		x.t.Fatalf("the agent was told %v", last)
	}
}

// runs launches a task and sees it through.
func (x *legacy) runs(task string, end mesos.TaskState) {
	x.t.Helper()
	x.launches(command(task, x.agent, "cpus:0.1;mem:32"))
	for _, state := range []mesos.TaskState{mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING, end} {
		x.updates(task, state)
	}
}

func (x *legacy) reconciles(tasks ...*scheduler.Call_Reconcile_Task) {
	x.t.Helper()
	x.call(x.id, x.stream, &scheduler.Call{
		Type: scheduler.Call_RECONCILE.Enum(), Reconcile: &scheduler.Call_Reconcile{Tasks: tasks},
	})
}

func (x *legacy) kills(task string) {
	x.t.Helper()
	x.call(x.id, x.stream, &scheduler.Call{
		Type: scheduler.Call_KILL.Enum(), Kill: &scheduler.Call_Kill{TaskId: taskID(task)},
	})
}

// wants looks whether the framework has heard just this since the last time.
func (x *legacy) wants(lines ...string) {
	x.t.Helper()
	all := x.statuses(x.stream)
	var got []string
	for _, s := range all[x.seen:] {
		got = append(got, line(s))
		if (s.Uuid == nil) != (s.GetSource() == mesos.TaskStatus_SOURCE_MASTER) {
			x.t.Fatalf("a status needs its acknowledgement, or does not: %v", s)
		}
	}
	x.seen = len(all)
	if !slices.Equal(got, lines) {
		x.t.Fatalf("statuses are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

// line is a status in words.
func line(s *mesos.TaskStatus) string {
	parts := []string{
		s.GetTaskId().GetValue(), strings.TrimPrefix(s.GetState().String(), "TASK_"),
		strings.TrimPrefix(s.GetSource().String(), "SOURCE_"),
	}
	if s.Reason != nil {
		parts = append(parts, strings.TrimPrefix(s.GetReason().String(), "REASON_"))
	}
	if s.Message != nil {
		parts = append(parts, s.GetMessage())
	}
	return strings.Join(parts, " ")
}

// badTasks launches what cannot be, one by one.
func (x *legacy) badTasks() {
	x.t.Helper()
	const small = "cpus:0.1;mem:32"
	bad := func(want string, task *mesos.TaskInfo) {
		x.t.Helper()
		x.launches(task)
		x.wants(task.GetTaskId().GetValue() + " ERROR MASTER TASK_INVALID " + want)
	}
	none := command("bad-nores", x.agent, "")
	bad("Task uses no resources", none)
	all := x.m.State().Agent(x.agent).Free.Allocate("*").String()
	bad("Total resources cpus(allocated: *):100000; mem(allocated: *):32 required by task and its executor is more than available "+all,
		command("bad-big", x.agent, "cpus:100000;mem:32"))
	bad("'a/b' contains invalid characters", command("a/b", x.agent, small))
	bad("ID must not be empty", command("", x.agent, small))
	bad("'..' is disallowed", command("..", x.agent, small))
	noCommand := command("bad-nocmd", x.agent, small)
	noCommand.Command = nil
	bad("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present", noCommand)
	bad("Task uses invalid agent no-such-agent while agent "+x.agent+" is expected", command("bad-agent", "no-such-agent", small))
	negative := command("bad-neg", x.agent, small)
	negative.Resources[0].Scalar.Value = proto.Float64(-1)
	bad("Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0", negative)
	bad("Total resources cpus(allocated: *)(reservations: [(STATIC,other)]):0.1; mem(allocated: *):32 required by task and its executor is more than available "+all,
		command("bad-role", x.agent, "cpus(other):0.1;mem:32"))
	unhealthy := command("bad-hc", x.agent, small)
	unhealthy.HealthCheck = &mesos.HealthCheck{}
	bad("Task uses invalid health check: HealthCheck must specify 'type'", unhealthy)
	bad("Total resources cpus(allocated: *):0.1; mem(allocated: *):32; unobtainium(allocated: *):1 required by task and its executor is more than available "+all,
		command("bad-unk", x.agent, "unobtainium:1;cpus:0.1;mem:32"))

	x.launches(command("dup-1", x.agent, small), command("dup-1", x.agent, small))
	x.wants("dup-1 ERROR MASTER TASK_INVALID Task has duplicate ID: dup-1")
	x.updates("dup-1", mesos.TaskState_TASK_RUNNING)
	bad("Task has duplicate ID: dup-1", command("dup-1", x.agent, small))
	x.updates("dup-1", mesos.TaskState_TASK_FINISHED)
	// The id of a completed task may be used again.
	x.runs("dup-1", mesos.TaskState_TASK_FINISHED)
}

// tolerated launches what looks bad and is not.
func (x *legacy) tolerated() {
	x.t.Helper()
	zero := command("bad-zero", x.agent, "cpus:1;mem:32")
	zero.Resources[0].Scalar.Value = proto.Float64(0)
	x.launches(zero)
	x.updates("bad-zero", mesos.TaskState_TASK_FINISHED)
	x.runs("bad-low", mesos.TaskState_TASK_FINISHED)
	x.launches(command("ports", x.agent, "cpus:0.1;mem:32;ports:[31005-31007]"))
	x.updates("ports", mesos.TaskState_TASK_FINISHED)
}
