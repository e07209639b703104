package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/clock"
	"github.com/mezzo-cluster/mezzo/host/effect"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/mesosjson"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// worker is an allocator that works for a benchMaster, which tells it what happens.
type worker interface {
	effect.Allocator
	// begin has it take the master's snapshot, and propose from then on.
	begin(ctx context.Context) error
	// halt has it propose nothing more.
	halt(ctx context.Context) error
	// round is called in the master's loop after the effects of some events have been carried out.
	round(ctx context.Context) error
}

// benchMaster is a master's state machine with its real loop and effects. What it sends to frameworks is encoded and goes
// nowhere; the registry is at once what is committed.
type benchMaster struct {
	worker     worker
	loop       *effect.Loop[master.Event, master.Effect, master.State]
	started    time.Time
	cancel     context.CancelFunc
	ended      chan error
	agents     int
	frameworks []*benchFramework

	mu      sync.Mutex
	offered int
	more    chan struct{}
}

// benchFramework is a subscribed framework, with the offers it has.
type benchFramework struct {
	id, role string
	stream   master.StreamID
	offers   []*mesos.OfferID
}

// newBenchMaster makes a master with agents, two running tasks on each, and frameworks, for which the worker that makes
// returns is to work.
func newBenchMaster(ctx context.Context, agents, frameworks, roles int, makes func(*benchMaster) (worker, error)) (*benchMaster, error) {
	b := &benchMaster{started: time.Now(), agents: agents, ended: make(chan error, 1), more: make(chan struct{}, 1)}
	var err error
	if b.worker, err = makes(b); err != nil {
		return nil, err
	}
	info := &mesos.MasterInfo{Id: proto.String("bench"), Ip: proto.Uint32(0), Port: proto.Uint32(5050)}
	machine := master.New(master.Config{ID: "bench", Epoch: 1, Info: info, Started: b.started}, registry.NewState(), b.now())
	executor := effect.NewMasterExecutor(effect.MasterPorts{
		Schedulers: b, Agents: nobody{}, Registry: instant{b}, Allocator: b.worker, Timers: timeless{b}, Replies: nobody{},
		Log: slog.New(slog.DiscardHandler),
	})
	b.loop = effect.NewLoop(machine, b.now, func(ctx context.Context, effects []master.Effect) error {
		if err := executor.Run(ctx, effects); err != nil {
			return err
		}
		return b.worker.round(ctx)
	}, nil)
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.cancel = cancel
	go func() { b.ended <- b.loop.Run(running) }()
	if err := b.populate(ctx, agents, frameworks, roles); err != nil {
		return nil, errors.Join(err, b.close(ctx))
	}
	return b, nil
}

func (b *benchMaster) now() clock.Time {
	now := time.Now()
	return clock.Time{Wall: now, Mono: now.Sub(b.started)}
}

func (b *benchMaster) populate(ctx context.Context, agents, frameworks, roles int) error {
	events := []master.Event{master.Started{}}
	for i := range frameworks {
		f := &benchFramework{
			id: fmt.Sprintf("bench-%04d", i), role: fmt.Sprintf("role-%02d", i%roles), stream: master.StreamID(uuid.NewString()),
		}
		b.frameworks = append(b.frameworks, f)
		events = append(events, master.Subscribe{Stream: f.stream, Info: f.info()})
	}
	for i := range agents {
		id := agentID(i)
		r, err := b.registration(i)
		if err != nil {
			return err
		}
		events = append(events,
			master.AgentConnected{Conn: master.ConnID(id), Hello: &linkv1.Hello{AgentId: id, Instance: id}},
			master.AgentMessage{Conn: master.ConnID(id), Epoch: 1, Msg: &linkv1.ToMaster{Body: &linkv1.ToMaster_Register{Register: r}}})
	}
	for known, before := 0, -1; known < agents+frameworks; {
		if known == before {
			return fmt.Errorf("the master knows of %d of %d agents and frameworks", known, agents+frameworks)
		}
		before = known
		if err := b.do(ctx, events); err != nil {
			return err
		}
		events = nil // what follows from them goes on: changes of the registry that are answered
		known = len(b.loop.State().AllocatorSnapshot().Updates)
	}
	return nil
}

func agentID(n int) string { return fmt.Sprintf("bench-S%d", n) }

func (f *benchFramework) info() *mesos.FrameworkInfo {
	return &mesos.FrameworkInfo{
		Id: &mesos.FrameworkID{Value: &f.id}, User: proto.String("root"), Name: proto.String("bench"),
		Checkpoint: proto.Bool(true), FailoverTimeout: proto.Float64(3600), Roles: []string{f.role},
		Capabilities: []*mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()}},
	}
}

// tasksEach is how many tasks an agent has at first. They end one by one.
const tasksEach = 2

func taskID(agent, task int) string { return fmt.Sprintf("task-%d-%d", agent, task) }

func (b *benchMaster) owner(agent int) *benchFramework { return b.frameworks[agent%len(b.frameworks)] }

func (b *benchMaster) registration(n int) (*linkv1.Register, error) {
	f := b.owner(n)
	r, err := registration(agentID(n), n, f.info())
	for i := range tasksEach {
		if err != nil {
			break
		}
		var t *linkv1.Task
		t, err = runningTask(agentID(n), taskID(n, i), f.id, f.role)
		r.Tasks = append(r.Tasks, t)
	}
	return r, err
}

// do has the loop deal with events, their effects included.
func (b *benchMaster) do(ctx context.Context, events []master.Event) error {
	for _, e := range events {
		if err := b.loop.Enqueue(ctx, e); err != nil {
			return err
		}
	}
	return b.loop.Settle(ctx)
}

// first is from an allocator that knows nothing to all that is free being offered.
func (b *benchMaster) first(ctx context.Context) error {
	b.expectNothing()
	if err := b.worker.begin(ctx); err != nil {
		return err
	}
	return b.wait(ctx, b.agents)
}

// undo stops the allocator and has the frameworks decline what they were offered.
func (b *benchMaster) undo(ctx context.Context) error {
	if err := b.worker.halt(ctx); err != nil {
		return err
	}
	var declines []master.Event
	b.mu.Lock()
	for _, f := range b.frameworks {
		if len(f.offers) == 0 {
			continue
		}
		declines = append(declines, master.Call{Framework: f.id, Stream: f.stream, Call: &scheduler.Call{
			Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{OfferIds: f.offers},
		}})
		f.offers = nil
	}
	b.mu.Unlock()
	return b.do(ctx, declines)
}

// endings are a task's end on every hundredth agent, in each round other ones.
func (b *benchMaster) endings(round int) ([]master.Event, error) {
	var events []master.Event
	for i := round % 100; i < b.agents; i += 100 {
		agent, task, id := agentID(i), taskID(i, round/100), uuid.New()
		status, err := proto.Marshal(&mesos.TaskStatus{
			TaskId: &mesos.TaskID{Value: &task}, AgentId: &mesos.AgentID{Value: &agent}, ExecutorId: &mesos.ExecutorID{Value: &task},
			State: mesos.TaskState_TASK_FINISHED.Enum(), Uuid: id[:], Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(),
			Timestamp: proto.Float64(float64(time.Now().Unix())),
		})
		if err != nil {
			return nil, err
		}
		events = append(events, master.AgentMessage{Conn: master.ConnID(agent), Epoch: 1, Msg: &linkv1.ToMaster{
			Body: &linkv1.ToMaster_Update{Update: &linkv1.StatusUpdate{
				FrameworkId: b.owner(i).id, ExecutorId: task, Uuid: id[:], LatestState: int32(mesos.TaskState_TASK_FINISHED), Status: status,
			}},
		}})
	}
	return events, nil
}

// cycle is from tasks that have ended to what they had being offered.
func (b *benchMaster) cycle(ctx context.Context, endings []master.Event) error {
	b.expectNothing()
	for _, e := range endings {
		if err := b.loop.Enqueue(ctx, e); err != nil {
			return err
		}
	}
	return b.wait(ctx, len(endings))
}

func (b *benchMaster) expectNothing() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offered = 0
}

// wait waits until so many offers have been made.
func (b *benchMaster) wait(ctx context.Context, offers int) error {
	for {
		b.mu.Lock()
		n := b.offered
		b.mu.Unlock()
		if n >= offers {
			return nil
		}
		select {
		case <-b.more:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d offers were made: %w", n, offers, ctx.Err())
		}
	}
}

func (b *benchMaster) close(ctx context.Context) error {
	err := b.worker.halt(ctx)
	b.cancel()
	return errors.Join(err, <-b.ended)
}

// Send implements effect.Schedulers.
func (b *benchMaster) Send(framework string, _ master.StreamID, event *scheduler.Event) {
	if _, err := mesosjson.Marshal(event); err != nil {
		return // not counted, so that it is missed
	}
	if event.GetOffers() == nil {
		return
	}
	b.mu.Lock()
	for _, f := range b.frameworks {
		if f.id != framework {
			continue
		}
		for _, o := range event.GetOffers().GetOffers() {
			f.offers = append(f.offers, o.GetId())
		}
	}
	b.offered += len(event.GetOffers().GetOffers())
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// Close implements effect.Schedulers.
func (b *benchMaster) Close(master.StreamID) {}

// Pause implements what a driver needs of a master.
func (b *benchMaster) Pause(ctx context.Context) error {
	return b.do(ctx, []master.Event{master.AllocatorDown{}})
}

// Snapshot implements what a driver needs of a master.
func (b *benchMaster) Snapshot() allocator.Snapshot { return b.loop.State().AllocatorSnapshot() }

// Ready implements what a driver needs of a master.
func (b *benchMaster) Ready(ctx context.Context, generation uint64) error {
	return b.loop.Enqueue(ctx, master.AllocatorReady{Generation: generation})
}

// Propose implements what a driver needs of a master.
func (b *benchMaster) Propose(ctx context.Context, generation uint64, batch []allocator.Allocation) error {
	return b.loop.Enqueue(ctx, master.Allocations{Generation: generation, Batch: batch})
}

// nobody is agents that hear nothing, and people who wait for no answer.
type nobody struct{}

func (nobody) Send(master.ConnID, *linkv1.ToAgent) {}
func (nobody) Close(master.ConnID)                 {}
func (nobody) Reply(master.Reply)                  {}

// instant is a registry in which a change is made at once.
type instant struct{ b *benchMaster }

func (r instant) Commit(id uint64, _ registry.Op) { r.b.loop.Post(master.Committed{ID: id}) }

// timeless is timers of which only those fire that are for no time.
type timeless struct{ b *benchMaster }

func (t timeless) Set(id master.TimerID, after time.Duration) {
	if after == 0 {
		t.b.loop.Post(master.TimerFired{ID: id})
	}
}

func (timeless) Cancel(master.TimerID) {}
