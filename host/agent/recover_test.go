package agent

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func TestRecovery(t *testing.T) {
	t.Parallel()
	running := func(c string) []containerizer.Recovered {
		return []containerizer.Recovered{{ID: c, State: containerizer.Running, Pid: 42}}
	}
	launch := func(r *rig, options ...taskOption) string { return r.launch("t1", options...) }
	run := func(r *rig, options ...taskOption) string { return r.run("t1", options...) }
	aware := capability(mesos.FrameworkInfo_Capability_PARTITION_AWARE)
	tests := map[string]struct {
		before  func(r *rig, options ...taskOption) string
		options []taskOption
		found   func(c string) []containerizer.Recovered
		after   func(r *rig, c string) // before it registers
		started []string               // effects of Started
		want    []string               // updates that are sent until all are acknowledged
	}{
		"running": {
			before: run, found: running,
			started: nil,
			want:    nil,
		},
		"running, not told": {
			before: launch, found: running,
			started: []string{"append"},
			want:    []string{"TASK_STARTING", "TASK_RUNNING"},
		},
		"ended meanwhile": {
			before: run,
			found: func(c string) []containerizer.Recovered {
				return []containerizer.Recovered{{ID: c, State: containerizer.Ended, WaitStatus: 3 << 8, Known: true}}
			},
			after:   func(r *rig, c string) { r.container(containerizer.Cleaned{ID: c}) },
			started: []string{"timer cleanup 10s"},
			want:    []string{"TASK_FAILED"},
		},
		"started and ended meanwhile": {
			before: launch,
			found: func(c string) []containerizer.Recovered {
				return []containerizer.Recovered{{ID: c, State: containerizer.Ended, Known: true}}
			},
			after:   func(r *rig, c string) { r.container(containerizer.Cleaned{ID: c}) },
			started: []string{"append", "timer cleanup 10s"},
			want:    []string{"TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"},
		},
		"limit reached meanwhile": {
			before: run,
			found: func(c string) []containerizer.Recovered {
				return []containerizer.Recovered{{ID: c, State: containerizer.Ended, WaitStatus: 9, Known: true}}
			},
			after: func(r *rig, c string) {
				r.container(containerizer.Limited{ID: c, Limitation: containerizer.Limitation{Resource: "mem", Amount: 1}})
				r.container(containerizer.Cleaned{ID: c})
			},
			started: []string{"timer cleanup 10s"},
			want:    []string{"TASK_FAILED REASON_CONTAINER_LIMITATION_MEMORY"},
		},
		"written down, never launched": {
			before: launch, found: func(string) []containerizer.Recovered { return nil },
			started: []string{"append", "destroy"},
			want:    []string{"TASK_LOST REASON_AGENT_RESTARTED"},
		},
		"launched, never started": {
			before: launch, options: []taskOption{aware},
			found: func(c string) []containerizer.Recovered {
				return []containerizer.Recovered{{ID: c, State: containerizer.Unstarted}}
			},
			after: func(r *rig, c string) {
				r.container(containerizer.Failed{ID: c, Message: "the agent was restarted"})
				r.expect()
				r.container(containerizer.Cleaned{ID: c})
			},
			started: []string{"append", "destroy"},
			want:    []string{"TASK_DROPPED REASON_AGENT_RESTARTED"},
		},
		"ran, and nobody knows more": {
			before: run, found: func(string) []containerizer.Recovered { return nil },
			started: []string{"append", "destroy"},
			want:    []string{"TASK_FAILED REASON_EXECUTOR_TERMINATED"},
		},
		"kill asked": {
			before: func(r *rig, _ ...taskOption) string {
				c := r.run("t1")
				r.killTask("t1", 10*time.Second)
				r.pass(4 * time.Second)
				return c
			},
			found: running,
			after: func(r *rig, c string) {
				r.pass(6 * time.Second)
				r.expect("kill killed", "timer kill 5s")
				r.exited(c, 9)
			},
			started: []string{"kill terminated", "timer kill 6s"},
			want:    []string{"TASK_KILLED"},
		},
		"kill asked long ago": {
			before: func(r *rig, _ ...taskOption) string {
				c := r.run("t1")
				r.killTask("t1", 10*time.Second)
				r.now = r.now.Add(time.Hour)
				return c
			},
			found: running, after: func(r *rig, c string) { r.exited(c, 9) },
			started: []string{"kill killed", "timer kill 5s"},
			want:    []string{"TASK_KILLED"},
		},
		"killed during launch, started all the same": {
			before: func(r *rig, _ ...taskOption) string {
				c := r.launch("t1")
				r.killTask("t1")
				return c
			},
			found: running, after: func(r *rig, c string) { r.exited(c, 9) },
			started: []string{"destroy"},
			want:    []string{"TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH"},
		},
		"completion time": {
			before: func(r *rig, _ ...taskOption) string {
				c := r.run("t1", completionTime(10*time.Second))
				r.pass(4 * time.Second)
				return c
			},
			found: running,
			after: func(r *rig, c string) {
				r.pass(6 * time.Second)
				r.expect("append", "kill killed", "timer kill 5s")
				r.exited(c, 9)
			},
			started: []string{"timer completion 6s"},
			want:    []string{"TASK_FAILED REASON_MAX_COMPLETION_TIME_REACHED"},
		},
		"framework without checkpoints": {
			before: run, found: running,
			options: []taskOption{func(fi *mesos.FrameworkInfo, _ *mesos.TaskInfo) { fi.Checkpoint = proto.Bool(false) }},
			started: []string{"append", "timer sandbox 168h0m0s", "destroy"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.register()
			c := tt.before(r, tt.options...)
			r.start(tt.found(c)...)
			r.expect(tt.started...)
			if tt.after != nil {
				tt.after(r, c)
			}
			r.register()
			var got []string
			for len(updates(r.did, "t1")) > 0 {
				got = append(got, strings.TrimPrefix(describe(r.did[sentAt(r.did)]), "update t1 "))
				r.ack("t1")
			}
			if strings.Join(got, ", ") != strings.Join(tt.want, ", ") {
				t.Errorf("updates %v, want %v", got, tt.want)
			}
		})
	}
}

func sentAt(effects []Effect) int {
	for i, e := range effects {
		if statusIn(e) != nil {
			return i
		}
	}
	return -1
}

func TestRecoveredUpdatesKeepTheirIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.exited(r.run("t1"), 0)
	before := r.lastUpdate("t1")
	r.start()
	r.register()
	if after := r.lastUpdate("t1"); !proto.Equal(before, after) {
		t.Errorf("before %v\nafter %v", before, after)
	}
	r.ack("t1")
	if len(r.a.frameworks) != 0 {
		t.Error("task is not forgotten")
	}
}

func TestReboot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.run("t1")
	r.exited(r.run("t2"), 0)
	r.cfg.Boot = "b2"
	r.start()
	r.expect("append", "timer sandbox 168h0m0s")
	if tasks := r.a.frameworks["f1"].tasks; len(tasks) != 1 || tasks["t2"] == nil {
		t.Errorf("tasks %v", tasks)
	}
	contents, _ := record.Read(r.values)
	if contents.Boot != "b2" || len(contents.Tasks) != 1 || len(contents.Sandboxes) != 1 {
		t.Errorf("contents %+v", contents)
	}
}

func TestStrayContainersAreDestroyed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.start(containerizer.Recovered{ID: "x", State: containerizer.Running}, containerizer.Recovered{ID: "y", State: containerizer.Ended})
	r.expect("destroy", "destroy")
	r.container(containerizer.Exited{ID: "x"})
	r.expect()
}

func TestRecoveredAgentWithoutItsID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.run("t1")
	r.durable = ""
	r.start(containerizer.Recovered{ID: c, State: containerizer.Running})
	r.expect("append", "timer sandbox 168h0m0s", "destroy")
	if len(r.a.frameworks) != 0 {
		t.Errorf("frameworks %v", r.a.frameworks)
	}
}

// An agent that has left and come back as another does not tell of the former's tasks, should a reboot have lost that
// they were forgotten: nobody could acknowledge it.
func TestRebootAfterLeaving(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.exited(r.run("t1"), 0)
	r.cfg.Boot = "b2"
	r.durable = "another"
	r.start()
	r.expect("append", "timer sandbox 168h0m0s")
	if len(r.a.frameworks) != 0 {
		t.Errorf("frameworks %v", r.a.frameworks)
	}
	if contents, _ := record.Read(r.values); len(contents.Tasks) != 0 {
		t.Errorf("contents %+v", contents)
	}
}

func TestUnreadableRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.run("t1")
	r.run("t2")
	r.values[record.TaskKey("f1", "t1")] = []byte{record.FormatVersion, 0xff}
	contents, errs := record.Read(r.values)
	if len(errs) == 0 || len(contents.Tasks) != 1 || contents.Tasks[0].ID != "t2" {
		t.Fatalf("tasks %v, errors %v", contents.Tasks, errs)
	}
	r.a = New(r.cfg, Recovered{AgentID: r.durable, Contents: contents, Errors: len(errs)}, r.now)
	r.step(Started{})
	if n := r.a.State().Metrics(r.now.Wall)["slave/recovery_errors"]; n < 1 {
		t.Errorf("%v recovery errors", n)
	}
	if _, errs := record.Read(r.values); len(errs) > 0 {
		t.Errorf("what could not be read is still there: %v", errs)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := record.Task{Info: encode(&mesos.TaskInfo{
		Name: proto.String("n"), TaskId: &mesos.TaskID{Value: proto.String("t")}, AgentId: &mesos.AgentID{Value: proto.String("a")},
	})}
	tests := map[string]record.Contents{
		"framework": {Frameworks: map[string]record.Framework{"f": {Info: []byte{0xff}}}},
		"task":      {Tasks: []record.TaskContents{{Framework: "f", ID: "t", Task: record.Task{Info: []byte{0xff}}}}},
		"status":    {Tasks: []record.TaskContents{{Framework: "f", ID: "t", Task: good, Updates: []record.Update{{Status: []byte{0xff}}}}}},
		"orphan":    {Tasks: []record.TaskContents{{Framework: "f", ID: "t", Task: good}}},
	}
	for name, c := range tests {
		if err := (Recovered{Contents: c}).Validate(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCompatible(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	saved := proto.CloneOf(cfg.Info)
	saved.Id = &mesos.AgentID{Value: proto.String(testAgent)}
	if err := Compatible(encode(saved), cfg.Info); err != nil {
		t.Error(err)
	}
	cfg.Info.Hostname = proto.String("other")
	err := Compatible(encode(saved), cfg.Info)
	if err == nil || !strings.Contains(err.Error(), "incompatible agent info detected") || !strings.Contains(err.Error(), "other") {
		t.Errorf("error %v", err)
	}
}
