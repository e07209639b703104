package master

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

func TestPings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		caps  []mesos.FrameworkInfo_Capability_Type
		state mesos.TaskState
	}{
		"partition aware": {[]mesos.FrameworkInfo_Capability_Type{partitionAware}, mesos.TaskState_TASK_UNREACHABLE},
		"not aware":       {nil, mesos.TaskState_TASK_LOST},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			conn, agent := r.agent("h1")
			stream, id := r.subscribe(framework("x", c.caps...))
			r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
			r.say(conn, update(id, agent, "t", 1, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_RUNNING))
			r.call(id, stream, acking(agent, "t", 1))
			for range 10 {
				r.advance(15 * time.Second)
				r.say(conn, &linkv1.Pong{Number: r.m.State().Agent(agent).ping})
			}
			offer := r.mustOffer(id, "*", agent, "cpus:1;mem:64")
			r.held = true
			r.advance(89 * time.Second)
			if len(r.commits) != 0 {
				t.Fatal("the agent was given up too early")
			}
			r.advance(2 * time.Second)
			if len(r.commits) != 1 || r.m.State().Agent(agent) == nil || len(r.statuses(stream)) != 1 {
				t.Fatal("something was said before the registry was changed")
			}
			since := r.now.Wall.Add(-time.Second)
			r.settle()
			var tail []string
			for _, e := range r.streams[stream][len(r.streams[stream])-3:] {
				tail = append(tail, e.GetType().String())
			}
			if !slices.Equal(tail, []string{"RESCIND", "UPDATE", "FAILURE"}) {
				t.Fatalf("events are %v", r.types(stream))
			}
			s := r.lastStatus(stream)
			if s.GetState() != c.state || s.GetReason() != mesos.TaskStatus_REASON_AGENT_REMOVED ||
				s.GetUnreachableTime().GetNanoseconds() != since.UnixNano() || s.Uuid != nil {
				t.Fatalf("status is %v", s)
			}
			if r.m.State().Offer(offer) != nil || !r.cut[conn] {
				t.Fatal("the agent's offer or connection is still there")
			}
			r.reconcileOne(stream, id, "t", "")
			if s := r.lastStatus(stream); s.GetState() != c.state || s.GetUnreachableTime() == nil {
				t.Fatalf("reconciled: %v", s)
			}
			r.comesBack(stream, id, agent)
		})
	}
}

func (r *rig) reconcileOne(stream StreamID, framework, task, agent string) {
	one := &scheduler.Call_Reconcile_Task{TaskId: taskID(task)}
	if agent != "" {
		one.AgentId = agentID(agent)
	}
	r.call(framework, stream, &scheduler.Call{
		Type:      scheduler.Call_RECONCILE.Enum(),
		Reconcile: &scheduler.Call_Reconcile{Tasks: []*scheduler.Call_Reconcile_Task{one}},
	})
}

// comesBack brings an agent back that was given up, with its task t.
func (r *rig) comesBack(stream StreamID, id, agent string) {
	r.t.Helper()
	c := r.connect("instance-h1")
	r.say(c, registering(agentInfo(agent, "h1"), []*linkv1.Task{linkTask(id, "t", agent, mesos.TaskState_TASK_RUNNING, 1)}))
	s := r.lastStatus(stream)
	if s.GetState() != mesos.TaskState_TASK_RUNNING || s.GetReason() != mesos.TaskStatus_REASON_AGENT_REREGISTERED {
		r.t.Fatalf("status is %v", s)
	}
	if _, still := r.reg.Unreachable[agent]; still || r.m.State().Task(id, "t") == nil || r.registered(c) != agent {
		r.t.Fatalf("the agent is still unreachable, or its task is")
	}
	r.say(c, update(id, agent, "t", 2, mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FINISHED))
	r.call(id, stream, acking(agent, "t", 2))
	if done := slices.Collect(r.m.State().CompletedTasks(id)); len(done) != 1 || done[0].State != mesos.TaskState_TASK_FINISHED {
		r.t.Fatalf("completed tasks are %v", done)
	}
}

func TestUnreachableAgentComesBackWithout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x", partitionAware))
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
	r.advance(80 * time.Second)
	if got := r.lastStatus(stream); got.GetState() != mesos.TaskState_TASK_UNREACHABLE {
		t.Fatalf("status is %v", got)
	}
	c := r.connect("instance-h1")
	r.say(c, registering(agentInfo(agent, "h1"), nil))
	if got := r.lastStatus(stream); got.GetState() != mesos.TaskState_TASK_GONE {
		t.Fatalf("status is %v", got)
	}
	r.reconcileOne(stream, id, "t", agent)
	if got := r.lastStatus(stream); got.GetState() != mesos.TaskState_TASK_GONE || got.GetReason() != mesos.TaskStatus_REASON_RECONCILIATION {
		t.Fatalf("status is %v", got)
	}
}

func TestDisconnectedAgent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	kept, id := r.subscribe(framework("checkpointing"))
	loose := framework("loose", partitionAware)
	loose.Checkpoint = nil
	lost, looseID := r.subscribe(loose)
	r.call(id, kept, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
	r.call(looseID, lost, accepting([]string{r.mustOffer(looseID, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
	offer := r.mustOffer(id, "*", agent, "cpus:1;mem:64")
	r.step(AgentGone{Conn: conn})
	if s := r.lastStatus(lost); s.GetState() != mesos.TaskState_TASK_LOST || s.GetReason() != mesos.TaskStatus_REASON_AGENT_DISCONNECTED {
		t.Fatalf("status is %v", s)
	}
	events := r.streams[kept]
	if events[len(events)-1].GetRescind().GetOfferId().GetValue() != offer || r.m.State().Task(id, "t") == nil {
		t.Fatalf("events are %v", r.types(kept))
	}
	// What cannot be told now is told when the agent is back.
	r.call(id, kept, &scheduler.Call{Type: scheduler.Call_KILL.Enum(), Kill: &scheduler.Call_Kill{TaskId: taskID("t")}})
	c := r.connect("instance-h1")
	r.say(c, registering(agentInfo(agent, "h1"), []*linkv1.Task{
		linkTask(id, "t", agent, mesos.TaskState_TASK_RUNNING, 1), linkTask(looseID, "t", agent, mesos.TaskState_TASK_RUNNING, 2),
	}))
	var kills, acks []string
	for _, m := range r.links[c] {
		if k := m.GetKillTask(); k != nil {
			kills = append(kills, k.GetFrameworkId())
		}
		if a := m.GetAcknowledge(); a != nil {
			acks = append(acks, a.GetFrameworkId())
		}
	}
	slices.Sort(kills)
	if !slices.Equal(kills, []string{id, looseID}) || !slices.Equal(acks, []string{looseID}) {
		t.Fatalf("kills are %v, acknowledgements %v", kills, acks)
	}
	before := len(r.statuses(lost))
	r.say(c, update(looseID, agent, "t", 3, mesos.TaskState_TASK_KILLED, mesos.TaskState_TASK_KILLED))
	if len(r.statuses(lost)) != before || r.links[c][len(r.links[c])-1].GetAcknowledge().GetFrameworkId() != looseID {
		t.Fatalf("the end of a lost task was told again: %v", r.statuses(lost))
	}
}

func TestDisconnectedAgentStaysAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	r.step(AgentGone{Conn: conn})
	r.advance(10*time.Minute - time.Second)
	if r.m.State().Agent(agent) == nil {
		t.Fatal("the agent was given up too early")
	}
	r.step(AuthorizerDown{})
	r.advance(time.Hour)
	r.step(AuthorizerReady{})
	if r.m.State().Agent(agent) == nil {
		t.Fatal("the agent was given up while it could not come back")
	}
	r.advance(2 * time.Second)
	if _, unreachable := r.reg.Unreachable[agent]; !unreachable || r.m.State().Agent(agent) != nil {
		t.Fatal("the agent was not given up")
	}
}

// A KILL may be lost with a connection that is not known to be broken; it is told again.
func TestKillIsToldAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
	r.call(id, stream, &scheduler.Call{Type: scheduler.Call_KILL.Enum(), Kill: &scheduler.Call_Kill{TaskId: taskID("t")}})
	for range 2 {
		r.step(AgentGone{Conn: conn})
		conn = r.connect("instance-h1")
		r.say(conn, registering(agentInfo(agent, "h1"), []*linkv1.Task{linkTask(id, "t", agent, mesos.TaskState_TASK_RUNNING, 1)}))
		kills := 0
		for _, m := range r.links[conn] {
			if m.GetKillTask().GetTaskId() == "t" {
				kills++
			}
		}
		if kills != 1 {
			t.Errorf("the agent that is back is told %d times to kill the task", kills)
		}
	}
}

func TestReturningAgentLacksTasks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x", partitionAware))
	for n, task := range []string{"never-came", "ran", "ended"} {
		r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command(task, agent, "cpus:1;mem:64")))
		switch task {
		case "ran":
			r.say(conn, update(id, agent, task, n, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_RUNNING))
		case "ended":
			r.say(conn, update(id, agent, task, n, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_FINISHED))
		}
	}
	// The new connection comes before the end of the old one is noticed.
	c := r.connect("instance-h1")
	r.say(c, registering(agentInfo(agent, "h1"), nil))
	if !r.cut[conn] {
		t.Fatal("the old connection is still open")
	}
	got := map[string]string{}
	for _, s := range r.statuses(stream)[2:] {
		got[s.GetTaskId().GetValue()] = s.GetState().String()
	}
	if len(got) != 3 || got["never-came"] != "TASK_DROPPED" || got["ran"] != "TASK_GONE" || got["ended"] != "TASK_FINISHED" {
		t.Fatalf("states are %v", got)
	}
	r.step(AgentGone{Conn: conn})
	if !r.m.State().Agent(agent).Connected {
		t.Fatal("the end of the old connection disconnected the agent")
	}
	// The same registration again, on the same connection, says nothing new.
	n := len(r.streams[stream])
	r.say(c, registering(agentInfo(agent, "h1"), nil))
	if len(r.streams[stream]) != n || r.registered(c) != agent {
		t.Fatalf("events are %v", r.types(stream))
	}
}

func TestUnregister(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x", partitionAware))
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
	r.say(conn, &linkv1.Unregister{})
	if s := r.lastStatus(stream); s.GetState() != mesos.TaskState_TASK_GONE || s.GetReason() != mesos.TaskStatus_REASON_AGENT_REMOVED {
		t.Fatalf("status is %v", s)
	}
	if len(r.reg.Agents) != 0 || r.m.State().Agent(agent) != nil || !r.cut[conn] {
		t.Fatal("the agent is still there")
	}
	if n := r.m.State().counters.Get("slave_removals/reason_unregistered"); n != 1 {
		t.Fatalf("counted %d", n)
	}
}

func TestMasterFailover(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	_, silent := r.agent("h2")
	_, late := r.agent("h3")
	stream, id := r.subscribe(framework("x", partitionAware))
	r.step(LeadershipLost{})
	if !r.ended[stream] || r.m.Step(r.now, Started{}) != nil {
		t.Fatal("the old master still does something")
	}
	r.cfg.ID, r.cfg.Epoch = "next", testEpoch+1
	r.reg.Gone["gone"] = testStart
	r.elect()
	info := withID(framework("x", partitionAware), id)
	stream, _ = r.subscribe(info)
	// Nothing is said of what is not known yet.
	r.reconcileOne(stream, id, "t", agent)
	r.reconcileOne(stream, id, "t", "")
	if got := r.statuses(stream); len(got) != 0 {
		t.Fatalf("statuses are %v", got)
	}
	c := r.connect("instance-h1")
	r.say(c, registering(agentInfo(agent, "h1"), []*linkv1.Task{linkTask(id, "t", agent, mesos.TaskState_TASK_RUNNING, 1)}, info))
	r.reconcileOne(stream, id, "t", "")
	if got := r.statuses(stream); len(got) != 1 || got[0].GetState() != mesos.TaskState_TASK_RUNNING {
		t.Fatalf("statuses are %v", got)
	}
	var lateConn ConnID
	for i := range 41 {
		r.advance(15 * time.Second)
		r.say(c, &linkv1.Pong{Number: r.m.State().Agent(agent).ping})
		if i == 20 {
			lateConn = r.connect("instance-h3")
			r.say(lateConn, registering(agentInfo(late, "h3"), nil))
		}
		if lateConn != "" {
			r.say(lateConn, &linkv1.Pong{Number: r.m.State().Agent(late).ping})
		}
	}
	if _, unreachable := r.reg.Unreachable[silent]; !unreachable || len(r.reg.Unreachable) != 1 {
		t.Fatalf("unreachable are %v", r.reg.Unreachable)
	}
	for _, c := range []struct {
		agent string
		want  mesos.TaskState
	}{
		{silent, mesos.TaskState_TASK_UNREACHABLE}, {"gone", mesos.TaskState_TASK_GONE_BY_OPERATOR},
		{late, mesos.TaskState_TASK_GONE}, {"nowhere", mesos.TaskState_TASK_UNKNOWN},
	} {
		r.reconcileOne(stream, id, "other", c.agent)
		if got := r.lastStatus(stream).GetState(); got != c.want {
			t.Fatalf("a task of %s is %s, want %s", c.agent, got, c.want)
		}
	}
}

func TestTornDownWhileAgentAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	info := framework("x")
	stream, id := r.subscribe(info)
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
	r.step(AgentGone{Conn: conn})
	r.call(id, stream, &scheduler.Call{Type: scheduler.Call_TEARDOWN.Enum()})
	if !r.ended[stream] || r.types(stream)[len(r.types(stream))-1] == "ERROR" {
		t.Fatalf("events are %v", r.types(stream))
	}
	done := slices.Collect(r.m.State().CompletedTasks(id))
	if len(done) != 1 || done[0].State != mesos.TaskState_TASK_KILLED || !r.m.State().Agent(agent).Free.Equal(r.m.State().Agent(agent).Total) {
		t.Fatalf("completed tasks are %v", done)
	}
	c := r.connect("instance-h1")
	r.say(c, registering(agentInfo(agent, "h1"), []*linkv1.Task{linkTask(id, "t", agent, mesos.TaskState_TASK_RUNNING, 1)}, withID(info, id)))
	shut := false
	for _, m := range r.links[c] {
		shut = shut || m.GetShutdownFramework().GetFrameworkId() == id
	}
	if !shut || r.m.State().Framework(id) != nil {
		t.Fatalf("the agent was told %v", r.links[c])
	}
	r.say(c, update(id, agent, "t", 2, mesos.TaskState_TASK_KILLED, mesos.TaskState_TASK_KILLED))
	if r.links[c][len(r.links[c])-1].GetAcknowledge() == nil {
		t.Fatal("nobody acknowledges the last update")
	}
}

func TestWhileTheRegistryIsChanged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	offer := r.mustOffer(id, "*", agent, "cpus:1;mem:64")
	r.held = true
	// The agent is back with more, and the registry does not have that yet. What is said to it now would be lost.
	info := agentInfo(agent, "h1")
	info.Resources[0].Scalar.Value = proto.Float64(16)
	c := r.connect("instance-h1")
	r.say(c, registering(info, nil))
	r.call(id, stream, accepting([]string{offer}, command("t", agent, "cpus:1;mem:64")))
	if s := r.lastStatus(stream); s.GetReason() != mesos.TaskStatus_REASON_INVALID_OFFERS {
		t.Fatalf("status is %v", s)
	}
	// It does not wait, and comes again.
	r.step(AgentGone{Conn: c})
	c = r.connect("instance-h1")
	r.say(c, registering(info, nil))
	if len(r.commits) != 1 || len(r.links[c]) != 0 {
		t.Fatalf("%d commits are under way", len(r.commits))
	}
	r.settle()
	if a := r.m.State().Agent(agent); r.registered(c) != agent || !a.Connected || a.Free.Amount("cpus") != 16000 || a.Conn != c {
		t.Fatalf("agent is %+v", a)
	}
}

func TestWhileAnAgentIsGivenUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x", partitionAware))
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, command("t", agent, "cpus:1;mem:64")))
	r.held = true
	r.advance(76 * time.Second)
	if _, refused := r.offer(id, "*", agent, "cpus:1"); refused != "the agent is being removed" {
		t.Fatalf("refused %q", refused)
	}
	r.reconcileOne(stream, id, "other", agent)
	if n := len(r.statuses(stream)); n != 0 {
		t.Fatalf("%d statuses before it is known what becomes of the agent", n)
	}
	// It comes back at this very moment: given up all the same, and taken back.
	r.step(AgentGone{Conn: conn})
	c := r.connect("instance-h1")
	r.say(c, registering(agentInfo(agent, "h1"), []*linkv1.Task{linkTask(id, "t", agent, mesos.TaskState_TASK_RUNNING, 1)}))
	r.settle()
	var states []string
	for _, s := range r.statuses(stream) {
		states = append(states, s.GetState().String())
	}
	if !slices.Equal(states, []string{"TASK_UNREACHABLE", "TASK_RUNNING"}) || r.registered(c) != agent {
		t.Fatalf("states are %v", states)
	}
	if _, still := r.reg.Unreachable[agent]; still {
		t.Fatal("the registry has the agent as unreachable")
	}
}
