package master

import (
	"encoding/binary"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"google.golang.org/protobuf/proto"
)

// TaskCounts counts tasks by state, the index being a mesos.TaskState.
type TaskCounts [16]int32

// Task is one task. A Task that a State holds is never changed.
type Task struct {
	rev uint64

	Framework string
	ID        string
	Agent     string
	// Encoded is the encoded TaskInfo, resources in refined format with allocation_info.
	Encoded   []byte
	Resources resource.Resources
	// State is the newest state that is known, which the framework may not have been told yet.
	State mesos.TaskState
	// UpdateState is the state of the oldest update that awaits acknowledgement, or of the latest one that
	// did. It is TASK_STAGING at first.
	UpdateState mesos.TaskState
	// UpdateUUID is that update's uuid; all zero when there has been none.
	UpdateUUID [16]byte
	// UnreachableSince is when the agent became unreachable, zero for a task that is not unreachable.
	UnreachableSince time.Time

	// statuses are encoded TaskStatus messages, each after its length, without what the task itself tells.
	statuses []byte
	// freed says that the resources have been given back: the newest state is terminal.
	freed bool
	// kill is what the agent is to be told again whenever it comes back, nil for nothing.
	kill *linkv1.KillTask
}

// Info decodes the task's description.
func (t *Task) Info() *mesos.TaskInfo {
	info := &mesos.TaskInfo{}
	mustDecode(t.Encoded, info)
	return info
}

// Statuses decodes the updates that matter to readers, oldest first: the latest one of each run of equal
// states.
func (t *Task) Statuses() []*mesos.TaskStatus {
	var all []*mesos.TaskStatus
	for rest := t.statuses; len(rest) > 0; {
		var one []byte
		one, rest = nextStatus(rest)
		s := &mesos.TaskStatus{}
		mustDecodePartial(one, s)
		s.TaskId = &mesos.TaskID{Value: proto.String(t.ID)}
		s.AgentId = &mesos.AgentID{Value: proto.String(t.Agent)}
		all = append(all, s)
	}
	return all
}

// nextStatus splits off the first of a task's encoded statuses.
func nextStatus(b []byte) (one, rest []byte) {
	n, w := binary.Uvarint(b)
	return b[w : w+int(n)], b[w+int(n):]
}

func mustDecodePartial(data []byte, into proto.Message) {
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(data, into); err != nil {
		panic("decode own encoding of " + string(into.ProtoReflect().Descriptor().FullName()) + ": " + err.Error())
	}
}

// Terminal tells whether a task in this state has ended.
func Terminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FAILED, mesos.TaskState_TASK_KILLED,
		mesos.TaskState_TASK_ERROR, mesos.TaskState_TASK_LOST, mesos.TaskState_TASK_DROPPED,
		mesos.TaskState_TASK_GONE, mesos.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	default:
		return false
	}
}
