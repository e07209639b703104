package effect

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// recorder is all the ports of a master, and notes what is asked of them.
type recorder struct{ did []string }

func (r *recorder) note(format string, args ...any) {
	r.did = append(r.did, fmt.Sprintf(format, args...))
}

type schedulers struct{ *recorder }

func (s schedulers) Send(framework string, stream master.StreamID, e *scheduler.Event) {
	s.note("send %s %s %s", framework, stream, e.GetType())
}
func (s schedulers) Close(stream master.StreamID) { s.note("close %s", stream) }

type agents struct{ *recorder }

func (a agents) Send(conn master.ConnID, msg *linkv1.ToAgent) {
	a.note("tell %s %d", conn, msg.GetEpoch())
}
func (a agents) Close(conn master.ConnID) { a.note("cut %s", conn) }

type rest struct{ *recorder }

func (r rest) Commit(id uint64, op registry.Op)      { r.note("commit %d %T", id, op) }
func (r rest) Update(seq uint64, u allocator.Update) { r.note("update %d %T", seq, u) }
func (r rest) Answer(generation uint64, a []allocator.Answer) {
	r.note("answer %d %d", generation, len(a))
}
func (r rest) Set(id master.TimerID, after time.Duration) {
	r.note("set %d %s %s", id.Kind, id.Key, after)
}
func (r rest) Cancel(id master.TimerID) { r.note("cancel %d %s", id.Kind, id.Key) }
func (r rest) Reply(reply master.Reply) { r.note("reply %d %d", reply.ID, reply.Code) }

func TestMasterEffectsAreCarriedOutInOrder(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	rec := &recorder{}
	x := NewMasterExecutor(MasterPorts{
		Schedulers: schedulers{rec}, Agents: agents{rec}, Registry: rest{rec}, Allocator: rest{rec}, Timers: rest{rec},
		Replies: rest{rec}, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	err := x.Run(t.Context(), []master.Effect{
		master.Commit{ID: 1, Op: registry.RemoveAgent{}},
		master.SendScheduler{Framework: "f", Stream: "s", Event: &scheduler.Event{Type: scheduler.Event_HEARTBEAT.Enum()}},
		master.CloseStream{Stream: "s"},
		master.SendAgent{Conn: "c", Msg: &linkv1.ToAgent{Epoch: 3}},
		master.CloseAgent{Conn: "c"},
		master.AllocatorUpdate{Seq: 4, Update: allocator.AgentRemoved{}},
		master.AllocatorAnswer{Generation: 5, Answers: []allocator.Answer{{}}},
		master.SetTimer{ID: master.TimerID{Kind: master.TimerPing, Key: "a"}, After: time.Second},
		master.CancelTimer{ID: master.TimerID{Kind: master.TimerPing, Key: "a"}},
		master.Reply{ID: 6, Code: master.ReplyConflict},
		master.Log{Level: slog.LevelWarn, Msg: "hello", Attrs: []slog.Attr{slog.String("agent", "a")}},
	})
	want := []string{
		"commit 1 registry.RemoveAgent", "send f s HEARTBEAT", "close s", "tell c 3", "cut c", "update 4 allocator.AgentRemoved",
		"answer 5 1", "set 3 a 1s", "cancel 3 a", "reply 6 4",
	}
	if err != nil || !slices.Equal(rec.did, want) {
		t.Fatalf("did %q (%v), want %q", rec.did, err, want)
	}
	if !strings.Contains(log.String(), "msg=hello agent=a") {
		t.Fatalf("logged %q", log.String())
	}
	if err := x.Run(t.Context(), []master.Effect{nil}); err == nil {
		t.Fatal("an unknown effect is no error")
	}
}
