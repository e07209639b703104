package agent

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/clock"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

const (
	testAgent = "M1-S0"
	testConn  = ConnID("c1")
	testEpoch = 3
)

var testStart = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// failer is what rigs need of *testing.T and *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// rig drives an Agent by hand. It keeps what the agent writes, and what it did last.
type rig struct {
	t      failer
	cfg    Config
	a      *Agent
	now    clock.Time
	values map[string][]byte
	// durable is the id that was synced.
	durable string
	did     []Effect // of the last step
	log     []Effect // of all steps of this agent
}

func testConfig(t failer) Config {
	t.Helper()
	total, err := resource.Parse("cpus:4;mem:4096;ports:[31000-31099]", "*")
	if err != nil {
		t.Fatalf("parse resources: %v", err)
	}
	return Config{
		Info: &mesos.AgentInfo{
			Hostname: proto.String("host"), Port: proto.Int32(5051), Resources: wire.ToMesos(total, wire.Format{RefinedReservations: true}),
		},
		Resources: total, Version: "1.0.0", Instance: "i1", Boot: "b1", Address: "127.0.0.1:5051", IP: "127.0.0.1",
		WorkDir: "/w", Random: rand.New(rand.NewPCG(1, 2)), SwitchUser: true,
	}
}

func newRig(t failer, change ...func(*Config)) *rig {
	cfg := testConfig(t)
	for _, c := range change {
		c(&cfg)
	}
	r := &rig{t: t, cfg: cfg, now: clock.Time{Wall: testStart, Mono: time.Hour}, values: map[string][]byte{}}
	r.start()
	return r
}

// start builds an agent from what was written, and no containers.
func (r *rig) start(found ...containerizer.Recovered) {
	r.t.Helper()
	contents, errs := record.Read(r.values)
	if len(errs) > 0 {
		r.t.Fatalf("records: %v", errs)
	}
	rec := Recovered{AgentID: r.durable, Contents: contents, Containers: found}
	if err := rec.Validate(); err != nil {
		r.t.Fatalf("recovered: %v", err)
	}
	r.log = nil
	r.a = New(r.cfg, rec, r.now)
	r.step(Started{})
}

func (r *rig) step(ev Event) []Effect {
	r.did = r.a.Step(r.now, ev)
	r.log = append(r.log, r.did...)
	for i, e := range r.did {
		switch e := e.(type) {
		case Append:
			if i != 0 {
				r.t.Fatalf("records are written after other effects: %v", describeAll(r.did))
			}
			for _, op := range e.Ops {
				if op.Value == nil {
					delete(r.values, op.Key)
				} else {
					r.values[op.Key] = op.Value
				}
			}
		case Sync:
			switch op := e.Op.(type) {
			case SaveAgent:
				r.durable = op.AgentID
			case ForgetAgent:
				r.durable = ""
			}
		}
	}
	return r.did
}

// pass lets time go by and fires the timers that are due, the earliest first.
func (r *rig) pass(d time.Duration) {
	end := r.now.Mono + d
	for {
		var next TimerID
		found := false
		for id, due := range r.a.timers {
			if due <= end && (!found || due < r.a.timers[next] || due == r.a.timers[next] && fmt.Sprint(id) < fmt.Sprint(next)) {
				next, found = id, true
			}
		}
		if !found {
			break
		}
		r.now = r.now.Add(max(r.a.timers[next]-r.now.Mono, 0))
		r.step(TimerFired{ID: next})
	}
	r.now = r.now.Add(end - r.now.Mono)
}

func (r *rig) connect() {
	r.step(MasterConnected{Conn: testConn, Epoch: testEpoch, Address: "m:5052", Welcome: &linkv1.Welcome{MasterId: "M1"}})
}

// register connects and registers, as a new agent or again.
func (r *rig) register() {
	r.t.Helper()
	r.connect()
	again := r.durable != ""
	r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_Registered{Registered: &linkv1.Registered{
		AgentId: testAgent, Reregistered: again, PingIntervalNanoseconds: int64(15 * time.Second), MaxMissedPings: 5,
	}}})
	if !again {
		r.step(Synced{ID: 1})
	}
	if !r.a.State().Registered {
		r.t.Fatalf("not registered: %v", describeAll(r.log))
	}
}

// say is a message of the master.
func (r *rig) say(msg *linkv1.ToAgent) {
	msg.Epoch = testEpoch
	r.step(MasterMessage{Conn: testConn, Msg: msg})
}

// taskOption changes a task before it is run.
type taskOption func(*mesos.FrameworkInfo, *mesos.TaskInfo)

func capability(c mesos.FrameworkInfo_Capability_Type) taskOption {
	return func(fi *mesos.FrameworkInfo, _ *mesos.TaskInfo) {
		fi.Capabilities = append(fi.Capabilities, &mesos.FrameworkInfo_Capability{Type: c.Enum()})
	}
}

func killPolicy(d time.Duration) taskOption {
	return func(_ *mesos.FrameworkInfo, ti *mesos.TaskInfo) {
		ti.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: proto.Int64(int64(d))}}
	}
}

func completionTime(d time.Duration) taskOption {
	return func(_ *mesos.FrameworkInfo, ti *mesos.TaskInfo) {
		ti.MaxCompletionTime = &mesos.DurationInfo{Nanoseconds: proto.Int64(int64(d))}
	}
}

func with(change func(*mesos.TaskInfo)) taskOption {
	return func(_ *mesos.FrameworkInfo, ti *mesos.TaskInfo) { change(ti) }
}

func runMessage(framework, id string, options ...taskOption) *linkv1.ToAgent {
	res, err := resource.Parse("cpus:0.1;mem:32", "*")
	if err != nil {
		panic(err)
	}
	fi := &mesos.FrameworkInfo{
		Id: &mesos.FrameworkID{Value: proto.String(framework)}, Name: proto.String("f"), User: proto.String("nobody"),
		Checkpoint: proto.Bool(true),
	}
	ti := &mesos.TaskInfo{
		Name: proto.String("n"), TaskId: &mesos.TaskID{Value: proto.String(id)},
		AgentId:   &mesos.AgentID{Value: proto.String(testAgent)},
		Resources: wire.ToMesos(res.Allocate("*"), wire.Format{RefinedReservations: true, AllocationInfo: true}),
		Command:   &mesos.CommandInfo{Value: proto.String("sleep 1000")},
	}
	for _, o := range options {
		o(fi, ti)
	}
	return &linkv1.ToAgent{Body: &linkv1.ToAgent_RunTask{RunTask: &linkv1.RunTask{
		FrameworkInfo: encode(fi), TaskInfo: encode(ti),
	}}}
}

// launch has the master run a task, and returns its container.
func (r *rig) launch(id string, options ...taskOption) string {
	r.t.Helper()
	r.say(runMessage("f1", id, options...))
	for _, e := range r.did {
		if l, ok := e.(Launch); ok {
			return l.Spec.ID
		}
	}
	r.t.Fatalf("task not launched: %v", describeAll(r.did))
	return ""
}

// run launches a task, starts it, and has both its updates acknowledged.
func (r *rig) run(id string, options ...taskOption) string {
	r.t.Helper()
	c := r.launch(id, options...)
	r.container(containerizer.Started{ID: c, Pid: 42})
	r.ack(id)
	r.ack(id)
	return c
}

func (r *rig) container(ev containerizer.Event) { r.step(ContainerEvent{Event: ev}) }

// exited ends a container and cleans it up.
func (r *rig) exited(container string, status int) {
	r.container(containerizer.Exited{ID: container, WaitStatus: status, Known: true})
	r.container(containerizer.Cleaned{ID: container})
}

func (r *rig) killTask(id string, grace ...time.Duration) {
	m := &linkv1.KillTask{FrameworkId: "f1", TaskId: id}
	for _, g := range grace {
		m.KillPolicy = encode(&mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: proto.Int64(int64(g))}})
	}
	r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_KillTask{KillTask: m}})
}

// ack acknowledges the update that was sent last of a task.
func (r *rig) ack(id string) {
	r.t.Helper()
	u := r.lastUpdate(id)
	r.say(&linkv1.ToAgent{Body: &linkv1.ToAgent_Acknowledge{Acknowledge: &linkv1.Acknowledge{
		FrameworkId: "f1", TaskId: id, Uuid: u.GetUuid(),
	}}})
}

func (r *rig) lastUpdate(id string) *mesos.TaskStatus {
	r.t.Helper()
	all := updates(r.log, id)
	if len(all) == 0 {
		r.t.Fatalf("no update of task %s in %v", id, describeAll(r.log))
	}
	return all[len(all)-1]
}

// updates are those sent of a task, in order.
func updates(effects []Effect, id string) []*mesos.TaskStatus {
	var out []*mesos.TaskStatus
	for _, e := range effects {
		if s := statusIn(e); s != nil && s.GetTaskId().GetValue() == id {
			out = append(out, s)
		}
	}
	return out
}

func statusIn(e Effect) *mesos.TaskStatus {
	send, ok := e.(SendMaster)
	if !ok || send.Msg.GetUpdate() == nil {
		return nil
	}
	s := &mesos.TaskStatus{}
	if err := proto.Unmarshal(send.Msg.GetUpdate().Status, s); err != nil {
		panic(err)
	}
	return s
}

// expect compares the last step's effects, in short form and without log lines.
func (r *rig) expect(want ...string) {
	r.t.Helper()
	got := describeAll(r.did)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		r.t.Fatalf("effects:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func describeAll(effects []Effect) []string {
	var out []string
	for _, e := range effects {
		if s := describe(e); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func describe(effect Effect) string {
	switch e := effect.(type) {
	case Append:
		return "append"
	case SendMaster:
		return describeMessage(e.Msg)
	case Sync:
		return fmt.Sprintf("sync %T", e.Op)
	case SetTimer:
		return fmt.Sprintf("timer %s %s", timerName(e.ID.Kind), e.After)
	case CancelTimer:
		return "cancel " + timerName(e.ID.Kind)
	case Launch:
		return "launch " + e.Spec.Task
	case Kill:
		return "kill " + e.Signal.String()
	case Destroy:
		return "destroy"
	case Reconnect:
		return "reconnect " + string(e.Conn)
	case RemoveSandbox:
		return "remove sandbox"
	case Authorize:
		return "authorize"
	case Exit:
		return fmt.Sprintf("exit failed=%t %s", e.Failed, e.Reason)
	}
	return ""
}

func describeMessage(m *linkv1.ToMaster) string {
	switch b := m.Body.(type) {
	case *linkv1.ToMaster_Update:
		s := statusIn(SendMaster{Msg: m})
		out := fmt.Sprintf("update %s %s", s.GetTaskId().GetValue(), s.GetState())
		if s.Reason != nil {
			out += " " + s.GetReason().String()
		}
		return out
	case *linkv1.ToMaster_Register:
		return fmt.Sprintf("register tasks=%d last=%t", len(b.Register.Tasks), b.Register.Last)
	case *linkv1.ToMaster_Pong:
		return fmt.Sprintf("pong %d", b.Pong.Number)
	case *linkv1.ToMaster_Unregister:
		return "unregister"
	}
	return fmt.Sprintf("%T", m.Body)
}

func timerName(k TimerKind) string {
	return [...]string{"", "ping", "register", "update", "kill", "completion", "cleanup", "sandbox", "exit"}[k]
}

var _ failer = (*testing.T)(nil)
