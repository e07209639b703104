package master

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/clock"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

const (
	testMaster = "11111111-2222-3333-4444-555555555555"
	testEpoch  = 7
	testTotal  = "cpus:8;mem:8192;disk:1000;ports:[31000-31999]"
)

var testStart = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// failer is what rigs need of *testing.T and *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// rig drives a Master by hand, and looks after each step whether the books balance.
type rig struct {
	t   failer
	m   *Master
	reg *registry.State
	now clock.Time
	cfg Config

	did     []Effect // of the last step, and of the steps that it led to
	streams map[StreamID][]*scheduler.Event
	ended   map[StreamID]bool
	links   map[ConnID][]*linkv1.ToAgent
	cut     map[ConnID]bool
	timers  map[TimerID]time.Duration
	replies map[ReplyID]Reply
	commits []Commit
	// held keeps commits from being made at once.
	held   bool
	mirror *mirror

	streamSeq, connSeq, offerSeq int
}

func testConfig() Config {
	return Config{
		ID: testMaster, Epoch: testEpoch, Started: testStart,
		Info: &mesos.MasterInfo{
			Id: proto.String(testMaster), Ip: proto.Uint32(16777343), Port: proto.Uint32(5050),
			Hostname: proto.String("localhost"),
			Capabilities: []*mesos.MasterInfo_Capability{
				{Type: mesos.MasterInfo_Capability_AGENT_UPDATE.Enum()}, {Type: mesos.MasterInfo_Capability_QUOTA_V2.Enum()},
			},
		},
	}
}

func newRig(t failer, change ...func(*Config)) *rig {
	cfg := testConfig()
	for _, c := range change {
		c(&cfg)
	}
	r := &rig{t: t, reg: registry.NewState(), now: clock.Time{Wall: testStart, Mono: time.Hour}, cfg: cfg}
	r.elect()
	return r
}

// elect begins a new epoch on what the registry holds.
func (r *rig) elect() {
	r.streams, r.ended = map[StreamID][]*scheduler.Event{}, map[StreamID]bool{}
	r.links, r.cut = map[ConnID][]*linkv1.ToAgent{}, map[ConnID]bool{}
	r.timers, r.replies, r.commits = map[TimerID]time.Duration{}, map[ReplyID]Reply{}, nil
	r.m = New(r.cfg, r.reg.Clone(), r.now)
	r.mirror = newMirror(r.m.State().AllocatorSnapshot())
	r.step(Started{})
	r.step(AllocatorReady{Generation: 1})
}

// step steps the machine and carries the effects out, with what they lead to.
func (r *rig) step(ev Event) {
	r.t.Helper()
	r.did = nil
	r.stepOn(ev)
	r.check()
}

func (r *rig) stepOn(ev Event) {
	r.t.Helper()
	effects := r.m.Step(r.now, ev)
	r.did = append(r.did, effects...)
	var follow []Event
	for _, e := range effects {
		switch e := e.(type) {
		case SendScheduler:
			r.streams[e.Stream] = append(r.streams[e.Stream], e.Event)
		case CloseStream:
			r.ended[e.Stream] = true
		case SendAgent:
			if e.Msg.GetEpoch() != r.cfg.Epoch {
				r.t.Fatalf("message of epoch %d", e.Msg.GetEpoch())
			}
			r.links[e.Conn] = append(r.links[e.Conn], e.Msg)
		case CloseAgent:
			r.cut[e.Conn] = true
		case Commit:
			r.commits = append(r.commits, e)
		case SetTimer:
			r.timers[e.ID] = r.now.Mono + e.After
		case CancelTimer:
			delete(r.timers, e.ID)
		case Reply:
			if _, twice := r.replies[e.ID]; twice {
				r.t.Fatalf("reply %d came twice", e.ID)
			}
			r.replies[e.ID] = e
		case AllocatorUpdate:
			r.mirror.update(r.t, e)
		case AllocatorAnswer:
			r.mirror.answer(r.t, e)
		}
	}
	if !r.held {
		follow = r.makeCommits()
	}
	for _, ev := range follow {
		r.stepOn(ev)
	}
}

// makeCommits makes the registry changes that were asked for.
func (r *rig) makeCommits() []Event {
	var made []Event
	for _, c := range r.commits {
		if err := r.reg.Apply(c.Op); err != nil {
			r.t.Fatalf("commit: %v", err)
		}
		made = append(made, Committed{ID: c.ID})
	}
	r.commits = nil
	return made
}

// settle makes held commits and lets later ones be made at once.
func (r *rig) settle() {
	r.held = false
	for _, ev := range r.makeCommits() {
		r.step(ev)
	}
}

// advance lets time pass, with the timers that are due, in order.
func (r *rig) advance(d time.Duration) {
	r.t.Helper()
	end := r.now.Mono + d
	for {
		var next TimerID
		at, found := end, false
		for id, due := range r.timers {
			if due < at || due == at && (!found || fmt.Sprint(id) < fmt.Sprint(next)) {
				next, at, found = id, due, true
			}
		}
		if !found {
			break
		}
		r.now = r.now.Add(max(0, at-r.now.Mono))
		delete(r.timers, next)
		r.step(TimerFired{ID: next})
	}
	r.now = r.now.Add(end - r.now.Mono)
}

// subscribe subscribes on a new stream and returns it with the framework's id, which is empty if it was refused.
func (r *rig) subscribe(info *mesos.FrameworkInfo, suppressed ...string) (StreamID, string) {
	r.t.Helper()
	r.streamSeq++
	stream := StreamID(fmt.Sprintf("stream-%d", r.streamSeq))
	r.step(Subscribe{Stream: stream, Info: proto.Clone(info).(*mesos.FrameworkInfo), Suppressed: suppressed})
	for _, e := range r.streams[stream] {
		if e.GetSubscribed() != nil {
			return stream, e.GetSubscribed().GetFrameworkId().GetValue()
		}
	}
	return stream, ""
}

// framework is a description with capabilities.
func framework(name string, caps ...mesos.FrameworkInfo_Capability_Type) *mesos.FrameworkInfo {
	info := &mesos.FrameworkInfo{
		User: proto.String("root"), Name: proto.String(name), Checkpoint: proto.Bool(true), FailoverTimeout: proto.Float64(60),
	}
	for _, c := range caps {
		info.Capabilities = append(info.Capabilities, &mesos.FrameworkInfo_Capability{Type: c.Enum()})
	}
	return info
}

// connect opens a connection for an agent.
func (r *rig) connect(instance string) ConnID {
	r.t.Helper()
	r.connSeq++
	c := ConnID(fmt.Sprintf("conn-%d", r.connSeq))
	r.step(AgentConnected{Conn: c, Hello: &linkv1.Hello{Instance: instance}})
	return c
}

// agentInfo is an agent's description, with an id if it has one.
func agentInfo(id, host string) *mesos.AgentInfo {
	total, err := resource.Parse(testTotal, "*")
	if err != nil {
		panic(err)
	}
	info := &mesos.AgentInfo{
		Hostname: proto.String(host), Port: proto.Int32(5051),
		Resources:  wire.ToMesos(total, wire.Format{RefinedReservations: true}),
		Attributes: []*mesos.Attribute{{Name: proto.String("rack"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: proto.String("r1")}}},
	}
	if id != "" {
		info.Id = &mesos.AgentID{Value: proto.String(id)}
	}
	return info
}

// say sends an agent's message.
func (r *rig) say(c ConnID, body any) {
	r.t.Helper()
	r.step(AgentMessage{Conn: c, Epoch: r.cfg.Epoch, Msg: toMaster(body)})
}

// toMaster is a message with that body.
func toMaster(body any) *linkv1.ToMaster {
	msg := &linkv1.ToMaster{}
	switch b := body.(type) {
	case *linkv1.Register:
		msg.Body = &linkv1.ToMaster_Register{Register: b}
	case *linkv1.StatusUpdate:
		msg.Body = &linkv1.ToMaster_Update{Update: b}
	case *linkv1.Pong:
		msg.Body = &linkv1.ToMaster_Pong{Pong: b}
	case *linkv1.Unregister:
		msg.Body = &linkv1.ToMaster_Unregister{Unregister: b}
	case *linkv1.FrameworkMessage:
		msg.Body = &linkv1.ToMaster_Message{Message: b}
	case *linkv1.ExecutorExited:
		msg.Body = &linkv1.ToMaster_ExecutorExited{ExecutorExited: b}
	}
	return msg
}

// registering is a whole registration in one chunk.
func registering(info *mesos.AgentInfo, tasks []*linkv1.Task, frameworks ...*mesos.FrameworkInfo) *linkv1.Register {
	reg := &linkv1.Register{
		AgentInfo: encode(info), Version: "1", Tasks: tasks, Last: true,
		HttpAddress: info.GetHostname() + ":5051",
		AgentCapabilities: [][]byte{
			encode(&mesos.AgentInfo_Capability{Type: mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS.Enum()}),
		},
	}
	for _, f := range frameworks {
		reg.FrameworkInfos = append(reg.FrameworkInfos, encode(f))
	}
	return reg
}

// agent registers a new agent and returns its connection and id.
func (r *rig) agent(host string) (ConnID, string) {
	r.t.Helper()
	c := r.connect("instance-" + host)
	r.say(c, registering(agentInfo("", host), nil))
	return c, r.registered(c)
}

// registered is the id that an agent was told on a connection.
func (r *rig) registered(c ConnID) string {
	r.t.Helper()
	for _, msg := range slices.Backward(r.links[c]) {
		if msg.GetRegistered() != nil {
			return msg.GetRegistered().GetAgentId()
		}
	}
	r.t.Fatalf("the agent was not registered: %v", r.links[c])
	return ""
}

// offer has the allocator propose resources of an agent and returns the offer made of it, or why there is none.
func (r *rig) offer(framework, role, agent, text string) (id, refused string) {
	r.t.Helper()
	resources, err := resource.Parse(text, "*")
	if err != nil {
		r.t.Fatalf("parse %q: %v", text, err)
	}
	r.offerSeq++
	p := allocator.Allocation{
		ID: uint64(r.offerSeq), Framework: framework, Role: role, Agent: agent, Resources: resources,
	}
	r.mirror.proposed[p.ID] = p
	r.step(Allocations{Generation: 1, Batch: []allocator.Allocation{p}})
	for _, e := range r.did {
		if a, ok := e.(AllocatorAnswer); ok {
			return a.Answers[0].OfferID, a.Answers[0].Refused
		}
	}
	r.t.Fatalf("the allocator got no answer")
	return "", ""
}

// mustOffer is offer for proposals that are good.
func (r *rig) mustOffer(framework, role, agent, text string) string {
	r.t.Helper()
	id, refused := r.offer(framework, role, agent, text)
	if refused != "" {
		r.t.Fatalf("no offer: %s", refused)
	}
	return id
}

// call makes a call on a framework's stream.
func (r *rig) call(framework string, stream StreamID, c *scheduler.Call) {
	r.t.Helper()
	r.step(Call{Framework: framework, Stream: stream, Call: c})
}

// command is a task that takes some resources of an agent.
func command(id, agent, text string) *mesos.TaskInfo {
	resources, err := resource.Parse(text, "*")
	if err != nil {
		panic(err)
	}
	return &mesos.TaskInfo{
		Name: proto.String(id), TaskId: &mesos.TaskID{Value: proto.String(id)},
		AgentId:   &mesos.AgentID{Value: proto.String(agent)},
		Resources: wire.ToMesos(resources, wire.Format{}),
		Command:   &mesos.CommandInfo{Value: proto.String("true")},
	}
}

// accepting is an ACCEPT that launches tasks.
func accepting(offers []string, tasks ...*mesos.TaskInfo) *scheduler.Call {
	return acceptingOps(offers, &mesos.Offer_Operation{
		Type: mesos.Offer_Operation_LAUNCH.Enum(), Launch: &mesos.Offer_Operation_Launch{TaskInfos: tasks},
	})
}

func acceptingOps(offers []string, ops ...*mesos.Offer_Operation) *scheduler.Call {
	return &scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{
		OfferIds: offerIDs(offers...), Operations: ops,
	}}
}

func offerIDs(ids ...string) []*mesos.OfferID {
	var out []*mesos.OfferID
	for _, id := range ids {
		out = append(out, &mesos.OfferID{Value: proto.String(id)})
	}
	return out
}

// uuidOf makes a uuid of a number.
func uuidOf(n int) []byte { return []byte(fmt.Sprintf("%016d", n)) }

// update is an agent's update of a task.
func update(framework, agent, task string, n int, state, latest mesos.TaskState) *linkv1.StatusUpdate {
	return &linkv1.StatusUpdate{
		FrameworkId: framework, ExecutorId: task, Uuid: uuidOf(n), LatestState: int32(latest),
		Status: encode(&mesos.TaskStatus{
			TaskId: &mesos.TaskID{Value: proto.String(task)}, State: state.Enum(), Uuid: uuidOf(n),
			AgentId: &mesos.AgentID{Value: proto.String(agent)}, ExecutorId: &mesos.ExecutorID{Value: proto.String(task)},
			Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(), Timestamp: proto.Float64(1),
		}),
	}
}

func acking(agent, task string, n int) *scheduler.Call {
	return &scheduler.Call{Type: scheduler.Call_ACKNOWLEDGE.Enum(), Acknowledge: &scheduler.Call_Acknowledge{
		AgentId: &mesos.AgentID{Value: proto.String(agent)}, TaskId: &mesos.TaskID{Value: proto.String(task)}, Uuid: uuidOf(n),
	}}
}

// types are the types of a stream's events.
func (r *rig) types(s StreamID) []string {
	var out []string
	for _, e := range r.streams[s] {
		out = append(out, e.GetType().String())
	}
	return out
}

// statuses are the task statuses on a stream.
func (r *rig) statuses(s StreamID) []*mesos.TaskStatus {
	var out []*mesos.TaskStatus
	for _, e := range r.streams[s] {
		if e.GetUpdate() != nil {
			out = append(out, e.GetUpdate().GetStatus())
		}
	}
	return out
}

// lastStatus is the newest task status on a stream.
func (r *rig) lastStatus(s StreamID) *mesos.TaskStatus {
	r.t.Helper()
	all := r.statuses(s)
	if len(all) == 0 {
		r.t.Fatalf("there is no status on %s: %v", s, r.types(s))
	}
	return all[len(all)-1]
}
