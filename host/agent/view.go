package agent

import (
	"fmt"
	"iter"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// Framework is a framework as readers see it.
type Framework struct {
	ID string
	// Info is an encoded mesos.v1.FrameworkInfo, with the id.
	Info []byte
	// Completed is the framework's executors that have ended, the oldest first; at most 150.
	Completed []*Executor

	executors *iradix.Tree[*Executor]
}

// Message decodes the framework's description.
func (f *Framework) Message() (*mesos.FrameworkInfo, error) {
	return decode[mesos.FrameworkInfo]("framework", f.ID, f.Info)
}

// Executors yields the executors that have not ended, or whose last updates are not acknowledged, by id.
func (f *Framework) Executors() iter.Seq[*Executor] { return values(f.executors) }

// Executor returns one of Executors, or nil.
func (f *Framework) Executor(id string) *Executor {
	e, _ := f.executors.Get([]byte(id))
	return e
}

// ExecutorState is how far an executor has got.
type ExecutorState uint8

// The states of an executor.
const (
	// ExecutorRegistering: its container is being launched.
	ExecutorRegistering ExecutorState = iota
	// ExecutorRunning: its container runs.
	ExecutorRunning
	// ExecutorTerminating: it was told to end.
	ExecutorTerminating
	// ExecutorTerminated: its container has ended.
	ExecutorTerminated
)

// Executor is an executor as readers see it. A command task has none; the agent shows one in its place, whose id is
// the task's.
type Executor struct {
	ID        string
	Framework string
	// Name is "Command Executor (Task: ...) (Command: ...)" for one that stands for a command task.
	Name   string
	Source string
	// Container is the container's id.
	Container string
	// Directory is the sandbox's absolute path.
	Directory string
	// Role is the one its resources are allocated to.
	Role string
	// Resources is the executor's own. What stands for a command task is charged nothing, but shows what
	// Mesos's has.
	Resources resource.Resources
	// CommandTask tells that this stands for a command task.
	CommandTask bool
	// Labels are the executor's, of a command task the task's; nil if none.
	Labels *mesos.Labels
	State  ExecutorState
	// Pid is that of the container's first process, 0 while there is none.
	Pid int
	// Queued tasks wait for the container, Tasks were started, Terminated have ended but their last update is
	// not acknowledged, Completed are done with.
	Queued, Tasks, Terminated, Completed []*Task
}

// Message builds the executor's description.
func (e *Executor) Message() *mesos.ExecutorInfo {
	info := &mesos.ExecutorInfo{
		ExecutorId:  &mesos.ExecutorID{Value: proto.String(e.ID)},
		FrameworkId: &mesos.FrameworkID{Value: proto.String(e.Framework)},
		Resources:   wire.ToMesos(e.Resources, wire.Format{RefinedReservations: true, AllocationInfo: true}),
		Labels:      e.Labels,
	}
	if e.Name != "" {
		info.Name = proto.String(e.Name)
	}
	if e.Source != "" {
		info.Source = proto.String(e.Source) //nolint:staticcheck // deprecated, and still what clients see
	}
	return info
}

// Task is a task as readers see it.
type Task struct {
	ID, Framework string
	// Executor is the id of the executor the task runs in; empty for a command task.
	Executor  string
	Container string
	Name      string
	// Info is an encoded mesos.v1.TaskInfo.
	Info []byte
	// State is the newest, which the master may not have heard of.
	State mesos.TaskState
	// Statuses are encoded mesos.v1.TaskStatus messages, the oldest first.
	Statuses [][]byte
	// Resources are what the task was given, allocated to its role.
	Resources resource.Resources
	// StatusUpdateState and StatusUpdateUUID are those of the newest update sent to the master; no uuid if none.
	StatusUpdateState mesos.TaskState
	StatusUpdateUUID  []byte
}

// TaskInfo decodes the task's description.
func (t *Task) TaskInfo() (*mesos.TaskInfo, error) {
	return decode[mesos.TaskInfo]("task", t.ID, t.Info)
}

// Message builds the task as operators see it.
func (t *Task) Message() (*mesos.Task, error) {
	info, err := t.TaskInfo()
	if err != nil {
		return nil, err
	}
	m := &mesos.Task{
		Name:        info.Name,
		TaskId:      info.TaskId,
		FrameworkId: &mesos.FrameworkID{Value: proto.String(t.Framework)},
		AgentId:     info.AgentId,
		State:       t.State.Enum(),
		Resources:   info.Resources,
		Labels:      info.Labels,
		Discovery:   info.Discovery,
		Container:   info.Container,
		HealthCheck: info.HealthCheck,
		KillPolicy:  info.KillPolicy,
		Limits:      info.Limits,
		Statuses:    make([]*mesos.TaskStatus, 0, len(t.Statuses)),
	}
	if c := info.GetCommand(); c != nil {
		m.User = c.User
	}
	if t.Executor != "" {
		m.ExecutorId = &mesos.ExecutorID{Value: proto.String(t.Executor)}
	}
	for _, encoded := range t.Statuses {
		s, err := decode[mesos.TaskStatus]("status of task", t.ID, encoded)
		if err != nil {
			return nil, err
		}
		m.Statuses = append(m.Statuses, s)
	}
	if t.StatusUpdateUUID != nil {
		m.StatusUpdateState, m.StatusUpdateUuid = t.StatusUpdateState.Enum(), t.StatusUpdateUUID
	}
	return m, nil
}

// message is what decode needs of a protobuf message type.
type message[T any] interface {
	*T
	proto.Message
}

func decode[T any, M message[T]](what, id string, encoded []byte) (M, error) {
	m := M(new(T))
	if err := proto.Unmarshal(encoded, m); err != nil {
		return nil, fmt.Errorf("decode %s %q: %w", what, id, err)
	}
	return m, nil
}
