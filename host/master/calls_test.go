package master

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

func TestAcknowledgements(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
	count := func(name string) uint64 { return r.m.State().counters.Get(name) }
	acks := func() int {
		n := 0
		for _, m := range r.links[conn] {
			if m.GetAcknowledge() != nil {
				n++
			}
		}
		return n
	}
	// The update that is under way is not the newest state: the resources are free, and the task is not over.
	r.say(conn, update(id, agent, "t", 1, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_FINISHED))
	s := r.m.State()
	if task := s.Task(id, "t"); task.State != mesos.TaskState_TASK_FINISHED || task.UpdateState != mesos.TaskState_TASK_RUNNING ||
		!s.Agent(agent).Free.Equal(s.Agent(agent).Total) {
		t.Fatalf("task is %+v, free is %s", task, s.Agent(agent).Free)
	}
	for name, call := range map[string]*scheduler.Call{
		"wrong uuid": acking(agent, "t", 9), "wrong agent": acking("nowhere", "t", 1), "no update yet": acking(agent, "t", 0),
	} {
		before := count("invalid_status_update_acknowledgements")
		r.call(id, stream, call)
		if acks() != 0 || count("invalid_status_update_acknowledgements") != before+1 {
			t.Errorf("%s: passed on", name)
		}
	}
	r.call(id, stream, acking(agent, "t", 1))
	if acks() != 1 || r.m.State().Task(id, "t") == nil {
		t.Fatal("acknowledging RUNNING completed the task")
	}
	r.say(conn, update(id, agent, "t", 2, mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FINISHED))
	r.say(conn, update(id, agent, "t", 2, mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FINISHED))
	if got := r.statuses(stream); len(got) != 3 || got[2].GetState() != mesos.TaskState_TASK_FINISHED {
		t.Fatalf("an update that was repeated was not passed on: %v", got)
	}
	r.call(id, stream, acking(agent, "t", 2))
	if acks() != 2 || r.m.State().Task(id, "t") != nil || r.m.State().completedT.len() != 1 {
		t.Fatal("acknowledging FINISHED did not complete the task")
	}
	// The acknowledgement got lost, and the update comes again: the framework has had enough of it.
	r.say(conn, update(id, agent, "t", 2, mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FINISHED))
	if acks() != 3 || len(r.statuses(stream)) != 3 {
		t.Fatal("the update was not acknowledged in the framework's place")
	}
	if count("tasks_finished") != 1 || count("valid_status_updates") != 4 || count("messages_status_update") != 4 {
		t.Fatalf("counters are %+v", r.m.State().counters)
	}
	statuses := slices.Collect(r.m.State().CompletedTasks(id))[0].Statuses()
	if len(statuses) != 2 || statuses[1].GetState() != mesos.TaskState_TASK_FINISHED || statuses[1].GetTaskId().GetValue() != "t" {
		t.Fatalf("statuses are %v", statuses)
	}
}

func TestUpdatesWhileDisconnected(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	info := framework("x")
	old, id := r.subscribe(info)
	r.call(id, old, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
	r.step(StreamClosed{Framework: id, Stream: old})
	r.say(conn, update(id, agent, "t", 1, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_RUNNING))
	stream, _ := r.subscribe(withID(info, id))
	if len(r.statuses(stream)) != 0 || len(r.statuses(old)) != 0 {
		t.Fatal("an update was kept back by the master")
	}
	var told bool
	for _, m := range r.links[conn] {
		told = told || m.GetUpdateFramework().GetSubscribed()
	}
	if !told {
		t.Fatal("the agent does not know that the framework has subscribed again")
	}
	r.say(conn, update(id, agent, "t", 1, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_RUNNING))
	if r.lastStatus(stream).GetState() != mesos.TaskState_TASK_RUNNING {
		t.Fatal("the repeated update was not passed on")
	}
	r.step(Call{Framework: id, Stream: stream, Call: &scheduler.Call{
		Type: scheduler.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: &scheduler.Call_UpdateFramework{FrameworkInfo: withID(info, id)},
	}})
	last := r.links[conn][len(r.links[conn])-1].GetUpdateFramework()
	if last == nil || last.GetSubscribed() {
		t.Fatalf("of a new description the agent is told %v", last)
	}
}

func TestReconcileAllInParts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	var tasks []*mesos.TaskInfo
	var named []*scheduler.Call_Reconcile_Task
	const n = 2*reconcileBatch + 7
	for i := range n {
		tasks = append(tasks, command(fmt.Sprintf("t%d", i), agent, "cpus:0.001;mem:1"))
		named = append(named, &scheduler.Call_Reconcile_Task{TaskId: taskID(fmt.Sprintf("t%d", i))})
	}
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:8;mem:8192")}, tasks...))
	for _, list := range [][]*scheduler.Call_Reconcile_Task{nil, named} {
		before := len(r.statuses(stream))
		r.call(id, stream, &scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: &scheduler.Call_Reconcile{Tasks: list}})
		if got := len(r.statuses(stream)) - before; got != reconcileBatch {
			t.Fatalf("%d statuses at first", got)
		}
		r.advance(time.Millisecond)
		seen := map[string]bool{}
		for _, s := range r.statuses(stream)[before:] {
			seen[s.GetTaskId().GetValue()] = true
		}
		if got := len(r.statuses(stream)) - before; got != n || len(seen) != n || len(r.m.reconciling) != 0 {
			t.Fatalf("%d statuses of %d tasks", got, len(seen))
		}
	}
}

func TestReconcileOperations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	ask := func(agent string) *mesos.OperationStatus {
		op := &scheduler.Call_ReconcileOperations_Operation{OperationId: &mesos.OperationID{Value: proto.String("nope")}}
		if agent != "" {
			op.AgentId = agentID(agent)
		}
		r.call(id, stream, &scheduler.Call{
			Type:                scheduler.Call_RECONCILE_OPERATIONS.Enum(),
			ReconcileOperations: &scheduler.Call_ReconcileOperations{Operations: []*scheduler.Call_ReconcileOperations_Operation{op}},
		})
		return r.streams[stream][len(r.streams[stream])-1].GetUpdateOperationStatus().GetStatus()
	}
	if s := ask(agent); s.GetState() != mesos.OperationState_OPERATION_UNKNOWN || s.GetMessage() != "Reconciliation: Operation is unknown" ||
		s.GetAgentId().GetValue() != agent || s.Uuid != nil {
		t.Fatalf("status is %v", s)
	}
	r.advance(80 * time.Second)
	if s := ask(agent); s.GetState() != mesos.OperationState_OPERATION_UNREACHABLE {
		t.Fatalf("status is %v", s)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	send := func(agent string) {
		r.call(id, stream, &scheduler.Call{Type: scheduler.Call_MESSAGE.Enum(), Message: &scheduler.Call_Message{
			AgentId: agentID(agent), ExecutorId: &mesos.ExecutorID{Value: proto.String("e")}, Data: []byte("hi"),
		}})
	}
	send(agent)
	send("nowhere")
	got := r.links[conn][len(r.links[conn])-1].GetMessage()
	if string(got.GetData()) != "hi" || got.GetFrameworkId() != id || got.GetExecutorId() != "e" {
		t.Fatalf("the agent was told %v", got)
	}
	r.say(conn, &linkv1.FrameworkMessage{FrameworkId: id, ExecutorId: "e", Data: []byte("there")})
	r.say(conn, &linkv1.FrameworkMessage{FrameworkId: "nobody", ExecutorId: "e"})
	r.say(conn, &linkv1.ExecutorExited{FrameworkId: id, ExecutorId: "e", Status: 9})
	events := r.streams[stream]
	if m := events[len(events)-2].GetMessage(); string(m.GetData()) != "there" || m.GetAgentId().GetValue() != agent {
		t.Fatalf("message is %v", m)
	}
	if f := events[len(events)-1].GetFailure(); f.GetStatus() != 9 || f.GetExecutorId().GetValue() != "e" {
		t.Fatalf("failure is %v", f)
	}
	r.call(id, stream, &scheduler.Call{Type: scheduler.Call_SHUTDOWN.Enum(), Shutdown: &scheduler.Call_Shutdown{
		AgentId: agentID(agent), ExecutorId: &mesos.ExecutorID{Value: proto.String("e")},
	}})
	if s := r.links[conn][len(r.links[conn])-1].GetShutdownExecutor(); s.GetExecutorId() != "e" {
		t.Fatalf("the agent was told %v", s)
	}
	r.call(id, stream, &scheduler.Call{Type: scheduler.Call_REQUEST.Enum(), Request: &scheduler.Call_Request{
		Requests: []*mesos.Request{{Resources: command("", "", "cpus:3").GetResources()}},
	}})
	if u, ok := r.did[0].(AllocatorUpdate); !ok || u.Update.(allocator.Requested).Resources.Amount("cpus") != 3000 {
		t.Fatalf("did %v", r.did)
	}
	metrics := r.m.State().Metrics(r.now.Wall)
	for name, want := range map[string]float64{
		"valid_framework_to_executor_messages": 1, "invalid_framework_to_executor_messages": 1, "messages_exited_executor": 1,
		"valid_executor_to_framework_messages": 1, "invalid_executor_to_framework_messages": 1, "messages_resource_request": 1,
		"elected": 1, "slaves_active": 1, "cpus_total": 8, "frameworks_connected": 1, "operations/reserve/pending": 0,
		"tasks_running": 0, "slave_registrations": 1, "messages_register_framework": 1,
	} {
		if got, found := metrics["master/"+name]; got != want || !found {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
	kill := func(k *scheduler.Call_Kill) int {
		k.TaskId = taskID("t")
		r.call(id, stream, &scheduler.Call{Type: scheduler.Call_KILL.Enum(), Kill: k})
		n := 0
		for _, m := range r.links[conn] {
			if m.GetKillTask() != nil {
				n++
			}
		}
		return n
	}
	if n := kill(&scheduler.Call_Kill{AgentId: agentID("other")}); n != 0 {
		t.Fatal("a KILL for another agent was passed on")
	}
	policy := &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: proto.Int64(5)}}
	if n := kill(&scheduler.Call_Kill{KillPolicy: policy}); n != 1 {
		t.Fatal("the KILL was not passed on")
	}
	if got := r.links[conn][len(r.links[conn])-1].GetKillTask().GetKillPolicy(); string(got) != string(encode(policy)) {
		t.Fatalf("policy is %x", got)
	}
	if n := kill(&scheduler.Call_Kill{AgentId: agentID(agent)}); n != 2 {
		t.Fatal("the second KILL was not passed on")
	}
}

func TestTaskParts(t *testing.T) {
	t.Parallel()
	const secret = mesos.Environment_Variable_SECRET
	variable := func(v *mesos.Environment_Variable) func(*mesos.TaskInfo) {
		return func(i *mesos.TaskInfo) {
			v.Name = proto.String("V")
			i.Command.Environment = &mesos.Environment{Variables: []*mesos.Environment_Variable{v}}
		}
	}
	limit := func(name string, value float64) func(*mesos.TaskInfo) {
		return func(i *mesos.TaskInfo) {
			i.Limits = map[string]*mesos.Value_Scalar{name: {Value: proto.Float64(value)}}
		}
	}
	cases := map[string]struct {
		change func(*mesos.TaskInfo)
		want   string // part of the message; empty: launched
	}{
		"good": {func(*mesos.TaskInfo) {}, ""},
		"grace": {func(i *mesos.TaskInfo) {
			i.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: proto.Int64(-1)}}
		}, "'kill_policy.grace_period' must be non-negative"},
		"completion time": {func(i *mesos.TaskInfo) {
			i.MaxCompletionTime = &mesos.DurationInfo{Nanoseconds: proto.Int64(-1)}
		}, "'max_completion_time' must be non-negative"},
		"half a gpu": {func(i *mesos.TaskInfo) {
			i.Resources = append(i.Resources, command("", "", "gpus:1").GetResources()...)
			i.Resources[2].Scalar.Value = proto.Float64(0.5)
		}, "'gpus' resource must be an unsigned integer"},
		"other role": {func(i *mesos.TaskInfo) {
			i.Resources[0].AllocationInfo = &mesos.Resource_AllocationInfo{Role: proto.String("other")}
		}, "must be allocated to the role '*'"},
		"value":             {variable(&mesos.Environment_Variable{Value: proto.String("x")}), ""},
		"no value":          {variable(&mesos.Environment_Variable{}), "must have a value set"},
		"value and secret":  {variable(&mesos.Environment_Variable{Value: proto.String("x"), Secret: &mesos.Secret{}}), "must not have a secret set"},
		"secret with value": {variable(&mesos.Environment_Variable{Type: secret.Enum(), Value: proto.String("x")}), "must not have a value set"},
		"secret with a zero": {variable(&mesos.Environment_Variable{Type: secret.Enum(), Secret: &mesos.Secret{
			Type: mesos.Secret_VALUE.Enum(), Value: &mesos.Secret_Value{Data: []byte{'a', 0}},
		}}), "zero byte"},
		"unknown variable": {variable(&mesos.Environment_Variable{Type: mesos.Environment_Variable_UNKNOWN.Enum()}), "'UNKNOWN' is not allowed"},
		"http path": {func(i *mesos.TaskInfo) {
			i.HealthCheck = &mesos.HealthCheck{Type: mesos.HealthCheck_HTTP.Enum(), Http: &mesos.HealthCheck_HTTPCheckInfo{Path: proto.String("x"), Port: proto.Uint32(1)}}
		}, "must start with '/'"},
		"http scheme": {func(i *mesos.TaskInfo) {
			i.HealthCheck = &mesos.HealthCheck{Type: mesos.HealthCheck_HTTP.Enum(), Http: &mesos.HealthCheck_HTTPCheckInfo{Scheme: proto.String("ftp"), Port: proto.Uint32(1)}}
		}, "Unsupported HTTP health check scheme"},
		"negative delay": {func(i *mesos.TaskInfo) {
			i.HealthCheck = &mesos.HealthCheck{Type: mesos.HealthCheck_TCP.Enum(), Tcp: &mesos.HealthCheck_TCPCheckInfo{Port: proto.Uint32(1)}, DelaySeconds: proto.Float64(-1)}
		}, "'delay_seconds'"},
		"check without its part": {func(i *mesos.TaskInfo) {
			i.Check = &mesos.CheckInfo{Type: mesos.CheckInfo_TCP.Enum()}
		}, "Expecting 'tcp' to be set"},
		"check of no type": {func(i *mesos.TaskInfo) { i.Check = &mesos.CheckInfo{} }, "CheckInfo must specify 'type'"},
		"two sources": {func(i *mesos.TaskInfo) {
			i.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), Volumes: []*mesos.Volume{{
				Mode: mesos.Volume_RW.Enum(), ContainerPath: proto.String("x"), HostPath: proto.String("/x"),
				Source: &mesos.Volume_Source{Type: mesos.Volume_Source_SANDBOX_PATH.Enum()},
			}}}
		}, "Only one of them should be set"},
		"docker name": {func(i *mesos.TaskInfo) {
			i.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_DOCKER.Enum(), Docker: &mesos.ContainerInfo_DockerInfo{
				Image: proto.String("i"), Parameters: []*mesos.Parameter{{Key: proto.String("name"), Value: proto.String("n")}},
			}}
		}, "must not be 'name'"},
		"limit":             {limit("mem", 64), ""},
		"limit of disk":     {limit("disk", 64), "only supported for 'cpus' and 'mem'"},
		"limit too low":     {limit("mem", 16), "less than the request"},
		"limit, no request": {func(i *mesos.TaskInfo) { limit("mem", 64)(i); i.Resources = i.Resources[:1] }, "so must be a request"},
		"both kinds": {func(i *mesos.TaskInfo) {
			i.Executor = &mesos.ExecutorInfo{ExecutorId: &mesos.ExecutorID{Value: proto.String("e")}}
		}, "at least one (but not both)"},
		"long id":   {func(i *mesos.TaskInfo) { i.TaskId = taskID(strings.Repeat("x", 256)) }, "greater than 255 characters"},
		"operation": {func(i *mesos.TaskInfo) { i.Name = proto.String("operation") }, "cannot be set on LAUNCH"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_, agent := r.agent("h1")
			stream, id := r.subscribe(framework("x"))
			task := command("t", agent, "cpus:1;mem:32")
			c.change(task)
			call := accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, task)
			if name == "operation" {
				call.Accept.Operations[0].Id = &mesos.OperationID{Value: proto.String("op")}
			}
			r.call(id, stream, call)
			if c.want == "" {
				if r.m.State().Task(id, "t") == nil {
					t.Fatalf("not launched: %v", r.statuses(stream))
				}
				return
			}
			if s := r.lastStatus(stream); !strings.Contains(s.GetMessage(), c.want) || s.GetReason() != mesos.TaskStatus_REASON_TASK_INVALID {
				t.Fatalf("status is %v", s)
			}
		})
	}
}

func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.MaxCompletedTasks, c.MaxCompletedFrameworks, c.MaxUnreachableTasks = 3, 2, 2 })
	conn, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x", partitionAware))
	run := func(task string) {
		r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:0.1;mem:32")}, command(task, agent, "cpus:0.1;mem:32")))
	}
	for n := range 5 {
		task := fmt.Sprintf("t%d", n)
		run(task)
		r.say(conn, update(id, agent, task, n+1, mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FINISHED))
		r.call(id, stream, acking(agent, task, n+1))
	}
	var kept []string
	for task := range r.m.State().CompletedTasks(id) {
		kept = append(kept, task.ID)
	}
	if !slices.Equal(kept, []string{"t2", "t3", "t4"}) || len(r.m.completedTask) != 3 {
		t.Fatalf("completed tasks are %v", kept)
	}
	for _, task := range []string{"u1", "u2", "u3"} {
		run(task)
	}
	r.advance(80 * time.Second)
	kept = nil
	for task := range r.m.State().UnreachableTasks(id) {
		kept = append(kept, task.ID)
	}
	if !slices.Equal(kept, []string{"u2", "u3"}) {
		t.Fatalf("unreachable tasks are %v", kept)
	}
	r.step(Teardown{Framework: id, Reply: 1})
	r.step(Teardown{Framework: id, Reply: 2})
	if r.replies[1].Code != ReplyOK || r.replies[2].Code != ReplyNotFound {
		t.Fatalf("replies are %v", r.replies)
	}
	if n := r.m.State().completedT.len(); n != 3 {
		t.Fatalf("%d tasks of the completed framework", n)
	}
	for range 2 {
		_, other := r.subscribe(framework("other"))
		r.step(Teardown{Framework: other})
	}
	s := r.m.State()
	if s.completed.len() != 2 || s.completedT.len() != 0 || s.unreachT.len() != 0 {
		t.Fatalf("%d frameworks, %d tasks, %d unreachable tasks are kept", s.completed.len(), s.completedT.len(), s.unreachT.len())
	}
}

func TestStateNeverChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
	old := r.m.State()
	task, a, f, free := *old.Task(id, "t"), *old.Agent(agent), *old.Framework(id), old.Agent(agent).Free
	a.Uses = slices.Clone(a.Uses)
	r.say(conn, update(id, agent, "t", 1, mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FINISHED))
	r.call(id, stream, acking(agent, "t", 1))
	r.mustOffer(id, "*", agent, "cpus:1;mem:64")
	r.step(Teardown{Framework: id})
	if got := old.Task(id, "t"); got == nil || got.State != task.State || len(got.statuses) != 0 {
		t.Fatalf("task became %+v", got)
	}
	if got := old.Agent(agent); got == nil || !got.Free.Equal(free) || len(got.Uses) != len(a.Uses) || !got.Uses[0].Used.Equal(a.Uses[0].Used) {
		t.Fatalf("agent became %+v", got)
	}
	if got := old.Framework(id); got == nil || got.TasksByState != f.TasksByState || !got.Connected || old.offers.len() != 0 {
		t.Fatalf("framework became %+v", got)
	}
	if first := r.m.State(); first != r.m.State() {
		t.Fatal("two reads of one state differ")
	}
}
