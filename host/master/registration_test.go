package master

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/registry"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func TestNothingIsSaidBeforeTheCommit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.held = true
	c := r.connect("i")
	r.say(c, registering(agentInfo("", "h1"), nil))
	if len(r.links[c]) != 0 || r.m.State().agents.len() != 0 || len(r.commits) != 1 {
		t.Fatalf("before the commit: %v", r.links[c])
	}
	r.settle()
	if id := r.registered(c); id != testMaster+"-S0" || r.reg.Agents[id].Info == nil {
		t.Fatalf("id is %q", id)
	}
}

func TestRegistrationInChunks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.connect("i")
	first := registering(agentInfo("", "h1"), nil)
	first.Last = false
	r.say(c, first)
	r.say(c, &linkv1.Register{FrameworkInfos: [][]byte{encode(withID(framework("x"), "F1"))}})
	r.say(c, &linkv1.Register{
		Tasks: []*linkv1.Task{linkTask("F1", "t1", "a", mesos.TaskState_TASK_RUNNING, 1)}, Last: true,
	})
	s := r.m.State()
	if f := s.Framework("F1"); f == nil || !f.Recovered || s.Task("F1", "t1") == nil {
		t.Fatalf("framework is %v, task is %v", f, s.Task("F1", "t1"))
	}
}

func withID(info *mesos.FrameworkInfo, id string) *mesos.FrameworkInfo {
	info.Id = &mesos.FrameworkID{Value: proto.String(id)}
	return info
}

// linkTask is a task as its agent tells of it, with one update that awaits acknowledgement.
func linkTask(framework, id, agent string, state mesos.TaskState, n int) *linkv1.Task {
	info := command(id, agent, "cpus:1;mem:64")
	for _, r := range info.Resources {
		r.AllocationInfo, r.Role = &mesos.Resource_AllocationInfo{Role: proto.String("*")}, nil //nolint:staticcheck // the refined format
	}
	lt := &linkv1.Task{FrameworkId: framework, TaskInfo: encode(info), ExecutorId: id, LatestState: int32(state)}
	if n > 0 {
		u := update(framework, agent, id, n, state, state)
		lt.Statuses, lt.StatusUpdateState, lt.StatusUpdateUuid = [][]byte{u.GetStatus()}, int32(state), u.GetUuid()
	}
	return lt
}

func TestLostAnswerToRegistration(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	r.step(AgentGone{Conn: conn})
	// The agent never heard its id, and registers as new again.
	if _, again := r.agent("h1"); again != agent {
		t.Fatalf("the same agent got the ids %s and %s", agent, again)
	}
	if n := len(r.reg.Agents); n != 1 {
		t.Fatalf("the registry has %d agents", n)
	}
	// With its connection gone while the registry was being changed, it is not lost either.
	r.held = true
	c := r.connect("i2")
	r.say(c, registering(agentInfo("", "h2"), nil))
	r.step(AgentGone{Conn: c})
	r.settle()
	c = r.connect("i2")
	r.say(c, registering(agentInfo("", "h2"), nil))
	if id := r.registered(c); id != testMaster+"-S1" || len(r.reg.Agents) != 2 {
		t.Fatalf("id is %s, agents are %v", id, r.reg.Agents)
	}
}

func TestNewWorkDirectory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, old := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", old, "cpus:1;mem:32")}, command("t", old, "cpus:1;mem:32")))
	r.step(AgentGone{Conn: conn})
	c := r.connect("another instance")
	r.say(c, registering(agentInfo("", "h1"), nil))
	if r.registered(c) == old || r.m.State().Agent(old) != nil || r.reg.Agents[old].Info != nil {
		t.Fatal("the machine's old agent is still there")
	}
	if s := r.lastStatus(stream); s.GetState() != mesos.TaskState_TASK_LOST || s.GetReason() != mesos.TaskStatus_REASON_AGENT_REMOVED {
		t.Fatalf("status is %v", s)
	}
	if n := r.m.State().counters.Get("slave_removals/reason_registered"); n != 1 {
		t.Fatalf("counted %d", n)
	}
}

func TestRegistrationRefused(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change   func(*mesos.AgentInfo)
		raw      []byte
		shutdown bool
	}{
		"other hostname": {change: func(i *mesos.AgentInfo) { i.Hostname = proto.String("h9") }, shutdown: true},
		"gone":           {change: func(i *mesos.AgentInfo) { i.Id = agentID("gone") }, shutdown: true},
		"id":             {change: func(i *mesos.AgentInfo) { i.Id = agentID("a/b") }},
		"resources":      {change: func(i *mesos.AgentInfo) { i.Resources[0].Scalar.Value = proto.Float64(-1) }},
		"attributes": {change: func(i *mesos.AgentInfo) {
			i.Attributes[0] = &mesos.Attribute{Name: proto.String("s"), Type: mesos.Value_SET.Enum()}
		}},
		"domain": {change: func(i *mesos.AgentInfo) {
			i.Domain = &mesos.DomainInfo{FaultDomain: &mesos.DomainInfo_FaultDomain{
				Region: &mesos.DomainInfo_FaultDomain_RegionInfo{Name: proto.String("r")},
				Zone:   &mesos.DomainInfo_FaultDomain_ZoneInfo{Name: proto.String("z")},
			}}
		}},
		"garbage": {raw: []byte{0xff, 0xff}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.reg.Gone["gone"] = testStart
			r.elect()
			_, agent := r.agent("h1")
			info := agentInfo(agent, "h1")
			if c.change != nil {
				c.change(info)
			}
			reg := registering(info, nil)
			reg.HttpAddress = "h1:5051"
			if c.raw != nil {
				reg.AgentInfo = c.raw
			}
			conn := r.connect("instance-h1")
			r.say(conn, reg)
			last := r.links[conn][len(r.links[conn])-1].GetRefused()
			if last == nil || last.GetShutdown() != c.shutdown || last.GetReason() == "" {
				t.Fatalf("the agent was told %v", r.links[conn])
			}
		})
	}
}

func TestReregistersWithOtherResources(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:6;mem:64")}, command("t", agent, "cpus:6;mem:64")))
	r.step(AgentGone{Conn: conn})
	info := agentInfo(agent, "h1")
	info.Resources[0].Scalar.Value = proto.Float64(4)
	c := r.connect("instance-h1")
	lt := linkTask(id, "t", agent, mesos.TaskState_TASK_RUNNING, 1)
	r.say(c, registering(info, []*linkv1.Task{lt}))
	if a := r.m.State().Agent(agent); !a.overdrawn || !a.Free.IsEmpty() || string(r.reg.Agents[agent].Info) != string(a.Encoded) {
		t.Fatalf("agent is %+v", a)
	}
	r.say(c, update(id, agent, "t", 2, mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FINISHED))
	if a := r.m.State().Agent(agent); a.overdrawn || a.Free.Amount("cpus") != 4000 {
		t.Fatalf("free is %s", a.Free)
	}
}

func TestOtherEpochsAreIgnored(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.connect("i")
	r.step(AgentMessage{Conn: c, Epoch: testEpoch - 1, Msg: &linkv1.ToMaster{
		Body: &linkv1.ToMaster_Register{Register: registering(agentInfo("", "h1"), nil)},
	}})
	if len(r.did) != 0 || r.m.State().counters.Get("dropped_messages") != 1 {
		t.Fatalf("did %v", r.did)
	}
	// A message before the registration is not listened to.
	r.say(c, update("f", "a", "t", 1, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_RUNNING))
	if len(r.did) != 0 {
		t.Fatalf("did %v", r.did)
	}
}

func TestRegistryIsCollected(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.RegistryMaxCount = 2 })
	r.reg.Unreachable = map[string]time.Time{
		"old": testStart.Add(-15 * 24 * time.Hour), "a": testStart.Add(-3 * time.Hour), "b": testStart.Add(-2 * time.Hour),
		"c": testStart.Add(-time.Hour),
	}
	r.elect()
	r.advance(16 * time.Minute)
	want := registry.NewState()
	want.Unreachable = map[string]time.Time{"b": {}, "c": {}}
	if len(r.reg.Unreachable) != 2 || r.m.State().unreachable.len() != 2 {
		t.Fatalf("unreachable are %v", r.reg.Unreachable)
	}
	for id := range want.Unreachable {
		if _, kept := r.m.State().Unreachable(id); !kept {
			t.Fatalf("%s was forgotten", id)
		}
	}
}
