package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api"
	"github.com/mezzo-cluster/mezzo/host/api/answer"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/clock"
	"github.com/mezzo-cluster/mezzo/host/effect"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// frozen is a master whose state stays as it is.
type frozen struct{ state *master.State }

func (f frozen) State() *master.State { return f.state }

func (f frozen) Enqueue(context.Context, master.Event) error { return effect.ErrStopped }

// withTasks returns the state of a master with an agent that came back with tasks, each with three updates.
func withTasks(b *testing.B, n int) *master.State {
	b.Helper()
	now := clock.Time{Wall: time.Now()}
	m := master.New(master.Config{ID: masterID, Epoch: 1, Info: &mesos.MasterInfo{Id: proto.String(masterID)}}, registry.NewState(), now)
	step := func(e master.Event) {
		for _, effect := range m.Step(now, e) {
			if c, ok := effect.(master.Commit); ok {
				m.Step(now, master.Committed{ID: c.ID})
			}
		}
	}
	must := func(m proto.Message) []byte {
		data, err := proto.Marshal(m)
		if err != nil {
			b.Fatal(err)
		}
		return data
	}
	total, err := resource.Parse("cpus:100000;mem:100000000", resource.DefaultRole)
	if err != nil {
		b.Fatal(err)
	}
	agent := masterID + "-S0"
	framework := must(&mesos.FrameworkInfo{User: proto.String("root"), Name: proto.String("f"), Id: &mesos.FrameworkID{Value: proto.String("F")}, Principal: proto.String("alice")})
	register := &linkv1.Register{
		AgentInfo: must(&mesos.AgentInfo{Id: &mesos.AgentID{Value: &agent}, Hostname: proto.String("h"), Resources: wire.ToMesos(total, wire.Format{})}),
		Version:   "1", FrameworkInfos: [][]byte{framework}, Last: true, HttpAddress: "127.0.0.1:5051",
	}
	used, err := resource.Parse("cpus:0.1;mem:32", resource.DefaultRole)
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		id := fmt.Sprintf("task-%06d", i)
		task := &linkv1.Task{
			FrameworkId: "F", ExecutorId: id, LatestState: int32(mesos.TaskState_TASK_RUNNING),
			TaskInfo: must(&mesos.TaskInfo{
				Name: &id, TaskId: &mesos.TaskID{Value: &id}, AgentId: &mesos.AgentID{Value: &agent},
				Command:   &mesos.CommandInfo{Value: proto.String("sleep 1000")},
				Resources: wire.ToMesos(used.Allocate("*"), wire.Format{RefinedReservations: true, AllocationInfo: true}),
			}),
		}
		for _, s := range []mesos.TaskState{mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING} {
			task.Statuses = append(task.Statuses, must(&mesos.TaskStatus{
				TaskId: &mesos.TaskID{Value: &id}, State: s.Enum(), Uuid: make([]byte, 16), Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(),
				Timestamp: proto.Float64(1795229553.586219), ContainerStatus: &mesos.ContainerStatus{
					ContainerId: &mesos.ContainerID{Value: proto.String("f7c3235a-657b-40ff-b34f-81796c5f578e")},
					NetworkInfos: []*mesos.NetworkInfo{{IpAddresses: []*mesos.NetworkInfo_IPAddress{{
						Protocol: mesos.NetworkInfo_IPv4.Enum(), IpAddress: proto.String("127.0.0.1"),
					}}}},
				},
			}))
		}
		register.Tasks = append(register.Tasks, task)
	}
	step(master.Started{})
	step(master.AgentConnected{Conn: "c"})
	step(master.AgentMessage{Conn: "c", Epoch: 1, Msg: &linkv1.ToMaster{Body: &linkv1.ToMaster_Hello{Hello: &linkv1.Hello{Version: "1", AgentId: agent}}}})
	step(master.AgentMessage{Conn: "c", Epoch: 1, Msg: &linkv1.ToMaster{Body: &linkv1.ToMaster_Register{Register: register}}})
	got := 0
	for range m.State().Tasks("") {
		got++
	}
	if got != n {
		b.Fatalf("%d of %d tasks are there", got, n)
	}
	return m.State()
}

func benchmarkRead(b *testing.B, tasks int, auth authorizer.Authorizer, method, path, body, accept string) {
	state := withTasks(b, tasks)
	handler := api.NewMaster(api.MasterConfig{
		Common: api.Common{Control: access.NewControl(auth)}, Master: frozen{state}, Replies: answer.NewDesk(),
		Leadership: &leadership{now: endpoint.Leader{Self: true, Ready: true}},
	})
	b.ResetTimer()
	var size int64
	for b.Loop() {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", accept)
		w := &discard{header: http.Header{}}
		handler.ServeHTTP(w, r)
		if w.status > 200 {
			b.Fatal(w.status)
		}
		size = w.size
	}
	b.SetBytes(size)
}

func BenchmarkGetState500(b *testing.B) {
	for _, accept := range []string{"application/json", "application/x-protobuf"} {
		b.Run(accept, func(b *testing.B) {
			benchmarkRead(b, 500, nil, "POST", "/api/v1", `{"type":"GET_STATE"}`, accept)
		})
	}
}

func BenchmarkLegacyState500(b *testing.B) { benchmarkRead(b, 500, nil, "GET", "/state", "", "") }

func BenchmarkGetTasks100000OfOneUser(b *testing.B) {
	p := authorizer.Compare(authorizer.Eq, authorizer.Field("framework", "principal"), authorizer.Const(authorizer.StringValue("bob")))
	benchmarkRead(b, 100_000, &policy{filter: func(_ authorizer.Subject, a authorizer.Action) *authorizer.FilterAnswer {
		if a != authorizer.ViewTask {
			return nil
		}
		return &authorizer.FilterAnswer{Predicate: p, Revision: "r1"}
	}}, "POST", "/api/v1", `{"type":"GET_TASKS"}`, "application/json")
}

// discard counts what is written.
type discard struct {
	header http.Header
	size   int64
	status int
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) WriteHeader(status int) { d.status = status }

func (d *discard) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	return io.Discard.Write(p)
}
