package agent

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

func TestTaskFinishes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.launch("t1")
	r.expect("append", "launch t1")
	r.container(containerizer.Started{ID: c, Pid: 42})
	r.expect("append", "update t1 TASK_STARTING", "timer update 10s")
	r.ack("t1")
	r.expect("append", "cancel update", "update t1 TASK_RUNNING", "timer update 10s")
	r.ack("t1")
	r.expect("append", "cancel update")
	r.container(containerizer.Exited{ID: c, Known: true})
	r.expect("timer cleanup 10s")
	r.container(containerizer.Cleaned{ID: c})
	r.expect("append", "cancel cleanup", "update t1 TASK_FINISHED", "timer update 10s", "destroy")
	r.ack("t1")
	r.expect("append", "cancel update", "timer sandbox 168h0m0s")
	if len(r.a.frameworks) != 0 || len(r.a.byContainer) != 0 {
		t.Errorf("something is remembered: %v %v", r.a.frameworks, r.a.byContainer)
	}
	for key := range r.values {
		if strings.HasPrefix(key, "task/") || strings.HasPrefix(key, "update/") || strings.HasPrefix(key, "framework/") {
			t.Errorf("record %q is left", key)
		}
	}
	r.pass(7 * 24 * time.Hour)
	r.step(SandboxRemoved{Directory: "/w/slaves/" + testAgent + "/frameworks/f1/executors/t1/runs/" + c})
	if m := r.a.State().Metrics(r.now.Wall); m["gc/path_removals_succeeded"] != 1 || m["gc/path_removals_pending"] != 0 {
		t.Errorf("removals: %v", m)
	}
}

func TestStatusAsRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.launch("t1")
	r.container(containerizer.Started{ID: c, Pid: 42})
	got := r.lastUpdate("t1")
	if len(got.GetUuid()) != 16 {
		t.Errorf("uuid has %d bytes", len(got.GetUuid()))
	}
	got.Uuid = nil
	want := &mesos.TaskStatus{
		TaskId: &mesos.TaskID{Value: proto.String("t1")}, State: mesos.TaskState_TASK_STARTING.Enum(),
		Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(), AgentId: &mesos.AgentID{Value: proto.String(testAgent)},
		ExecutorId: &mesos.ExecutorID{Value: proto.String("t1")}, Timestamp: proto.Float64(float64(testStart.Unix())),
		ContainerStatus: &mesos.ContainerStatus{
			ContainerId: &mesos.ContainerID{Value: proto.String(c)}, ExecutorPid: proto.Uint32(42),
			NetworkInfos: []*mesos.NetworkInfo{{IpAddresses: []*mesos.NetworkInfo_IPAddress{{
				Protocol: mesos.NetworkInfo_IPv4.Enum(), IpAddress: proto.String("127.0.0.1"),
			}}}},
		},
	}
	if !proto.Equal(got, want) {
		t.Errorf("status %v\nwant %v", got, want)
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	memory := containerizer.Limitation{Isolator: "cgroups", Resource: "mem", Amount: 33_000, Message: "Memory limit exceeded: 33MB of 32MB"}
	tests := map[string]struct {
		events  func(r *rig, c string)
		state   mesos.TaskState
		source  mesos.TaskStatus_Source
		reason  *mesos.TaskStatus_Reason
		message string
	}{
		"exit 0": {
			events: func(r *rig, c string) { r.exited(c, 0) },
			state:  mesos.TaskState_TASK_FINISHED, source: mesos.TaskStatus_SOURCE_EXECUTOR,
			message: "Command exited with status 0",
		},
		"exit 3": {
			events: func(r *rig, c string) { r.exited(c, 3<<8) },
			state:  mesos.TaskState_TASK_FAILED, source: mesos.TaskStatus_SOURCE_EXECUTOR,
			message: "Command exited with status 3",
		},
		"signal": {
			events: func(r *rig, c string) { r.exited(c, 9) },
			state:  mesos.TaskState_TASK_FAILED, source: mesos.TaskStatus_SOURCE_EXECUTOR,
			message: "Command terminated with signal Killed",
		},
		"core": {
			events: func(r *rig, c string) { r.exited(c, 11|0x80) },
			state:  mesos.TaskState_TASK_FAILED, source: mesos.TaskStatus_SOURCE_EXECUTOR,
			message: "Command terminated with signal Segmentation fault (core dumped)",
		},
		"memory": {
			events: func(r *rig, c string) {
				r.container(containerizer.Limited{ID: c, Limitation: memory})
				r.exited(c, 9)
			},
			state: mesos.TaskState_TASK_FAILED, source: mesos.TaskStatus_SOURCE_AGENT,
			reason:  mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY.Enum(),
			message: "Memory limit exceeded: 33MB of 32MB",
		},
		"init killed": {
			events: func(r *rig, c string) {
				r.container(containerizer.Exited{ID: c})
				r.container(containerizer.Cleaned{ID: c})
			},
			state: mesos.TaskState_TASK_FAILED, source: mesos.TaskStatus_SOURCE_AGENT,
			reason:  mesos.TaskStatus_REASON_EXECUTOR_TERMINATED.Enum(),
			message: "Container ended without telling the command's exit status",
		},
		"never cleaned": {
			events: func(r *rig, c string) {
				r.container(containerizer.Exited{ID: c, Known: true})
				r.pass(10 * time.Second)
			},
			state: mesos.TaskState_TASK_FINISHED, source: mesos.TaskStatus_SOURCE_EXECUTOR,
			message: "Command exited with status 0",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.register()
			c := r.run("t1")
			tt.events(r, c)
			got := r.lastUpdate("t1")
			if got.GetState() != tt.state || got.GetSource() != tt.source || got.GetMessage() != tt.message {
				t.Errorf("last update %v", got)
			}
			if (got.Reason == nil) != (tt.reason == nil) || tt.reason != nil && got.GetReason() != *tt.reason {
				t.Errorf("reason %v, want %v", got.Reason, tt.reason)
			}
			if got.GetLimitation() != nil != (name == "memory") {
				t.Errorf("limitation %v", got.GetLimitation())
			}
		})
	}
}

func TestLaunchFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.launch("t1")
	r.container(containerizer.Failed{ID: c, Reason: containerizer.FetchFailed, Message: "Failed to fetch all URIs"})
	r.expect("append", "update t1 TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED", "timer update 10s", "destroy")
	if !r.a.used.IsEmpty() {
		t.Errorf("what never ran holds %s", r.a.used)
	}
	s := r.lastUpdate("t1")
	// Its isolators are cleaned up when they can be, at last when nobody remembers the task.
	r.ack("t1")
	r.container(containerizer.Cleaned{ID: c, Err: errors.New("busy")})
	r.expect("destroy")
	if n := r.a.State().Metrics(r.now.Wall)["containerizer/mesos/container_destroy_errors"]; n != 1 {
		t.Errorf("%v destroy errors", n)
	}
	if s.GetMessage() != "Failed to launch container: Failed to fetch all URIs" || s.ContainerStatus != nil {
		t.Errorf("status %v", s)
	}
	if n := r.a.State().Metrics(r.now.Wall)["slave/container_launch_errors"]; n != 1 {
		t.Errorf("%v launch errors", n)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	aware := capability(mesos.FrameworkInfo_Capability_PARTITION_AWARE)
	huge := with(func(ti *mesos.TaskInfo) {
		res, _ := resource.Parse("cpus:400", "*")
		ti.Resources = wire.ToMesos(res.Allocate("*"), wire.Format{RefinedReservations: true, AllocationInfo: true})
	})
	tests := map[string]struct {
		options []taskOption
		want    string
	}{
		"executor": {
			options: []taskOption{with(func(ti *mesos.TaskInfo) {
				ti.Executor = &mesos.ExecutorInfo{ExecutorId: &mesos.ExecutorID{Value: proto.String("e")}}
			})},
			want: "update t1 TASK_ERROR REASON_TASK_INVALID",
		},
		"no command": {
			options: []taskOption{with(func(ti *mesos.TaskInfo) { ti.Command = nil })},
			want:    "update t1 TASK_ERROR REASON_TASK_INVALID",
		},
		"health check": {
			options: []taskOption{with(func(ti *mesos.TaskInfo) { ti.HealthCheck = &mesos.HealthCheck{} })},
			want:    "update t1 TASK_ERROR REASON_TASK_INVALID",
		},
		"secret": {
			options: []taskOption{with(func(ti *mesos.TaskInfo) {
				ti.Command.Environment = &mesos.Environment{Variables: []*mesos.Environment_Variable{{
					Name: proto.String("S"), Type: mesos.Environment_Variable_SECRET.Enum(),
				}}}
			})},
			want: "update t1 TASK_ERROR REASON_TASK_INVALID",
		},
		"too much":        {options: []taskOption{huge}, want: "update t1 TASK_LOST REASON_RESOURCES_UNKNOWN"},
		"too much, aware": {options: []taskOption{huge, aware}, want: "update t1 TASK_DROPPED REASON_RESOURCES_UNKNOWN"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.register()
			r.say(runMessage("f1", "t1", tt.options...))
			r.expect("append", tt.want, "timer update 10s")
			r.ack("t1")
			if len(r.a.frameworks) != 0 || !r.a.used.IsEmpty() || !r.a.free.Equal(r.cfg.Resources) {
				t.Errorf("left: %v, used %v, free %v", r.a.frameworks, r.a.used, r.a.free)
			}
		})
	}
}

func TestPortsAreNotGivenTwice(t *testing.T) {
	t.Parallel()
	ports := with(func(ti *mesos.TaskInfo) {
		res, _ := resource.Parse("cpus:0.1;ports:[31000-31005]", "*")
		ti.Resources = wire.ToMesos(res.Allocate("*"), wire.Format{RefinedReservations: true, AllocationInfo: true})
	})
	r := newRig(t)
	r.register()
	r.launch("t1", ports)
	r.say(runMessage("f1", "t2", ports))
	r.expect("append", "update t2 TASK_LOST REASON_RESOURCES_UNKNOWN", "timer update 10s")
}

func TestSenselessTasks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	for _, id := range []string{"", ".", "..", "a/b", "a\\b", "a\x00", "a\n", "\xff"} {
		r.say(runMessage("f1", id))
		r.expect()
		r.say(runMessage(id, "t"))
		r.expect()
	}
}

func TestRepeatedRunTask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	r.launch("t1")
	r.say(runMessage("f1", "t1"))
	r.expect()
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	authorize := func(c *Config) { c.AuthorizeTasks = true }
	question := func(r *rig) string {
		r.t.Helper()
		r.say(runMessage("f1", "t1"))
		r.expect("authorize")
		return r.did[0].(Authorize).Container
	}
	t.Run("allowed", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, authorize)
		r.register()
		r.step(Authorized{Container: question(r)})
		r.expect("append", "launch t1")
	})
	t.Run("denied", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, authorize)
		r.register()
		r.step(Authorized{Container: question(r), Denied: "no"})
		r.expect("append", "update t1 TASK_ERROR REASON_TASK_UNAUTHORIZED", "timer update 10s")
	})
	t.Run("nobody can tell", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, authorize)
		r.register()
		r.step(Authorized{Container: question(r), Unavailable: `authorizer "opa": down`})
		r.expect("append", "update t1 TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED", "timer update 10s")
	})
	t.Run("killed meanwhile", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, authorize)
		r.register()
		c := question(r)
		r.killTask("t1")
		r.expect("append", "update t1 TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH", "timer update 10s")
		r.step(Authorized{Container: c})
		r.expect()
	})
}

func TestSpec(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register()
	c := r.launch("t1", with(func(ti *mesos.TaskInfo) {
		ti.Command.Shell = proto.Bool(false)
		ti.Command.Arguments = []string{"sleep", "1"}
		ti.Command.Environment = &mesos.Environment{Variables: []*mesos.Environment_Variable{
			{Name: proto.String("A"), Value: proto.String("1")},
		}}
		ti.Command.Uris = []*mesos.CommandInfo_URI{{Value: proto.String("http://x/y.tgz")}}
		ti.Labels = &mesos.Labels{Labels: []*mesos.Label{
			{Key: proto.String("tier"), Value: proto.String("old")}, {Key: proto.String("bare")}, {Key: proto.String("tier"), Value: proto.String("web")},
		}}
		ti.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), RlimitInfo: &mesos.RLimitInfo{
			Rlimits: []*mesos.RLimitInfo_RLimit{{Type: mesos.RLimitInfo_RLimit_RLMT_NOFILE.Enum(), Soft: proto.Uint64(1), Hard: proto.Uint64(2)}},
		}}
	}))
	s := r.did[1].(Launch).Spec
	if s.User != "nobody" || s.Sandbox != "/w/slaves/M1-S0/frameworks/f1/executors/t1/runs/"+c || s.Agent != testAgent ||
		!s.Checkpoint || !s.CommandTask || s.Role != "*" || s.ShutdownGrace != 5*time.Second {
		t.Errorf("spec %+v", s)
	}
	if s.Command.Shell || s.Command.Value != "sleep 1000" || len(s.Command.Arguments) != 2 || s.Command.Environment[0].Name != "A" {
		t.Errorf("command %+v", s.Command)
	}
	if !s.URIs[0].Extract || s.Rlimits[0].Type != "RLIMIT_NOFILE" || s.Rlimits[0].Hard != 2 {
		t.Errorf("uris %+v, rlimits %+v", s.URIs, s.Rlimits)
	}
	if want := map[string]string{"tier": "web", "bare": ""}; !maps.Equal(s.Labels, want) {
		t.Errorf("labels %v, want %v", s.Labels, want)
	}
}

func TestExecutorName(t *testing.T) {
	t.Parallel()
	tests := map[string]*mesos.CommandInfo{
		"Command Executor (Task: t) (Command: sh -c 'sleep 1')":         {Value: proto.String("sleep 1")},
		"Command Executor (Task: t) (Command: sh -c 'echo hello >...')": {Value: proto.String("echo hello > data/file")},
		"Command Executor (Task: t) (Command: [/bin/echo, e...])": {
			Shell: proto.Bool(false), Value: proto.String("/bin/echo"), Arguments: []string{"echo", "x"},
		},
		"Command Executor (Task: t) (Command: [/no/such/bin, ])": {Shell: proto.Bool(false), Value: proto.String("/no/such/bin")},
		"Command Executor (Task: t) (Command: NO COMMAND)":       {},
		"Command Executor (Task: t) (Command: NO EXECUTABLE)":    {Shell: proto.Bool(false)},
	}
	for want, c := range tests {
		got := executorName(&mesos.TaskInfo{TaskId: &mesos.TaskID{Value: proto.String("t")}, Command: c})
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
