package agent

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// FuzzMasterMessage gives the agent whatever a master could send. It must survive it, keep its books, and be able to
// recover from what it wrote down.
func FuzzMasterMessage(f *testing.F) {
	for _, m := range []*linkv1.ToAgent{
		runMessage("f1", "t2"),
		runMessage("f1", "../t", with(func(ti *mesos.TaskInfo) { ti.Command = nil })),
		runMessage("f1", "t3", with(func(ti *mesos.TaskInfo) { ti.Resources = nil })),
		{Body: &linkv1.ToAgent_KillTask{KillTask: &linkv1.KillTask{FrameworkId: "f1", TaskId: "t1", KillPolicy: []byte{1}}}},
		{Body: &linkv1.ToAgent_Acknowledge{Acknowledge: &linkv1.Acknowledge{FrameworkId: "f1", TaskId: "t1"}}},
		{Body: &linkv1.ToAgent_ShutdownFramework{ShutdownFramework: &linkv1.ShutdownFramework{FrameworkId: "f1"}}},
		{Body: &linkv1.ToAgent_UpdateFramework{UpdateFramework: &linkv1.UpdateFramework{}}},
		{Body: &linkv1.ToAgent_Registered{Registered: &linkv1.Registered{PingIntervalNanoseconds: -1}}},
		{Body: &linkv1.ToAgent_Refused{}},
		{Body: &linkv1.ToAgent_Shutdown{}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &linkv1.ToAgent{}
		if proto.Unmarshal(data, m) != nil {
			return
		}
		r := newRig(t)
		r.register()
		r.run("t1")
		r.say(m)
		for fw := range r.a.State().Frameworks() {
			for e := range fw.Executors() {
				e.Message()
			}
		}
		r.start()
	})
}
