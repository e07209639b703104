package agent

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// maxChunk is about how large one message of a registration may become, in bytes.
const maxChunk = 1 << 20

// register asks the master to admit the agent, or to take it back with all that runs here. It is not repeated on the
// same connection unless it was refused: a repeat that the master reads late would say that tasks which it has sent
// meanwhile are not here. A master that does not answer is given up when it has been silent for too long.
func (a *Agent) register() {
	if a.link.conn == "" || a.link.registered || a.syncs.pending != 0 || a.exit != nil {
		return
	}
	for _, chunk := range a.registration() {
		a.send(&linkv1.ToMaster{Body: &linkv1.ToMaster_Register{Register: chunk}})
	}
}

// registerLater asks again after a refusal.
func (a *Agent) registerLater() {
	wait := a.link.backoff
	a.link.backoff = min(wait*2, maxRegister)
	// Between all and half of it, so that the agents of a new master do not come in step.
	a.setTimer(TimerID{Kind: TimerRegister}, wait-time.Duration(a.cfg.Random.Int64N(int64(wait/2))))
}

// registration is the agent and everything on it, in chunks.
func (a *Agent) registration() []*linkv1.Register {
	first := &linkv1.Register{AgentInfo: a.encodedInfo(), Version: a.cfg.Version, HttpAddress: a.cfg.Address}
	for _, c := range a.cfg.Capabilities {
		first.AgentCapabilities = append(first.AgentCapabilities, encode(&mesos.AgentInfo_Capability{Type: c.Enum()}))
	}
	chunks := []*linkv1.Register{first}
	size := proto.Size(first)
	room := func(n int) *linkv1.Register {
		if size+n > maxChunk {
			chunks = append(chunks, &linkv1.Register{})
			size = 0
		}
		size += n
		return chunks[len(chunks)-1]
	}
	for _, f := range a.sortedFrameworks() {
		if f.terminating {
			continue
		}
		c := room(len(f.info))
		c.FrameworkInfos = append(c.FrameworkInfos, f.info)
		for _, t := range f.sortedTasks() {
			m := t.linkMessage()
			c := room(proto.Size(m))
			c.Tasks = append(c.Tasks, m)
		}
	}
	chunks[len(chunks)-1].Last = true
	return chunks
}

func (t *task) linkMessage() *linkv1.Task {
	m := &linkv1.Task{
		FrameworkId: t.framework.id,
		TaskInfo:    t.info,
		ExecutorId:  t.id,
		LatestState: int32(t.state),
		Statuses:    t.statuses,
	}
	if u := t.stream.first(); u != nil {
		m.StatusUpdateState, m.StatusUpdateUuid = int32(u.state), u.uuid
	}
	return m
}
