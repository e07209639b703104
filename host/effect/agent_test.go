package effect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/effect"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
)

// agentWorld notes what is asked of it.
type agentWorld struct {
	did  []string
	full bool // the disk is
}

func (w *agentWorld) note(format string, args ...any) {
	w.did = append(w.did, fmt.Sprintf(format, args...))
}

func (w *agentWorld) Send(conn agent.ConnID, m *linkv1.ToMaster) {
	w.note("send %s %d", conn, m.GetPong().GetNumber())
}
func (w *agentWorld) Redial(conn agent.ConnID)                       { w.note("redial %s", conn) }
func (w *agentWorld) Sync(id uint64, op agent.Durable)               { w.note("sync %d %T", id, op) }
func (w *agentWorld) Launch(_ context.Context, s containerizer.Spec) { w.note("launch %s", s.ID) }
func (w *agentWorld) Destroy(_ context.Context, id string)           { w.note("destroy %s", id) }
func (w *agentWorld) Remove(directory string)                        { w.note("remove %s", directory) }
func (w *agentWorld) Set(id agent.TimerID, d time.Duration) {
	w.note("set %d %s %s", id.Kind, id.Key, d)
}
func (w *agentWorld) Cancel(id agent.TimerID)     { w.note("cancel %d", id.Kind) }
func (w *agentWorld) Authorize(q agent.Authorize) { w.note("authorize %s", q.Container) }
func (w *agentWorld) Exit(e agent.Exit)           { w.note("exit %s", e.Reason) }
func (w *agentWorld) Kill(_ context.Context, id string, s syscall.Signal) error {
	w.note("kill %s %d", id, s)
	return containerizer.ErrUnknownContainer
}

func (w *agentWorld) Append(ops ...record.Op) error {
	if w.full {
		return syscall.ENOSPC
	}
	w.note("append %d", len(ops))
	return nil
}

func (w *agentWorld) executor(log *bytes.Buffer) *effect.AgentExecutor {
	return effect.NewAgentExecutor(effect.AgentPorts{
		Master: w, Runs: w, Durable: w, Containers: w, Sandboxes: w, Timers: w, Authorizer: w, Process: w,
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
}

func TestAgentEffects(t *testing.T) {
	t.Parallel()
	timer := agent.TimerID{Kind: agent.TimerKill, Key: "f/t"}
	steps := []struct {
		effect agent.Effect
		want   string
	}{
		{agent.Append{Ops: []record.Op{{Key: "a"}, {Key: "b"}}}, "append 2"},
		{agent.SendMaster{Conn: "c", Msg: &linkv1.ToMaster{Body: &linkv1.ToMaster_Pong{Pong: &linkv1.Pong{Number: 5}}}}, "send c 5"},
		{agent.Reconnect{Conn: "c"}, "redial c"},
		{agent.Sync{ID: 3, Op: agent.ForgetAgent{}}, "sync 3 agent.ForgetAgent"},
		{agent.Authorize{Container: "x"}, "authorize x"},
		{agent.Launch{Spec: containerizer.Spec{ID: "x"}}, "launch x"},
		{agent.Kill{Container: "x", Signal: syscall.SIGTERM}, "kill x 15"},
		{agent.Destroy{Container: "x"}, "destroy x"},
		{agent.SetTimer{ID: timer, After: time.Second}, fmt.Sprintf("set %d f/t 1s", agent.TimerKill)},
		{agent.CancelTimer{ID: timer}, fmt.Sprintf("cancel %d", agent.TimerKill)},
		{agent.RemoveSandbox{Directory: "/d"}, "remove /d"},
		{agent.Exit{Reason: "over"}, "exit over"},
	}
	var w agentWorld
	var log bytes.Buffer
	effects := []agent.Effect{agent.Log{Level: slog.LevelInfo, Msg: "said", Attrs: []slog.Attr{slog.Int("n", 1)}}}
	var want []string
	for _, s := range steps {
		effects = append(effects, s.effect)
		want = append(want, s.want)
	}
	if err := w.executor(&log).Run(t.Context(), effects); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.did, want) {
		t.Errorf("done:\n%s\nwant:\n%s", strings.Join(w.did, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(log.String(), "msg=said n=1") {
		t.Errorf("log %q", &log)
	}
}

func TestAgentDoesNothingThatIsNotWrittenDown(t *testing.T) {
	t.Parallel()
	w := agentWorld{full: true}
	err := w.executor(&bytes.Buffer{}).Run(t.Context(), []agent.Effect{
		agent.Reconnect{Conn: "c"}, agent.Append{Ops: []record.Op{{Key: "a"}}}, agent.Launch{},
	})
	if !errors.Is(err, syscall.ENOSPC) || !slices.Equal(w.did, []string{"redial c"}) {
		t.Errorf("error %v, done %v", err, w.did)
	}
}
