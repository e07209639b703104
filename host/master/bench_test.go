package master

import (
	"fmt"
	"runtime"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// discard drives a master without looking at what it does.
type discard struct {
	*rig
	id     string
	stream StreamID
	agents []string
	conns  []ConnID
	n      uint64
}

func newDiscard(tb testing.TB, agents int) *discard {
	d := &discard{rig: newRig(tb)}
	for i := range agents {
		conn, id := d.agent(fmt.Sprintf("h%d", i))
		d.conns, d.agents = append(d.conns, conn), append(d.agents, id)
	}
	d.stream, d.id = d.subscribe(framework("bench"))
	return d
}

// do steps without the rig's checks, and publishes the state as a loop does.
func (d *discard) do(ev Event) []Effect {
	out := d.m.Step(d.now, ev)
	d.m.State()
	return out
}

// offered has the allocator propose some resources on an agent.
func (d *discard) offered(agent string, r resource.Resources) string {
	d.n++
	for _, e := range d.do(Allocations{Generation: 1, Batch: []allocator.Allocation{
		{ID: d.n, Framework: d.id, Role: "*", Agent: agent, Resources: r},
	}}) {
		if a, ok := e.(AllocatorAnswer); ok {
			return a.Answers[0].OfferID
		}
	}
	return ""
}

var (
	smallText = "cpus:0.001;mem:0.01"
	small     = mustParse(smallText)
)

func mustParse(text string) resource.Resources {
	r, err := resource.Parse(text, "*")
	if err != nil {
		panic(err)
	}
	return r
}

// BenchmarkAccept measures an ACCEPT that launches one task, with the offer made before and the last update
// acknowledged after it.
func BenchmarkAccept(b *testing.B) {
	d := newDiscard(b, 1)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		id := fmt.Sprintf("task-%d", n)
		offer := d.offered(d.agents[0], small)
		d.do(Call{Framework: d.id, Stream: d.stream, Call: accepting([]string{offer}, command(id, d.agents[0], smallText))})
		d.update(id, n, mesos.TaskState_TASK_FINISHED)
		d.do(Call{Framework: d.id, Stream: d.stream, Call: acking(d.agents[0], id, n)})
	}
}

func (d *discard) update(task string, n int, state mesos.TaskState) {
	msg := update(d.id, d.agents[0], task, n, state, state)
	d.do(AgentMessage{Conn: d.conns[0], Epoch: d.cfg.Epoch, Msg: toMaster(msg)})
}

// BenchmarkAllocations measures a part of a batch of allocations becoming offers, and their being declined.
func BenchmarkAllocations(b *testing.B) {
	const batch = allocationPart
	d := newDiscard(b, batch)
	whole := d.m.State().Agent(d.agents[0]).Free
	b.Run("offer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var all []allocator.Allocation
			for _, agent := range d.agents {
				d.n++
				all = append(all, allocator.Allocation{ID: d.n, Framework: d.id, Role: "*", Agent: agent, Resources: whole})
			}
			var ids []string
			for _, e := range d.do(Allocations{Generation: 1, Batch: all}) {
				if a, ok := e.(AllocatorAnswer); ok {
					for _, one := range a.Answers {
						ids = append(ids, one.OfferID)
					}
				}
			}
			b.StopTimer()
			d.do(Call{Framework: d.id, Stream: d.stream, Call: &scheduler.Call{
				Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{OfferIds: offerIDs(ids...)},
			}})
			b.StartTimer()
		}
	})
}

// launchMany launches tasks that run, over many agents.
func (d *discard) launchMany(tasks int) {
	const perOffer = 100
	var each resource.Resources
	for n := 0; n < tasks; n += perOffer {
		i := (n / perOffer) % len(d.agents)
		agent := d.agents[i]
		if each.IsEmpty() {
			each = mustParse("cpus:0.1;mem:1")
		}
		offer := d.offered(agent, each)
		var infos []*mesos.TaskInfo
		for k := range perOffer {
			info := command(fmt.Sprintf("web.instance-%08d", n+k), agent, smallText)
			info.Command = &mesos.CommandInfo{Value: proto.String("exec /usr/bin/server --port $PORT0 --config /etc/server.conf")}
			info.Labels = &mesos.Labels{Labels: []*mesos.Label{{Key: proto.String("app"), Value: proto.String("web")}}}
			infos = append(infos, info)
		}
		d.do(Call{Framework: d.id, Stream: d.stream, Call: accepting([]string{offer}, infos...)})
		for k := range perOffer {
			id := fmt.Sprintf("web.instance-%08d", n+k)
			for j, state := range []mesos.TaskState{mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING} {
				msg := update(d.id, agent, id, 2*(n+k)+j, state, state)
				s := &mesos.TaskStatus{}
				mustDecode(msg.GetStatus(), s)
				s.ContainerStatus = &mesos.ContainerStatus{
					ContainerId: &mesos.ContainerID{Value: proto.String("26f4c049-c803-4425-b946-d2696e6a93c4")},
					NetworkInfos: []*mesos.NetworkInfo{{IpAddresses: []*mesos.NetworkInfo_IPAddress{
						{Protocol: mesos.NetworkInfo_IPv4.Enum(), IpAddress: proto.String("127.0.0.1")},
					}}},
					ExecutorPid: proto.Uint32(14316),
				}
				msg.Status = encode(s)
				d.do(AgentMessage{Conn: d.conns[i], Epoch: d.cfg.Epoch, Msg: toMaster(msg)})
				d.do(Call{Framework: d.id, Stream: d.stream, Call: acking(agent, id, 2*(n+k)+j)})
			}
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// maxBytesPerTask is what a running task may take of the master's memory.
const maxBytesPerTask = 1500

// TestMemoryPerTask holds 25,000 running tasks, each with a command, a label and two statuses with container and
// address, and measures what they take.
func TestMemoryPerTask(t *testing.T) {
	const tasks = 25_000
	d := newDiscard(t, 100)
	before := heap()
	d.launchMany(tasks)
	took := heap() - before
	running := 0
	for task := range d.m.State().Tasks(d.id) {
		if task.State == mesos.TaskState_TASK_RUNNING {
			running++
		}
	}
	if running != tasks {
		t.Fatalf("%d tasks run", running)
	}
	t.Logf("%d bytes per task", took/tasks)
	if took/tasks > maxBytesPerTask {
		t.Fatalf("a task takes %d bytes, more than %d", took/tasks, maxBytesPerTask)
	}
	runtime.KeepAlive(d)
}
