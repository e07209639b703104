package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/allocatorconv"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
)

// probeAllocator asks about a framework that does not exist. That the plugin does not know the cluster yet
// is an answer, too; a plugin that drains or is not configured has others.
func probeAllocator(ctx context.Context, conn grpc.ClientConnInterface) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := allocatorv1.NewAllocatorServiceClient(conn).Run(ctx)
	if err != nil {
		return err
	}
	// A stream that is let in tells of its progress; one that is not ends.
	if err := stream.Send(newBooks().snapshot()); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	_, err = stream.Recv()
	return err
}

// allocatorPlugin is a configured plugin with a stream to it.
type allocatorPlugin struct {
	*plugin
	*books
	stream    grpc.BidiStreamingClient[allocatorv1.RunRequest, allocatorv1.RunResponse]
	client    allocatorv1.AllocatorServiceClient
	responses chan *allocatorv1.RunResponse
	ended     chan error
	considers uint64
	refuse    bool // whether proposals are refused that could be accepted
	stale     bool // whether proposals may be of a cluster that was
	refusals  int
}

// allocator starts a plugin, and gives it the cluster that the books say.
func (b *bench) allocator(k *books) *allocatorPlugin {
	p := b.ready(b.dataDir())
	return b.run(p, k)
}

// run opens a stream.
func (b *bench) run(p *plugin, k *books) *allocatorPlugin {
	a := &allocatorPlugin{
		plugin: p, books: k, client: allocatorv1.NewAllocatorServiceClient(p.conn),
		responses: make(chan *allocatorv1.RunResponse, 100), ended: make(chan error, 1),
	}
	ctx, cancel := context.WithCancel(b.ctx)
	b.onEnd(cancel)
	var err error
	if a.stream, err = a.client.Run(ctx); err != nil {
		b.fatalf("Run: %v", err)
	}
	go func() {
		for {
			r, err := a.stream.Recv()
			if err != nil {
				a.ended <- err
				return
			}
			select {
			case a.responses <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	a.send(k.snapshot())
	return a
}

func (a *allocatorPlugin) send(r *allocatorv1.RunRequest) {
	if err := a.stream.Send(r); err != nil && !errors.Is(err, io.EOF) {
		a.bench.fatalf("send to the plugin: %v", err)
	}
}

// tell sends updates.
func (a *allocatorPlugin) tell(updates ...*allocatorv1.Update) {
	a.seq += uint64(len(updates))
	a.send(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Updates{Updates: &allocatorv1.Updates{Sequence: a.seq, Updates: updates}}})
}

// until takes what the plugin says until a condition holds.
func (a *allocatorPlugin) until(what string, condition func() bool) {
	timer := time.NewTimer(a.bench.Timeout)
	defer timer.Stop()
	for !condition() {
		select {
		case r := <-a.responses:
			a.take(r)
		case err := <-a.ended:
			a.bench.fatalf("%s: the stream ended: %v", what, err)
		case <-timer.C:
			a.bench.fatalf("%s: not within %v; %s", what, a.bench.Timeout, a.account())
		}
	}
}

// account sums up what the plugin has said so far.
func (a *allocatorPlugin) account() string {
	var without []string
	for _, agent := range sorted(a.agents) {
		if agent.Active && a.free(agent.ID).Contains(agent.Total) {
			without = append(without, agent.ID)
		}
	}
	return fmt.Sprintf("of %d agents, all of %d is free still %.200q; the last Progress is of update %d, and the kit has told of %d",
		len(a.agents), len(without), without, a.considers, a.seq)
}

// settled waits until the plugin has considered everything, and for as long again for what it may say.
func (a *allocatorPlugin) settled() {
	a.until(fmt.Sprintf("Progress up to update %d", a.seq), func() bool { return a.considers >= a.seq })
	timer := time.NewTimer(1500 * time.Millisecond)
	defer timer.Stop()
	for {
		select {
		case r := <-a.responses:
			a.take(r)
		case <-timer.C:
			return
		case err := <-a.ended:
			a.bench.fatalf("the stream ended: %v", err)
		}
	}
}

// take judges what the plugin says, and answers.
func (a *allocatorPlugin) take(r *allocatorv1.RunResponse) {
	b := a.bench
	switch m := r.GetMessage().(type) {
	case *allocatorv1.RunResponse_Allocations:
		if n := len(m.Allocations.GetAllocations()); n > handshake.MaxBatch {
			b.fatalf("a batch of %d allocations, and %d are allowed", n, handshake.MaxBatch)
		}
		answers := &allocatorv1.Answers{}
		for _, p := range m.Allocations.GetAllocations() {
			answers.Answers = append(answers.Answers, a.answer(p))
		}
		a.send(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Answers{Answers: answers}})
	case *allocatorv1.RunResponse_Progress:
		if n := m.Progress.GetSequence(); n > a.seq || n < a.considers {
			b.errorf("a Progress is of update %d, after one of update %d, when the kit has told of %d: it never goes back or ahead", n, a.considers, a.seq)
		}
		a.considers = m.Progress.GetSequence()
	case *allocatorv1.RunResponse_SnapshotRequest:
		if m.SnapshotRequest.GetReason() == "" {
			b.errorf("a request for a snapshot gives no reason")
		}
		a.send(a.snapshot())
	}
}

func (a *allocatorPlugin) answer(p *allocatorv1.Allocation) *allocatorv1.Answer {
	proposal, err := allocatorconv.AllocationFromProto(p)
	if err == nil && proposal.Resources.Unallocate().String() != proposal.Resources.String() {
		err = fmt.Errorf("proposal %d has resources that carry an allocation role", proposal.ID)
	}
	if err == nil && a.refuse {
		a.refusals++
		a.lastID = max(a.lastID, proposal.ID)
		return allocatorconv.AnswerToProto(allocator.Answer{ID: p.GetId(), Refused: "the kit refuses"})
	}
	if err == nil {
		err = a.judge(proposal)
	}
	if err != nil {
		if !a.stale {
			a.bench.errorf("%v", err)
		}
		a.lastID = max(a.lastID, p.GetId())
		return allocatorconv.AnswerToProto(allocator.Answer{ID: p.GetId(), Refused: err.Error()})
	}
	return allocatorconv.AnswerToProto(allocator.Answer{ID: p.GetId(), OfferID: fmt.Sprintf("offer-%d", p.GetId())})
}

// full says that a framework has all agents that are active.
func (a *allocatorPlugin) full(framework string) func() bool {
	return func() bool {
		active := 0
		for _, agent := range a.agents {
			if agent.Active {
				active++
			}
		}
		return len(a.holders(framework)) == active
	}
}

func cluster(agents int) *books {
	k := newBooks()
	k.addAgents(agents)
	k.addFramework("framework-1", "dev")
	return k
}

func checkPropose(b *bench) {
	a := b.allocator(cluster(20))
	a.until("every agent is proposed to the one framework there is", a.full("framework-1"))
	a.settled()
	other := a.addFramework("framework-2", "ops")
	a.seq--
	a.tell(allocatorconv.UpdateToProto(allocator.FrameworkAdded{Framework: other}))
	for _, agent := range a.holders("framework-1") {
		a.tell(a.takeBack("framework-1", agent, time.Hour))
	}
	a.until("what one framework refuses goes to the other", a.full("framework-2"))
}

func checkRefused(b *bench) {
	k := cluster(5)
	a := b.allocator(k)
	a.refuse = true
	a.until("proposals", func() bool { return a.refusals >= 5 })
	a.refuse = false
	a.until("what was refused is free, and proposed again", a.full("framework-1"))
}

func checkReoffer(b *bench) {
	a := b.allocator(cluster(5))
	for range 3 {
		a.until("every agent is proposed", a.full("framework-1"))
		for _, agent := range a.holders("framework-1") {
			a.tell(a.takeBack("framework-1", agent, 0))
		}
	}
	a.until("every agent is proposed", a.full("framework-1"))
	a.settled()
}

func checkSuppression(b *bench) {
	a := b.allocator(cluster(3))
	a.until("every agent is proposed", a.full("framework-1"))
	f := a.frameworks["framework-1"]
	f.Suppressed = []string{"dev"}
	a.tell(allocatorconv.UpdateToProto(allocator.FrameworkChanged{Framework: f}))
	a.settled()
	a.frameworks["framework-1"] = f // from here on a proposal is wrong
	for _, agent := range a.holders("framework-1") {
		a.tell(a.takeBack("framework-1", agent, 0))
	}
	a.settled()
	f.Suppressed = nil
	a.frameworks["framework-1"] = f
	a.tell(allocatorconv.UpdateToProto(allocator.Revived{Framework: "framework-1"}))
	a.until("a framework that was revived gets proposals", a.full("framework-1"))
}

func checkFilters(b *bench) {
	a := b.allocator(cluster(3))
	a.until("every agent is proposed", a.full("framework-1"))
	a.tell(a.takeBack("framework-1", "agent-000", time.Hour))
	a.tell(a.takeBack("framework-1", "agent-001", time.Second))
	a.until("an agent that was refused for a second is proposed again", func() bool { return len(a.holders("framework-1")) == 2 })
	a.settled()
	if got := a.holders("framework-1"); len(got) != 2 || got[0] != "agent-001" {
		b.errorf("an agent that was refused for an hour is proposed within seconds")
	}
	a.tell(allocatorconv.UpdateToProto(allocator.Revived{Framework: "framework-1"}))
	a.until("REVIVE clears filters", a.full("framework-1"))
}

func checkFollow(b *bench) {
	a := b.allocator(cluster(2))
	a.until("every agent is proposed", a.full("framework-1"))
	a.addAgents(1)
	a.seq--
	a.tell(allocatorconv.UpdateToProto(allocator.AgentAdded{Agent: a.agents["agent-002"]}))
	a.until("a new agent is proposed", a.full("framework-1"))

	inactive := a.agents["agent-000"]
	inactive.Active = false
	a.tell(allocatorconv.UpdateToProto(allocator.AgentChanged{Agent: inactive}))
	a.settled()
	a.agents["agent-000"] = inactive
	a.tell(a.takeBack("framework-1", "agent-000", 0))
	delete(a.agents, "agent-001")
	delete(a.used, "agent-001")
	a.tell(allocatorconv.UpdateToProto(allocator.AgentRemoved{ID: "agent-001"}))
	a.settled()

	inactive.Active = true
	a.agents["agent-000"] = inactive
	a.tell(allocatorconv.UpdateToProto(allocator.AgentChanged{Agent: inactive}))
	a.until("an agent that is active again is proposed", a.full("framework-1"))

	a.settled()
	grown := a.agents["agent-002"]
	grown.Total = mustParse("cpus:8;mem:8192;disk:10000;ports:[31000-32000]")
	a.agents["agent-002"] = grown
	a.tell(allocatorconv.UpdateToProto(allocator.AgentChanged{Agent: grown}))
	a.until("what an agent has more is proposed", func() bool { return !a.free("agent-002").Contains(mustParse("cpus:1")) })

	used := a.holders("framework-1")
	delete(a.frameworks, "framework-1")
	a.tell(allocatorconv.UpdateToProto(allocator.FrameworkRemoved{ID: "framework-1"}))
	a.settled()
	if len(used) == 0 {
		b.errorf("nothing was in use in the end: the check shows nothing")
	}
}

// checkSnapshot replaces everything that the plugin knows, while it has proposals without an answer.
func checkSnapshot(b *bench) {
	a := b.allocator(cluster(50))
	// What the plugin proposes out of an earlier snapshot is offered, and then proposed again out of a later
	// one, which was made before: that is a refusal, and no mistake.
	a.stale = true
	for range 5 {
		a.send(a.snapshot())
	}
	a.until("every agent is proposed", a.full("framework-1"))
	a.settled()
	a.stale = false
	a.send(a.snapshot())
	a.settled()
	for _, agent := range a.holders("framework-1") {
		a.tell(a.takeBack("framework-1", agent, 0))
	}
	a.until("every agent is proposed again", a.full("framework-1"))
}

func checkAllocatorRecover(b *bench) {
	k := cluster(10)
	a := b.allocator(k)
	a.until("some agents are proposed", func() bool { return len(a.holders("framework-1")) > 0 })
	a.until("every agent is proposed", a.full("framework-1"))
	a.plugin.kill()
	k.lastID = 0 // ids grow within a process
	delete(k.used, "agent-004")
	again := b.allocator(k)
	again.until("after a restart, what is free is proposed", again.full("framework-1"))
	again.settled()
}

func checkExplain(b *bench) {
	k := cluster(1)
	f := k.frameworks["framework-1"]
	f.Suppressed = []string{"dev"}
	k.frameworks["framework-1"] = f
	a := b.allocator(k)
	a.settled()
	for _, framework := range []string{"framework-1", "a-framework-that-does-not-exist"} {
		ctx, cancel := b.call()
		response, err := a.client.Explain(ctx, &allocatorv1.ExplainRequest{FrameworkId: framework})
		cancel()
		if status.Code(err) == codes.Unimplemented {
			b.skip("the plugin does not explain itself")
		}
		if err != nil {
			b.errorf("Explain %s: %v", framework, err)
			continue
		}
		if len(response.GetReasons()) == 0 {
			b.errorf("Explain gives no reason why %s, suppressed or unknown, is not offered anything", framework)
		}
		for _, r := range response.GetReasons() {
			if r.GetCode() == "" || r.GetText() == "" {
				b.errorf("Explain %s gives a reason without code or text: %v", framework, r)
			}
		}
	}
}

// checkStreamEnd ends the stream and opens another: the plugin knows only what it is told there.
func checkStreamEnd(b *bench) {
	p := b.ready(b.dataDir())
	first := b.run(p, cluster(3))
	first.until("every agent is proposed", first.full("framework-1"))
	if err := first.stream.CloseSend(); err != nil {
		b.fatalf("%v", err)
	}
	select {
	case <-drained(first):
	case <-time.After(b.Timeout):
		b.errorf("the plugin's side of the stream is open %v after the host's was closed", b.Timeout)
	}
	k := cluster(2)
	k.lastID = first.lastID // the process is the same, and its ids grow
	second := b.run(p, k)
	second.until("on a new stream every agent is proposed", second.full("framework-1"))
}

// drained is closed when the stream has ended.
func drained(a *allocatorPlugin) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-a.responses:
			case <-a.ended: //nolint:errcheck // how it has ended does not matter here
				return
			case <-a.bench.ctx.Done():
				return
			}
		}
	}()
	return done
}

// checkNonsense tells what cannot be. The plugin may ask for a snapshot, or end the stream, but lives on.
func checkNonsense(b *bench) {
	p := b.ready(b.dataDir())
	a := b.run(p, cluster(1))
	a.until("the agent is proposed", a.full("framework-1"))
	for _, u := range []*allocatorv1.Update{
		{},
		{Update: &allocatorv1.Update_AgentRemoved{AgentRemoved: &allocatorv1.AgentRemoved{AgentId: "nowhere"}}},
		{Update: &allocatorv1.Update_FrameworkRemoved{FrameworkRemoved: &allocatorv1.FrameworkRemoved{FrameworkId: "nobody"}}},
		{Update: &allocatorv1.Update_Recovered{Recovered: &allocatorv1.Recovered{FrameworkId: "nobody", AgentId: "nowhere"}}},
		{Update: &allocatorv1.Update_Revived{Revived: &allocatorv1.Revived{FrameworkId: "nobody"}}},
		{Update: &allocatorv1.Update_AgentAdded{}},
	} {
		a.tell(u)
	}
	a.send(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Answers{Answers: &allocatorv1.Answers{Answers: []*allocatorv1.Answer{{Id: 1 << 60}}}}})
	a.send(&allocatorv1.RunRequest{})
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for waiting := true; waiting; {
		select {
		case r := <-a.responses:
			a.take(r)
		case err := <-a.ended:
			if !known(err) && !errors.Is(err, io.EOF) {
				b.errorf("updates that make no sense end the stream with %v", err)
			}
			waiting = false
		case <-timer.C:
			waiting = false
		}
	}
	p.stillAlive("updates that make no sense")
	k := cluster(1)
	k.lastID = a.lastID
	next := b.run(p, k)
	next.until("on a new stream the agent is proposed", next.full("framework-1"))
}
