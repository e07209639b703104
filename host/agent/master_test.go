package agent

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func TestRegistration(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect()
	if got := describeAll(r.did); len(got) != 3 || got[0] != "append" || got[1] != "timer ping 1m15s" || got[2] != "register tasks=0 last=true" {
		t.Fatalf("effects %v", got)
	}
	info := &mesos.AgentInfo{}
	m := r.did[len(r.did)-1].(SendMaster).Msg.GetRegister()
	if err := proto.Unmarshal(m.AgentInfo, info); err != nil || info.Id != nil || info.GetHostname() != "host" {
		t.Errorf("agent info %v, error %v", info, err)
	}
	r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_Registered{Registered: &linkv1.Registered{AgentId: testAgent}}})
	r.expect("timer ping 1m15s", "sync agent.SaveAgent")
	r.say(runMessage("f1", "t1"))
	r.expect() // not before the id is on disk
	r.step(Synced{ID: 1})
	r.expect("append", "launch t1")
	if s := r.a.State(); s.AgentID != testAgent || s.Info.GetId().GetValue() != testAgent || !s.Registered || s.Epoch != testEpoch {
		t.Errorf("state %+v", s)
	}
}

func TestRefusedRegistrationIsRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect()
	var times []time.Duration
	start := r.now.Mono
	for range 8 {
		r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_Refused{Refused: &linkv1.Refused{Reason: "wait"}}})
		due := r.a.timers[TimerID{Kind: TimerRegister}]
		r.now = r.now.Add(due - r.now.Mono)
		r.step(TimerFired{ID: TimerID{Kind: TimerRegister}})
		if got := describeAll(r.did); len(got) != 1 || !strings.HasPrefix(got[0], "register") {
			t.Fatalf("effects %v", got)
		}
		times = append(times, r.now.Mono-start)
	}
	if !slices.IsSorted(times) || times[0] < time.Second/2 || times[0] > time.Second || times[7] > 4*time.Minute {
		t.Errorf("asked at %v", times)
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.run("t1")
	for n := range uint64(4) {
		r.pass(time.Minute)
		r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_Ping{Ping: &linkv1.Ping{Number: n}}})
		r.expect(fmt.Sprintf("pong %d", n), "timer ping 1m15s")
	}
	r.pass(75 * time.Second)
	r.expect("reconnect c1")
	if r.a.task("f1", "t1").phase != phaseRunning || r.a.State().Registered {
		t.Error("the silence of a master must end the connection, and nothing else")
	}
	r.step(MasterGone{Conn: testConn})
	r.expect()
}

func TestFencing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	old := &linkv1.ToAgent{Epoch: testEpoch - 1, Body: &linkv1.ToAgent_Ping{Ping: &linkv1.Ping{}}}
	r.step(MasterMessage{Conn: testConn, Msg: old})
	r.expect()
	r.step(MasterMessage{Conn: "other", Msg: &linkv1.ToAgent{Epoch: testEpoch, Body: old.Body}})
	r.expect()
	r.start() // a restart does not forget the epoch
	r.step(MasterConnected{Conn: "c2", Epoch: testEpoch - 1, Welcome: &linkv1.Welcome{}})
	r.expect("reconnect c2")
	r.step(MasterConnected{Conn: "c3", Epoch: testEpoch + 1, Welcome: &linkv1.Welcome{}})
	if got := describeAll(r.did); !slices.Contains(got, "register tasks=0 last=true") {
		t.Errorf("effects %v", got)
	}
}

func TestAnotherAgentsRegistration(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.step(MasterGone{Conn: testConn})
	r.connect()
	r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_Registered{Registered: &linkv1.Registered{AgentId: "M1-S9"}}})
	r.expect("reconnect c1", "cancel ping")
}

func TestReregistrationHasEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) {
		c.Capabilities = []mesos.AgentInfo_Capability_Type{mesos.AgentInfo_Capability_MULTI_ROLE}
	})
	r.register()
	r.run("t1")
	r.container(containerizer.Started{ID: r.launch("t2"), Pid: 43})
	r.exited(r.run("t3"), 0)
	r.step(MasterGone{Conn: testConn})
	r.connect()
	var m *linkv1.Register
	for _, e := range r.did {
		if s, ok := e.(SendMaster); ok {
			m = s.Msg.GetRegister()
		}
	}
	if len(m.FrameworkInfos) != 1 || len(m.Tasks) != 3 || len(m.AgentCapabilities) != 1 || m.HttpAddress != r.cfg.Address || !m.Last {
		t.Fatalf("registration %v", m)
	}
	want := []struct {
		latest, first mesos.TaskState
		statuses      int
		waiting       bool
	}{
		{mesos.TaskState_TASK_RUNNING, 0, 2, false},
		{mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_STARTING, 2, true},
		{mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FINISHED, 3, true},
	}
	for i, w := range want {
		got := m.Tasks[i]
		if got.LatestState != int32(w.latest) || len(got.Statuses) != w.statuses || (got.StatusUpdateUuid != nil) != w.waiting ||
			w.waiting && got.StatusUpdateState != int32(w.first) || got.ExecutorId != fmt.Sprintf("t%d", i+1) {
			t.Errorf("task %d: %v, want %+v", i, got, w)
		}
	}
}

func TestRegistrationIsCutIntoChunks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	big := with(func(ti *mesos.TaskInfo) { ti.Data = make([]byte, 300<<10) })
	for i := range 12 {
		r.launch(fmt.Sprintf("t%02d", i), big)
	}
	r.step(MasterGone{Conn: testConn})
	r.connect()
	tasks, last := 0, 0
	for _, e := range r.did {
		if s, ok := e.(SendMaster); ok {
			m := s.Msg.GetRegister()
			if n := proto.Size(m); n > maxChunk+1<<10 {
				t.Errorf("chunk of %d bytes", n)
			}
			tasks += len(m.Tasks)
			if m.Last {
				last++
			}
			if (len(m.AgentInfo) > 0) != (tasks <= 3) {
				t.Errorf("agent info in a chunk after task %d: %t", tasks, len(m.AgentInfo) > 0)
			}
		}
	}
	if tasks != 12 || last != 1 {
		t.Errorf("%d tasks, %d last chunks", tasks, last)
	}
}

func TestUpdateFramework(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.run("t1")
	info := &mesos.FrameworkInfo{
		Id: &mesos.FrameworkID{Value: proto.String("f1")}, Name: proto.String("new"), User: proto.String("u"), Checkpoint: proto.Bool(true),
	}
	r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_UpdateFramework{UpdateFramework: &linkv1.UpdateFramework{FrameworkInfo: encode(info)}}})
	r.expect("append")
	f, err := r.a.State().Framework("f1").Message()
	if err != nil || f.GetName() != "new" {
		t.Errorf("framework %v, error %v", f, err)
	}
}
