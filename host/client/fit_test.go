package client

import (
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func scalar(name string, v float64, change ...func(*mesos.Resource)) *mesos.Resource {
	r := &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &v}}
	for _, c := range change {
		c(r)
	}
	return r
}

func TestFits(t *testing.T) {
	t.Parallel()
	reserved := func(r *mesos.Resource) { r.Role = proto.String("eng") }
	refined := func(r *mesos.Resource) { r.Reservations = []*mesos.Resource_ReservationInfo{{}} }
	star := func(r *mesos.Resource) { r.Role = proto.String("*") }
	revocable := func(r *mesos.Resource) { r.Revocable = &mesos.Resource_RevocableInfo{} }
	type list = []*mesos.Resource
	for name, tt := range map[string]struct {
		want, offered list
		ok            bool
	}{
		"all of it":            {list{scalar("cpus", 1), scalar("mem", 32)}, list{scalar("cpus", 1), scalar("mem", 32, star)}, true},
		"too little":           {list{scalar("cpus", 1.001)}, list{scalar("cpus", 1)}, false},
		"nothing of it":        {list{scalar("gpus", 1)}, list{scalar("cpus", 1)}, false},
		"in two pieces":        {list{scalar("cpus", 0.3)}, list{scalar("cpus", 0.1), scalar("cpus", 0.2)}, true},
		"wanted in two pieces": {list{scalar("cpus", 0.1), scalar("cpus", 0.2)}, list{scalar("cpus", 0.3)}, true},
		"reserved":             {list{scalar("cpus", 1)}, list{scalar("cpus", 1, reserved)}, false},
		"reserved, refined":    {list{scalar("cpus", 1)}, list{scalar("cpus", 1, refined)}, false},
		"revocable":            {list{scalar("cpus", 1)}, list{scalar("cpus", 1, revocable)}, false},
		"none of what is free": {list{scalar("gpus", 0)}, list{scalar("cpus", 1)}, true},
	} {
		if got := fits(tt.want, tt.offered); got != tt.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSandboxPath(t *testing.T) {
	t.Parallel()
	task := &mesos.Task{TaskId: &mesos.TaskID{Value: proto.String("t")}, FrameworkId: &mesos.FrameworkID{Value: proto.String("f")}}
	if got := sandboxPath(task); got != "/frameworks/f/executors/t/runs/latest" {
		t.Error(got)
	}
	task.ExecutorId = &mesos.ExecutorID{Value: proto.String("x")}
	if got := sandboxPath(task); got != "/frameworks/f/executors/x/runs/latest" {
		t.Error(got)
	}
}
