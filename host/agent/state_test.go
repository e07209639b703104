package agent

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func TestStateFollowsATask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	executor := func() *Executor {
		t.Helper()
		all := slices.Collect(r.a.State().Executors())
		if len(all) != 1 {
			t.Fatalf("%d executors", len(all))
		}
		return all[0]
	}
	c := r.launch("t1", with(func(ti *mesos.TaskInfo) {
		ti.Labels = &mesos.Labels{Labels: []*mesos.Label{{Key: proto.String("a")}}}
	}))
	e := executor()
	if len(e.Queued) != 1 || len(e.Tasks) != 0 || e.State != ExecutorRegistering || e.Container != c || e.Source != "t1" ||
		e.Name != "Command Executor (Task: t1) (Command: sh -c 'sleep 1000')" || !e.CommandTask || len(e.Labels.Labels) != 1 ||
		e.Resources.String() != "cpus(allocated: *):0.1; mem(allocated: *):32" {
		t.Errorf("executor %+v", e)
	}
	r.container(containerizer.Started{ID: c, Pid: 42})
	before := executor()
	if len(before.Tasks) != 1 || before.State != ExecutorRunning || before.Pid != 42 || before.Tasks[0].State != mesos.TaskState_TASK_RUNNING {
		t.Errorf("executor %+v", before)
	}
	if used := r.a.State().Used.String(); used != "cpus(allocated: *):0.1; mem(allocated: *):32" {
		t.Errorf("used %s", used)
	}
	r.ack("t1")
	r.ack("t1")
	r.killTask("t1")
	if executor().State != ExecutorTerminating {
		t.Errorf("executor %+v", executor())
	}
	r.exited(c, 15)
	if e := executor(); len(e.Terminated) != 1 || e.State != ExecutorTerminated || e.Terminated[0].State != mesos.TaskState_TASK_KILLED {
		t.Errorf("executor %+v", e)
	}
	r.ack("t1")
	s := r.a.State()
	done := s.CompletedFrameworks()
	if len(done) != 1 || len(done[0].Completed) != 1 || len(done[0].Completed[0].Completed) != 1 || s.Framework("f1") != nil {
		t.Fatalf("completed %+v", done)
	}
	if box := slices.Collect(s.Sandboxes()); len(box) != 1 || box[0].Directory != e.Directory || box[0].Executor != "t1" {
		t.Errorf("sandboxes %+v", box)
	}
	m, err := done[0].Completed[0].Completed[0].Message()
	if err != nil || m.GetState() != mesos.TaskState_TASK_KILLED || len(m.GetStatuses()) != 3 || m.ExecutorId != nil ||
		m.GetStatusUpdateState() != mesos.TaskState_TASK_KILLED || m.GetFrameworkId().GetValue() != "f1" {
		t.Errorf("task %v, error %v", m, err)
	}
	// What a reader holds does not change under it.
	if len(before.Tasks) != 1 || before.Tasks[0].State != mesos.TaskState_TASK_RUNNING || len(before.Tasks[0].Statuses) != 2 {
		t.Errorf("what was seen has changed: %+v", before.Tasks[0])
	}
	if x := before.Message(); x.GetName() != before.Name || x.GetFrameworkId().GetValue() != "f1" || len(x.GetResources()) != 2 {
		t.Errorf("executor %v", x)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	check := func(want map[string]float64) {
		t.Helper()
		m := r.a.State().Metrics(r.now.Wall)
		for name, v := range want {
			if got, there := m["slave/"+name]; !there || got != v {
				t.Errorf("slave/%s is %v, want %v", name, got, v)
			}
		}
	}
	check(map[string]float64{"registered": 0, "cpus_total": 4, "cpus_used": 0, "gpus_total": 0, "mem_revocable_total": 0, "executors_preempted": 0})
	r.register()
	check(map[string]float64{"registered": 1})
	a := r.run("a")
	b := r.launch("b")
	check(map[string]float64{
		"tasks_running": 1, "tasks_staging": 1, "tasks_starting": 0, "executors_running": 1, "executors_registering": 1,
		"frameworks_active": 1, "cpus_used": 0.2, "cpus_percent": 0.05, "mem_used": 64, "valid_status_updates": 2,
	})
	r.exited(a, 0)
	r.container(containerizer.Failed{ID: b, Message: "x"})
	r.container(containerizer.Cleaned{ID: b})
	r.ack("a")
	check(map[string]float64{
		"tasks_running": 0, "tasks_staging": 0, "tasks_finished": 1, "tasks_failed": 1, "executors_running": 0,
		"executors_registering": 0, "executors_terminated": 2, "container_launch_errors": 1, "cpus_used": 0,
	})
	r.ack("b")
	check(map[string]float64{"frameworks_active": 0, "executors_terminated": 2, "tasks_finished": 1})
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.launch("stays")
	for n := range maxCompletedExecutors + 10 {
		id := fmt.Sprint("t", n)
		r.exited(r.run(id), 0)
		r.ack(id)
	}
	done := r.a.State().Framework("f1").Completed
	if len(done) != maxCompletedExecutors || done[0].ID != "t10" || done[len(done)-1].ID != "t159" {
		t.Errorf("%d executors, from %s", len(done), done[0].ID)
	}
	for n := range maxCompletedFrameworks + 5 {
		r.say(runMessage(fmt.Sprint("g", n), "x", with(func(ti *mesos.TaskInfo) { ti.Command = nil })))
		f := r.a.frameworks[fmt.Sprint("g", n)]
		r.a.forget(f.tasks["x"])
	}
	r.step(Started{})
	if done := r.a.State().CompletedFrameworks(); len(done) != maxCompletedFrameworks || done[0].ID != "g5" {
		t.Errorf("%d frameworks, from %s", len(done), done[0].ID)
	}
}

func TestSignalNames(t *testing.T) {
	t.Parallel()
	for sig, want := range map[int]string{9: "Killed", 15: "Terminated", 34: "Real-time signal 0", 33: "Unknown signal 33"} {
		if got := describeWait(sig); got != "terminated with signal "+want {
			t.Errorf("%d: %s", sig, got)
		}
	}
}

func BenchmarkTask(b *testing.B) {
	r := newRig(b)
	r.register()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		id := fmt.Sprint("t", n)
		r.exited(r.run(id), 0)
		r.ack(id)
		r.log = nil
	}
}
