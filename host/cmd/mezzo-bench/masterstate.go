package main

import (
	"fmt"
	"runtime"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/clock"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/host/registry"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// tasksPerAgent is how many tasks each agent of the filled state has.
const tasksPerAgent = 500

// masterBytesPerTask fills a master's state machine with tasks, by way of agents that register with them, and
// returns how much of the heap each takes.
func masterBytesPerTask(tasks int) (float64, error) {
	now := clock.Time{Wall: time.Now()}
	info := &mesos.MasterInfo{Id: proto.String("bench"), Ip: proto.Uint32(0), Port: proto.Uint32(5050)}
	m := master.New(master.Config{ID: "bench", Epoch: 1, Info: info, Started: now.Wall}, registry.NewState(), now)
	m.Step(now, master.Started{})
	before := heap()
	for i := range tasks / tasksPerAgent {
		if err := registerFull(m, now, i); err != nil {
			return 0, err
		}
	}
	after := heap()
	n := 0
	for range m.State().Tasks("bench-0000") {
		n++
	}
	if n != tasks {
		return 0, fmt.Errorf("the master has %d of %d tasks", n, tasks)
	}
	runtime.KeepAlive(m)
	return float64(after-before) / float64(tasks), nil
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// registerFull registers an agent with its tasks, committing what the master wants committed.
func registerFull(m *master.Master, now clock.Time, n int) error {
	id := fmt.Sprintf("bench-S%d", n)
	conn := master.ConnID(id)
	r, err := registration(id, n, &mesos.FrameworkInfo{
		Id: &mesos.FrameworkID{Value: proto.String("bench-0000")}, User: proto.String("root"), Name: proto.String("bench"),
		Checkpoint: proto.Bool(true), FailoverTimeout: proto.Float64(3600),
	})
	for i := range tasksPerAgent {
		if err != nil {
			return err
		}
		var t *linkv1.Task
		t, err = runningTask(id, fmt.Sprintf("task-%d-%d", n, i), "bench-0000", "*")
		r.Tasks = append(r.Tasks, t)
	}
	if err != nil {
		return err
	}
	m.Step(now, master.AgentConnected{Conn: conn, Hello: &linkv1.Hello{AgentId: id, Instance: id}})
	effects := m.Step(now, master.AgentMessage{Conn: conn, Epoch: 1, Msg: &linkv1.ToMaster{Body: &linkv1.ToMaster_Register{Register: r}}})
	for len(effects) > 0 {
		var next []master.Effect
		for _, e := range effects {
			if c, ok := e.(master.Commit); ok {
				next = append(next, m.Step(now, master.Committed{ID: c.ID})...)
			}
		}
		effects = next
	}
	return nil
}

// registration is what an agent registers with, but for its tasks, which a framework has.
func registration(id string, n int, owner *mesos.FrameworkInfo) (*linkv1.Register, error) {
	hostname := fmt.Sprintf("host-%d", n)
	agent, err := proto.Marshal(&mesos.AgentInfo{
		Id: &mesos.AgentID{Value: &id}, Hostname: &hostname, Port: proto.Int32(5051),
		Resources: []*mesos.Resource{scalar("cpus", 64), scalar("mem", 65536)},
	})
	if err != nil {
		return nil, err
	}
	framework, err := proto.Marshal(owner)
	if err != nil {
		return nil, err
	}
	capability, err := proto.Marshal(&mesos.AgentInfo_Capability{Type: mesos.AgentInfo_Capability_MULTI_ROLE.Enum()})
	if err != nil {
		return nil, err
	}
	return &linkv1.Register{
		AgentInfo: agent, Version: "bench", AgentCapabilities: [][]byte{capability}, FrameworkInfos: [][]byte{framework}, Last: true,
		HttpAddress: fmt.Sprintf("10.0.%d.%d:5051", n/250, n%250),
	}, nil
}

func runningTask(agent, id, framework, role string) (*linkv1.Task, error) {
	info := task(id, "/usr/local/bin/server", &mesos.Offer{AgentId: &mesos.AgentID{Value: &agent}})
	info.Command.Arguments = []string{"server", "--listen", "0.0.0.0:8080", "--name", id}
	info.Labels = &mesos.Labels{Labels: []*mesos.Label{{Key: proto.String("team"), Value: proto.String("web")}}}
	for _, r := range info.Resources {
		r.AllocationInfo = &mesos.Resource_AllocationInfo{Role: &role}
	}
	data, err := proto.Marshal(info)
	if err != nil {
		return nil, err
	}
	status, err := proto.Marshal(&mesos.TaskStatus{
		TaskId: info.TaskId, State: mesos.TaskState_TASK_RUNNING.Enum(), Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(),
		AgentId: info.AgentId, ExecutorId: &mesos.ExecutorID{Value: &id}, Timestamp: proto.Float64(float64(time.Now().Unix())),
		ContainerStatus: &mesos.ContainerStatus{
			ContainerId: &mesos.ContainerID{Value: proto.String("c0ffee00-0000-4000-8000-000000000000")}, ExecutorPid: proto.Uint32(4711),
			NetworkInfos: []*mesos.NetworkInfo{{IpAddresses: []*mesos.NetworkInfo_IPAddress{{IpAddress: proto.String("10.0.0.1")}}}},
		},
	})
	if err != nil {
		return nil, err
	}
	return &linkv1.Task{
		FrameworkId: framework, TaskInfo: data, ExecutorId: id, LatestState: int32(mesos.TaskState_TASK_RUNNING), Statuses: [][]byte{status},
	}, nil
}
