package agent

import (
	"bytes"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func TestUpdateIsRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.launch("t1")
	r.container(containerizer.Started{ID: c, Pid: 42})
	first := r.lastUpdate("t1").GetUuid()
	for _, wait := range []string{"20s", "40s", "1m20s", "2m40s", "5m20s", "10m0s", "10m0s"} {
		due := r.a.timers[TimerID{Kind: TimerUpdate, Key: "f1/t1"}]
		r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_Ping{Ping: &linkv1.Ping{}}})
		r.now = r.now.Add(due - r.now.Mono)
		r.step(TimerFired{ID: TimerID{Kind: TimerUpdate, Key: "f1/t1"}})
		r.expect("update t1 TASK_STARTING", "timer update "+wait)
		if !bytes.Equal(r.lastUpdate("t1").GetUuid(), first) {
			t.Fatal("another uuid")
		}
	}
}

func TestLatestStateIsToldWithOlderUpdates(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.launch("t1")
	r.container(containerizer.Started{ID: c, Pid: 42})
	r.exited(c, 0)
	r.expect("append", "cancel cleanup", "destroy")
	r.pass(10 * time.Second)
	u := r.did[0].(SendMaster).Msg.GetUpdate()
	if s := statusIn(r.did[0]); s.GetState() != mesos.TaskState_TASK_STARTING || u.LatestState != int32(mesos.TaskState_TASK_FINISHED) {
		t.Errorf("update %v, latest state %d", s.GetState(), u.LatestState)
	}
	if !r.a.used.IsEmpty() {
		t.Errorf("resources are held until the acknowledgement: %v", r.a.used)
	}
	r.ack("t1")
	r.ack("t1")
	r.expect("append", "cancel update", "update t1 TASK_FINISHED", "timer update 10s")
}

func TestWrongAcknowledgement(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.launch("t1")
	r.container(containerizer.Started{ID: c, Pid: 42})
	u := r.lastUpdate("t1").GetUuid()
	acknowledge := func(task string, uuid []byte) {
		r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_Acknowledge{Acknowledge: &linkv1.Acknowledge{FrameworkId: "f1", TaskId: task, Uuid: uuid}}})
	}
	acknowledge("t1", make([]byte, 16))
	r.expect()
	acknowledge("nope", u)
	r.expect()
	acknowledge("t1", u)
	r.expect("append", "cancel update", "update t1 TASK_RUNNING", "timer update 10s")
	acknowledge("t1", u)
	r.expect()
}

func TestUpdatesWaitForTheMaster(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.launch("t1")
	r.step(MasterGone{Conn: testConn})
	r.container(containerizer.Started{ID: c, Pid: 42})
	r.expect("append")
	r.register()
	r.expect("timer ping 1m15s", "update t1 TASK_STARTING", "timer update 10s")
}

// A framework that subscribes again is told at once what it has not acknowledged, once a task, and the wait for its
// acknowledgements begins anew. A changed description alone repeats nothing.
func TestUpdatesAreResumedWithTheirFramework(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	for _, id := range []string{"t2", "t1"} {
		c := r.launch(id)
		r.container(containerizer.Started{ID: c, Pid: 42})
	}
	r.run("done")
	first := r.lastUpdate("t1").GetUuid()
	r.pass(35 * time.Second) // so that the next repeat is 40 s away
	r.say(updateFramework("f1", false))
	r.expect("append")
	r.say(updateFramework("other", true))
	r.expect()
	r.say(updateFramework("f1", true))
	r.expect("append", "update t1 TASK_STARTING", "timer update 10s", "update t2 TASK_STARTING", "timer update 10s")
	if !bytes.Equal(r.lastUpdate("t1").GetUuid(), first) {
		t.Error("another uuid")
	}
	r.ack("t1")
	r.expect("append", "cancel update", "update t1 TASK_RUNNING", "timer update 10s")
}

func updateFramework(id string, subscribed bool) *linkv1.ToAgent {
	info := &mesos.FrameworkInfo{
		Id: &mesos.FrameworkID{Value: proto.String(id)}, Name: proto.String("f"), User: proto.String("nobody"),
		Checkpoint: proto.Bool(true),
	}
	return &linkv1.ToAgent{Body: &linkv1.ToAgent_UpdateFramework{UpdateFramework: &linkv1.UpdateFramework{
		FrameworkInfo: encode(info), Subscribed: subscribed,
	}}}
}
