package agent

import (
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/mutant"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

const (
	// defaultSilence is how long a master may be silent until it has said how often it pings: five pings, one
	// each 15 s, as in Mesos.
	defaultSilence = 75 * time.Second
	// A registration that is refused is repeated, after this at first and up to this at last.
	minRegister = time.Second
	maxRegister = time.Minute
)

// link is the connection to the master.
type link struct {
	conn       ConnID // empty while there is none
	address    string
	master     *mesos.MasterInfo
	registered bool
	silence    time.Duration
	backoff    time.Duration
	// held are the messages that came while the agent's new id was being synced, in order.
	held []*linkv1.ToAgent
}

// syncs is the change to the durable store that is under way, of which there is one at most at a time.
type syncs struct {
	last    uint64
	pending uint64 // 0 if none
	then    func()
}

func (a *Agent) sync(op Durable, then func()) {
	a.syncs.last++
	a.syncs.pending, a.syncs.then = a.syncs.last, then
	a.emit(Sync{ID: a.syncs.last, Op: op})
}

func (a *Agent) synced(id uint64) {
	if id == 0 || id != a.syncs.pending {
		return
	}
	then := a.syncs.then
	a.syncs.pending, a.syncs.then = 0, nil
	then()
}

func (a *Agent) masterConnected(e MasterConnected) {
	a.disconnect()
	if e.Epoch < a.epoch && !mutant.StaleEpoch {
		a.log(slog.LevelWarn, "master's term of leadership is over", slog.String("master", e.Address),
			slog.Uint64("epoch", e.Epoch), slog.Uint64("newest", a.epoch))
		a.emit(Reconnect{Conn: e.Conn})
		return
	}
	if e.Epoch > a.epoch {
		a.epoch = e.Epoch
		a.write(record.EpochKey(), record.Epoch{Number: e.Epoch}.Encode())
	}
	info := &mesos.MasterInfo{}
	if err := proto.Unmarshal(e.Welcome.GetMasterInfo(), info); err != nil {
		a.log(slog.LevelWarn, "master's description cannot be read", slog.String("master", e.Address), slog.Any("error", err))
	}
	a.link = link{conn: e.Conn, address: e.Address, master: info, silence: defaultSilence, backoff: minRegister}
	if a.exit != nil {
		return
	}
	a.log(slog.LevelInfo, "connected to master", slog.String("master", e.Address), slog.Uint64("epoch", e.Epoch))
	a.heard()
	a.register()
}

func (a *Agent) masterGone(e MasterGone) {
	if e.Conn == a.link.conn && e.Conn != "" {
		if a.exit == nil {
			a.log(slog.LevelWarn, "connection to master lost; tasks run on", slog.String("master", a.link.address))
		}
		a.disconnect()
	}
}

// masterSilent gives up a connection on which nothing has come for too long. Tasks run on.
func (a *Agent) masterSilent() {
	if a.link.conn == "" {
		return
	}
	conn := a.link.conn
	a.log(slog.LevelWarn, "no ping from the master; connecting anew, tasks run on",
		slog.String("master", a.link.address), slog.Duration("silence", a.link.silence))
	a.disconnect()
	a.emit(Reconnect{Conn: conn})
}

func (a *Agent) disconnect() {
	a.cancelTimer(TimerID{Kind: TimerPing})
	a.cancelTimer(TimerID{Kind: TimerRegister})
	if a.link.registered {
		for _, f := range a.sortedFrameworks() {
			for _, t := range f.sortedTasks() {
				a.cancelTimer(t.timer(TimerUpdate))
			}
		}
	}
	a.link = link{}
}

// heard starts the wait for the next ping anew.
func (a *Agent) heard() { a.setTimer(TimerID{Kind: TimerPing}, a.link.silence) }

func (a *Agent) send(msg *linkv1.ToMaster) { a.emit(SendMaster{Conn: a.link.conn, Msg: msg}) }

// masterMessage fences: what comes from another connection, or from an older term, is not heard.
func (a *Agent) masterMessage(e MasterMessage) {
	if e.Conn != a.link.conn || e.Conn == "" || e.Msg.Epoch < a.epoch {
		return
	}
	switch m := e.Msg.Body.(type) {
	case *linkv1.ToAgent_Ping:
		a.send(&linkv1.ToMaster{Body: &linkv1.ToMaster_Pong{Pong: &linkv1.Pong{Number: m.Ping.GetNumber()}}})
		a.heard()
	case *linkv1.ToAgent_Registered:
		a.registered(m.Registered)
	case *linkv1.ToAgent_Refused:
		a.refused(m.Refused)
	case *linkv1.ToAgent_Shutdown:
		a.shutdown(m.Shutdown.GetReason(), false)
	default:
		if !a.link.registered {
			a.link.held = append(a.link.held, e.Msg)
			return
		}
		a.work(e.Msg)
	}
}

// work deals with what a master says to an agent that it has admitted.
func (a *Agent) work(msg *linkv1.ToAgent) {
	switch m := msg.Body.(type) {
	case *linkv1.ToAgent_RunTask:
		a.runTask(m.RunTask)
	case *linkv1.ToAgent_KillTask:
		a.killTask(m.KillTask)
	case *linkv1.ToAgent_Acknowledge:
		a.acknowledge(m.Acknowledge)
	case *linkv1.ToAgent_ShutdownExecutor:
		a.shutdownExecutor(m.ShutdownExecutor)
	case *linkv1.ToAgent_ShutdownFramework:
		a.shutdownFramework(m.ShutdownFramework.GetFrameworkId())
	case *linkv1.ToAgent_UpdateFramework:
		a.updateFramework(m.UpdateFramework)
	case *linkv1.ToAgent_Message:
		a.counts.invalidMessages++
		a.log(slog.LevelInfo, "no executor takes messages", slog.String("framework", m.Message.GetFrameworkId()),
			slog.String("executor", m.Message.GetExecutorId()))
	}
}

func (a *Agent) registered(m *linkv1.Registered) {
	if a.link.registered || a.syncs.pending != 0 {
		return
	}
	if m.AgentId == "" || (a.agentID != "" && m.AgentId != a.agentID) {
		a.log(slog.LevelError, "master answered for another agent", slog.String("agent", a.agentID), slog.String("answered", m.AgentId))
		a.emit(Reconnect{Conn: a.link.conn})
		a.disconnect()
		return
	}
	a.cancelTimer(TimerID{Kind: TimerRegister})
	if m.PingIntervalNanoseconds > 0 && m.MaxMissedPings > 0 {
		a.link.silence = time.Duration(m.PingIntervalNanoseconds) * time.Duration(m.MaxMissedPings)
	}
	a.heard()
	if a.agentID != "" {
		a.admitted(m.Reregistered)
		return
	}
	a.agentID = m.AgentId
	a.setInfo()
	conn := a.link.conn
	a.sync(SaveAgent{AgentID: a.agentID, Info: a.encodedInfo()}, func() {
		if a.link.conn == conn {
			a.admitted(false)
		} else if a.link.conn != "" {
			a.register()
		}
	})
}

// admitted sends what the master may not have heard, and then does what the master said meanwhile.
func (a *Agent) admitted(again bool) {
	a.link.registered = true
	a.log(slog.LevelInfo, "registered with master", slog.String("agent", a.agentID), slog.Bool("again", again))
	for _, f := range a.sortedFrameworks() {
		a.resumeUpdates(f)
	}
	held := a.link.held
	a.link.held = nil
	for _, msg := range held {
		a.work(msg)
	}
}

func (a *Agent) refused(m *linkv1.Refused) {
	if m.GetShutdown() {
		a.shutdown(m.GetReason(), false)
		return
	}
	if a.link.registered || a.exit != nil {
		return
	}
	a.heard()
	a.registerLater()
	a.log(slog.LevelWarn, "master refuses the agent; it will be asked again", slog.String("reason", m.GetReason()))
}

func (a *Agent) encodedInfo() []byte { return encode(a.info) }

// encode encodes a message of our own making, which cannot fail.
func encode(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic("agent: " + err.Error()) // a required field was left out: a bug
	}
	return b
}
