package agent

import (
	"bytes"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func TestKillWithGrace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.run("t1")
	r.killTask("t1")
	r.expect("append", "kill terminated", "timer kill 3s")
	r.pass(3 * time.Second)
	r.expect("kill killed", "timer kill 5s")
	r.container(containerizer.Exited{ID: c, WaitStatus: 9, Known: true})
	r.expect("cancel kill", "timer cleanup 10s")
	r.container(containerizer.Cleaned{ID: c})
	r.expect("append", "cancel cleanup", "update t1 TASK_KILLED", "timer update 10s", "destroy")
	if m := r.lastUpdate("t1").GetMessage(); m != "Command terminated with signal Killed" {
		t.Errorf("message %q", m)
	}
}

func TestKillOutlived(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.run("t1")
	r.killTask("t1", 0)
	r.expect("append", "kill killed", "timer kill 5s")
	r.pass(5 * time.Second)
	r.expect("destroy")
}

func TestKillGrace(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		task  []taskOption
		kill  []time.Duration
		grace string
	}{
		"default":          {grace: "timer kill 3s"},
		"of the task":      {task: []taskOption{killPolicy(7 * time.Second)}, grace: "timer kill 7s"},
		"of the kill wins": {task: []taskOption{killPolicy(7 * time.Second)}, kill: []time.Duration{time.Minute}, grace: "timer kill 1m0s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.register()
			r.run("t1", tt.task...)
			r.killTask("t1", tt.kill...)
			r.expect("append", "kill terminated", tt.grace)
		})
	}
}

func TestRepeatedKillShrinksTheGraceOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.run("t1")
	r.killTask("t1", 30*time.Second)
	r.pass(2 * time.Second)
	r.killTask("t1", 5*time.Second)
	r.expect("append", "timer kill 3s")
	r.killTask("t1", time.Hour)
	r.expect()
	r.pass(3*time.Second - 1)
	r.killTask("t1", 5*time.Second)
	r.expect()
	r.pass(1)
	r.expect("kill killed", "timer kill 5s")
	r.killTask("t1", 0)
	r.expect()
}

func TestKillingState(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.run("t1", capability(mesos.FrameworkInfo_Capability_TASK_KILLING_STATE))
	r.killTask("t1")
	r.expect("append", "update t1 TASK_KILLING", "timer update 10s", "kill terminated", "timer kill 3s")
	r.killTask("t1")
	r.expect()
	r.exited(c, 0)
	r.ack("t1")
	if s := r.lastUpdate("t1"); s.GetState() != mesos.TaskState_TASK_KILLED || s.GetMessage() != "Command exited with status 0" {
		t.Errorf("last update %v", s)
	}
}

func TestKillDuringLaunch(t *testing.T) {
	t.Parallel()
	told := []string{"update t1 TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH", "timer update 10s", "destroy"}
	endings := map[string]func(r *rig, c string){
		"never started": func(r *rig, c string) {
			r.container(containerizer.Failed{ID: c, Reason: containerizer.Destroyed, Message: "destroyed"})
			r.expect(append([]string{"append"}, told...)...)
		},
		"started all the same": func(r *rig, c string) {
			r.container(containerizer.Started{ID: c, Pid: 3})
			r.expect()
			r.container(containerizer.Exited{ID: c, WaitStatus: 9, Known: true})
			r.container(containerizer.Cleaned{ID: c})
			r.expect(append([]string{"append", "cancel cleanup"}, told...)...)
		},
	}
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.register()
			c := r.launch("t1")
			r.killTask("t1")
			r.expect("append", "destroy")
			r.killTask("t1")
			r.expect()
			end(r, c)
			if n := len(updates(r.log, "t1")); n != 1 {
				t.Errorf("%d updates", n)
			}
		})
	}
}

func TestMaxCompletionTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.launch("t1", completionTime(2*time.Second))
	r.container(containerizer.Started{ID: c, Pid: 42})
	r.expect("append", "update t1 TASK_STARTING", "timer update 10s", "timer completion 2s")
	r.ack("t1")
	r.ack("t1")
	r.pass(2 * time.Second)
	r.expect("append", "kill killed", "timer kill 5s")
	r.exited(c, 9)
	r.expect("append", "cancel cleanup", "update t1 TASK_FAILED REASON_MAX_COMPLETION_TIME_REACHED", "timer update 10s", "destroy")
}

func TestKillWinsOverCompletionTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.run("t1", completionTime(2*time.Second))
	r.killTask("t1", 10*time.Second)
	r.expect("append", "cancel completion", "kill terminated", "timer kill 10s")
	r.pass(5 * time.Second)
	r.exited(c, 15)
	if s := r.lastUpdate("t1"); s.GetState() != mesos.TaskState_TASK_KILLED || s.Reason != nil {
		t.Errorf("last update %v", s)
	}
}

func TestKillOfUnknownTask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.killTask("nope")
	r.expect("update nope TASK_DROPPED REASON_EXECUTOR_TERMINATED")
	first := r.lastUpdate("nope").GetUuid()
	r.run("t1")
	r.killTask("nope")
	r.expect("update nope TASK_DROPPED REASON_EXECUTOR_TERMINATED")
	if again := r.lastUpdate("nope").GetUuid(); !bytes.Equal(first, again) {
		t.Errorf("whoever asks twice is told of two ends, %x and %x", first, again)
	}
	r.killTask("other")
	if other := r.lastUpdate("other").GetUuid(); bytes.Equal(first, other) {
		t.Error("the ends of two tasks are one update")
	}
}

func TestKillOfCompletedTaskIsNotAnswered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.exited(r.run("t1"), 0)
	r.ack("t1")
	r.killTask("t1")
	r.expect()
}

func TestShutdownFramework(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	running := r.run("t1")
	r.launch("t2")
	r.exited(r.run("t3"), 0) // not acknowledged
	r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_ShutdownFramework{ShutdownFramework: &linkv1.ShutdownFramework{FrameworkId: "f1"}}})
	r.expect("append", "kill terminated", "timer kill 5s", "destroy", "cancel update", "timer sandbox 168h0m0s")
	r.say(runMessage("f1", "t4"))
	r.expect()
	r.container(containerizer.Exited{ID: running, WaitStatus: 15, Known: true})
	r.container(containerizer.Cleaned{ID: running})
	r.expect("append", "cancel cleanup", "update t1 TASK_KILLED", "destroy", "timer sandbox 168h0m0s")
	if r.a.frameworks["f1"] == nil {
		t.Fatal("framework is gone before its last task")
	}
	for c := range r.a.byContainer {
		r.container(containerizer.Failed{ID: c, Reason: containerizer.Destroyed})
		r.container(containerizer.Cleaned{ID: c})
	}
	if len(r.a.frameworks) != 0 || !r.a.used.IsEmpty() {
		t.Errorf("left: %v, used %v", r.a.frameworks, r.a.used)
	}
	if s := r.a.State(); len(s.CompletedFrameworks()) != 1 || len(s.CompletedFrameworks()[0].Completed) != 3 {
		t.Errorf("completed: %+v", s.CompletedFrameworks())
	}
}

func TestShutdownExecutor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.run("t1")
	r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_ShutdownExecutor{ShutdownExecutor: &linkv1.ShutdownExecutor{FrameworkId: "f1", ExecutorId: "t1"}}})
	r.expect("append", "kill terminated", "timer kill 5s")
}

func TestShutdownByOperator(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.run("t1")
	r.step(Shutdown{Reason: "asked"})
	r.expect("append", "timer exit 35s", "kill terminated", "timer kill 5s")
	r.say(runMessage("f1", "t2"))
	r.expect()
	r.exited(c, 15)
	r.expect("append", "cancel cleanup", "update t1 TASK_KILLED", "timer update 10s", "destroy", "cancel exit",
		"cancel update", "timer sandbox 168h0m0s", "sync agent.ForgetAgent")
	r.step(Synced{ID: 2})
	r.expect("unregister", "exit failed=false asked")
	if r.durable != "" {
		t.Errorf("agent id %q is kept", r.durable)
	}
}

func TestShutdownByMaster(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_Shutdown{Shutdown: &linkv1.Shutdown{Reason: "agent is gone"}}})
	r.expect("timer exit 35s", "cancel exit", "exit failed=true agent is gone")
	if r.durable == "" {
		t.Error("agent id is forgotten")
	}
}

func TestShutdownTooSlow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.run("t1")
	r.step(Shutdown{Reason: "asked"})
	r.pass(time.Minute)
	r.expect("exit failed=true asked; some tasks could not be ended in time")
}

// A KILL of a task that is not here is answered, unless its end is known, or will be told by another way.
func TestKillUnknown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before func(r *rig)
		want   []string
	}{
		"framework that has nothing here": {
			before: func(*rig) {},
			want:   []string{"update t1 TASK_DROPPED REASON_EXECUTOR_TERMINATED"},
		},
		"framework that has something else here": {
			before: func(r *rig) { r.launch("other") },
			want:   []string{"update t1 TASK_DROPPED REASON_EXECUTOR_TERMINATED"},
		},
		"its end was acknowledged": {
			before: func(r *rig) {
				r.launch("other")
				r.exited(r.run("t1"), 0)
				r.ack("t1")
			},
		},
		"its end was acknowledged, and the framework has nothing here any more": {
			before: func(r *rig) {
				r.exited(r.run("t1"), 0)
				r.ack("t1")
			},
		},
		"its end is not acknowledged": {
			before: func(r *rig) { r.exited(r.run("t1"), 0) },
		},
		"its framework is shut down": {
			before: func(r *rig) {
				r.launch("other")
				r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_ShutdownFramework{
					ShutdownFramework: &linkv1.ShutdownFramework{FrameworkId: "f1"},
				}})
			},
		},
		"the agent shuts down and did not take it on": {
			before: func(r *rig) {
				r.run("other")
				r.step(Shutdown{Reason: "maintenance"})
				r.say(runMessage("f1", "t1"))
			},
			want: []string{"update t1 TASK_DROPPED REASON_EXECUTOR_TERMINATED"},
		},
		"the agent has shut down": {
			before: func(r *rig) {
				c := r.run("other")
				r.step(Shutdown{Reason: "maintenance"})
				r.exited(c, 0)
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.register()
			tt.before(r)
			r.killTask("t1")
			r.expect(tt.want...)
			if len(tt.want) == 0 {
				return
			}
			s := r.lastUpdate("t1")
			if len(s.GetUuid()) != 16 || s.GetSource() != mesos.TaskStatus_SOURCE_AGENT || s.GetMessage() != "The agent does not know the task" {
				t.Errorf("status %v", s)
			}
			r.ack("t1")
			r.expect() // nothing is kept of it
		})
	}
}
