package agent

import (
	"bytes"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/mutant"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// An update that is not acknowledged is sent again, after this at first and up to this at last.
const (
	minResend = 10 * time.Second
	maxResend = 10 * time.Minute
)

// stream is a task's status updates: written down when they are made, sent one at a time, the next only when the
// one before is acknowledged.
type stream struct {
	made         uint64   // updates so far
	acknowledged uint64   // of them
	waiting      []update // those not acknowledged, the oldest first
	backoff      time.Duration
	sentState    mesos.TaskState
	sentUUID     []byte
}

// update is a status update that is not acknowledged.
type update struct {
	state  mesos.TaskState
	uuid   []byte
	status []byte // encoded
}

func (s *stream) first() *update {
	if len(s.waiting) == 0 {
		return nil
	}
	return &s.waiting[0]
}

// update makes the task's next status update out of a status with state, message, reason and the like, and sends it
// if none is on its way.
func (a *Agent) update(t *task, status *mesos.TaskStatus) {
	u := a.newUpdate(t.id, a.randomUUID(), status)
	a.write(record.UpdateKey(t.framework.id, t.id, t.stream.made), record.Update{Status: u.status}.Encode())
	t.stream.made++
	t.stream.waiting = append(t.stream.waiting, u)
	t.statuses = append(t.statuses[:len(t.statuses):len(t.statuses)], u.status)
	a.counts.validUpdates++
	a.setState(t, u.state)
	if len(t.stream.waiting) == 1 {
		a.sendFirst(t)
	}
}

// newUpdate completes a status.
func (a *Agent) newUpdate(task string, uuid [16]byte, status *mesos.TaskStatus) update {
	status.TaskId = &mesos.TaskID{Value: proto.String(task)}
	status.ExecutorId = &mesos.ExecutorID{Value: proto.String(task)}
	status.Uuid = uuid[:]
	status.Timestamp = proto.Float64(float64(a.now.Wall.UnixMicro()) / 1e6)
	if a.agentID != "" {
		status.AgentId = &mesos.AgentID{Value: proto.String(a.agentID)}
	}
	return update{state: status.GetState(), uuid: uuid[:], status: encode(status)}
}

// sendFirst sends the oldest update that is not acknowledged, as if for the first time.
func (a *Agent) sendFirst(t *task) {
	t.stream.backoff = minResend
	a.sendUpdate(t)
}

// resumeUpdates sends, of each of a framework's tasks, the oldest update that is not acknowledged: whoever is to hear of it
// has come back.
func (a *Agent) resumeUpdates(f *framework) {
	for _, t := range f.sortedTasks() {
		a.sendFirst(t)
	}
}

// resend follows upon an acknowledgement that did not come.
func (a *Agent) resend(t *task) {
	t.stream.backoff = min(t.stream.backoff*2, maxResend)
	a.sendUpdate(t)
}

func (a *Agent) sendUpdate(t *task) {
	u := t.stream.first()
	if u == nil || !a.link.registered {
		return
	}
	a.sendStatus(t.framework.id, t.id, *u, t.state)
	t.stream.sentState, t.stream.sentUUID = u.state, u.uuid
	a.touch(t)
	if t.framework.terminating || mutant.NoRetry {
		return // nobody will acknowledge it
	}
	a.setTimer(t.timer(TimerUpdate), t.stream.backoff)
}

func (a *Agent) sendStatus(framework, task string, u update, latest mesos.TaskState) {
	a.send(&linkv1.ToMaster{Body: &linkv1.ToMaster_Update{Update: &linkv1.StatusUpdate{
		FrameworkId: framework,
		ExecutorId:  task,
		Status:      u.status,
		Uuid:        u.uuid,
		LatestState: int32(latest),
	}}})
}

// acknowledge takes the oldest update off the stream. Acknowledgements of any other are repeats.
func (a *Agent) acknowledge(m *linkv1.Acknowledge) {
	t := a.task(m.GetFrameworkId(), m.GetTaskId())
	if t == nil {
		return
	}
	u := t.stream.first()
	if u == nil || (!bytes.Equal(u.uuid, m.GetUuid()) && !mutant.WrongAcknowledgement) {
		a.log(slog.LevelDebug, "acknowledgement of no update that is on its way",
			slog.String("framework", m.GetFrameworkId()), slog.String("task", m.GetTaskId()))
		return
	}
	last := terminal(u.state)
	a.cancelTimer(t.timer(TimerUpdate))
	t.stream.waiting = t.stream.waiting[1:]
	t.stream.acknowledged++
	if mutant.LostUpdate && len(t.stream.waiting) > 1 {
		t.stream.waiting = t.stream.waiting[1:]
		t.stream.acknowledged++
	}
	a.touch(t)
	if last {
		a.forget(t)
		return
	}
	a.write(record.AckKey(t.framework.id, t.id), record.Acknowledged{Count: t.stream.acknowledged}.Encode())
	a.sendFirst(t)
}
