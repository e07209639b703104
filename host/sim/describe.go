package sim

import (
	"fmt"
	"log/slog"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// masterTimers are the names of the master's timers, by kind.
var masterTimers = []string{
	master.TimerHeartbeat: "heartbeat", master.TimerFailover: "failover", master.TimerPing: "ping",
	master.TimerReregister: "reregister", master.TimerOffer: "offer", master.TimerRecovery: "recovery",
	master.TimerAllocations: "allocations", master.TimerReconcile: "reconcile", master.TimerRegistry: "registry",
}

func masterTimer(k master.TimerKind) string { return "master " + masterTimers[k] }

// agentTimers are the names of the agent's timers, by kind.
var agentTimers = []string{
	agent.TimerPing: "ping", agent.TimerRegister: "register", agent.TimerUpdate: "update", agent.TimerKill: "kill",
	agent.TimerCompletion: "completion", agent.TimerCleanup: "cleanup", agent.TimerSandbox: "sandbox",
	agent.TimerExit: "exit",
}

func agentTimer(k agent.TimerKind) string { return "agent " + agentTimers[k] }

// seen begins a line about an event or an effect, and counts it.
func (w *world) seen(who, kind, machine, what string) *tracer {
	w.cover.hit(kind, machine+" "+what)
	if kind == "event" {
		return w.trace.begin(who, "<-").str("event", what)
	}
	return w.trace.begin(who, "->").str("effect", what)
}

// traceMasterEvent writes down an event that a leader is given.
func (w *world) traceMasterEvent(who string, event master.Event) {
	t := func(what string) *tracer { return w.seen(who, "event", "master", what) }
	switch e := event.(type) {
	case master.Started:
		t("Started").end()
	case master.Subscribe:
		t("Subscribe").str("stream", string(e.Stream)).str("framework", e.Info.GetId().GetValue()).
			str("denied", e.Denied).message(e.Info).end()
	case master.StreamClosed:
		t("StreamClosed").str("stream", string(e.Stream)).str("framework", e.Framework).end()
	case master.Call:
		t("Call").str("framework", e.Framework).str("type", e.Call.GetType().String()).num("denied", uint64(len(e.Denied))).
			message(e.Call).end()
	case master.AgentConnected:
		t("AgentConnected").str("conn", string(e.Conn)).end()
	case master.AgentMessage:
		toMaster(t("AgentMessage").str("conn", string(e.Conn)).num("epoch", e.Epoch), e.Msg).end()
	case master.AgentGone:
		t("AgentGone").str("conn", string(e.Conn)).end()
	case master.Committed:
		t("Committed").num("id", e.ID).end()
	case master.LeadershipLost:
		t("LeadershipLost").end()
	case master.TimerFired:
		t("TimerFired").str("timer", masterTimer(e.ID.Kind)).str("key", e.ID.Key).end()
	case master.Teardown:
		t("Teardown").str("framework", e.Framework).end()
	case master.Allocations:
		line := t("Allocations").num("generation", e.Generation)
		for _, a := range e.Batch {
			line.num("id", a.ID).str("framework", a.Framework).str("agent", a.Agent).str("role", a.Role).
				str("resources", a.Resources.String())
		}
		line.end()
	case master.AllocatorReady:
		t("AllocatorReady").num("generation", e.Generation).end()
	case master.AllocatorDown:
		t("AllocatorDown").end()
	case master.AuthorizerDown:
		t("AuthorizerDown").end()
	case master.AuthorizerReady:
		t("AuthorizerReady").end()
	default:
		w.violate("the simulator does not know event %T", e)
	}
}

// traceMasterEffect writes down an effect of a leader's.
func (w *world) traceMasterEffect(who string, effect master.Effect) {
	t := func(what string) *tracer { return w.seen(who, "effect", "master", what) }
	switch e := effect.(type) {
	case master.SendScheduler:
		t("SendScheduler").str("framework", e.Framework).str("stream", string(e.Stream)).
			str("type", e.Event.GetType().String()).message(e.Event).end()
	case master.CloseStream:
		t("CloseStream").str("stream", string(e.Stream)).end()
	case master.SendAgent:
		toAgent(t("SendAgent").str("conn", string(e.Conn)), e.Msg).end()
	case master.CloseAgent:
		t("CloseAgent").str("conn", string(e.Conn)).end()
	case master.Commit:
		t("Commit").num("id", e.ID).str("op", opName(e.Op)).end()
	case master.SetTimer:
		t("SetTimer").str("timer", masterTimer(e.ID.Kind)).str("key", e.ID.Key).dur("after", e.After).end()
	case master.CancelTimer:
		t("CancelTimer").str("timer", masterTimer(e.ID.Kind)).str("key", e.ID.Key).end()
	case master.Reply:
		t("Reply").num("id", uint64(e.ID)).num("code", uint64(e.Code)).str("message", e.Message).end()
	case master.Log:
		logLine(t("Log"), e.Msg, e.Attrs)
	case master.AllocatorUpdate:
		update(t("AllocatorUpdate").num("seq", e.Seq), e.Update).end()
	case master.AllocatorAnswer:
		line := t("AllocatorAnswer").num("generation", e.Generation)
		for _, a := range e.Answers {
			line.num("id", a.ID).str("offer", a.OfferID).str("refused", a.Refused)
		}
		line.end()
	default:
		w.violate("the simulator does not know effect %T", e)
	}
}

// traceAgentEvent writes down an event that an agent is given.
func (w *world) traceAgentEvent(who string, event agent.Event) {
	t := func(what string) *tracer { return w.seen(who, "event", "agent", what) }
	switch e := event.(type) {
	case agent.Started:
		t("Started").end()
	case agent.MasterConnected:
		t("MasterConnected").str("conn", string(e.Conn)).num("epoch", e.Epoch).end()
	case agent.MasterMessage:
		toAgent(t("MasterMessage").str("conn", string(e.Conn)), e.Msg).end()
	case agent.MasterGone:
		t("MasterGone").str("conn", string(e.Conn)).end()
	case agent.ContainerEvent:
		line := t("ContainerEvent").str("container", e.Event.Container())
		switch e := e.Event.(type) {
		case containerizer.Started:
			line.str("what", "started").num("pid", uint64(e.Pid))
		case containerizer.Failed:
			line.str("what", "failed").str("message", e.Message)
		case containerizer.Limited:
			line.str("what", "limited").str("resource", e.Limitation.Resource)
		case containerizer.Exited:
			line.str("what", fmt.Sprintf("exited %d known %t", e.WaitStatus, e.Known))
		case containerizer.Cleaned:
			line.str("what", "cleaned")
		}
		line.end()
	case agent.TimerFired:
		t("TimerFired").str("timer", agentTimer(e.ID.Kind)).str("key", e.ID.Key).end()
	case agent.Synced:
		t("Synced").num("id", e.ID).end()
	case agent.Authorized:
		t("Authorized").str("container", e.Container).str("denied", e.Denied).str("unavailable", e.Unavailable).end()
	case agent.SandboxRemoved:
		t("SandboxRemoved").str("directory", e.Directory).str("error", e.Err).end()
	case agent.Shutdown:
		t("Shutdown").str("reason", e.Reason).end()
	default:
		w.violate("the simulator does not know event %T", e)
	}
}

// traceAgentEffect writes down an effect of an agent's.
func (w *world) traceAgentEffect(who string, effect agent.Effect) {
	t := func(what string) *tracer { return w.seen(who, "effect", "agent", what) }
	switch e := effect.(type) {
	case agent.SendMaster:
		toMaster(t("SendMaster").str("conn", string(e.Conn)), e.Msg).end()
	case agent.Reconnect:
		t("Reconnect").str("conn", string(e.Conn)).end()
	case agent.Append:
		line := t("Append")
		for _, op := range e.Ops {
			if op.Value == nil {
				line.str("delete", op.Key)
			} else {
				line.str("put", op.Key).data(op.Value)
			}
		}
		line.end()
	case agent.Sync:
		t("Sync").num("id", e.ID).str("op", fmt.Sprintf("%T", e.Op)).end()
	case agent.Authorize:
		t("Authorize").str("container", e.Container).end()
	case agent.Launch:
		t("Launch").str("container", e.Spec.ID).str("task", e.Spec.Task).end()
	case agent.Kill:
		t("Kill").str("container", e.Container).num("signal", uint64(e.Signal)).end()
	case agent.Destroy:
		t("Destroy").str("container", e.Container).end()
	case agent.SetTimer:
		t("SetTimer").str("timer", agentTimer(e.ID.Kind)).str("key", e.ID.Key).dur("after", e.After).end()
	case agent.CancelTimer:
		t("CancelTimer").str("timer", agentTimer(e.ID.Kind)).str("key", e.ID.Key).end()
	case agent.RemoveSandbox:
		t("RemoveSandbox").str("directory", e.Directory).end()
	case agent.Exit:
		t("Exit").str("reason", e.Reason).end()
	case agent.Log:
		logLine(t("Log"), e.Msg, e.Attrs)
	default:
		w.violate("the simulator does not know effect %T", e)
	}
}

func logLine(t *tracer, msg string, attrs []slog.Attr) {
	t.str("msg", msg)
	for _, a := range attrs {
		t.str(a.Key, a.Value.String())
	}
	t.end()
}

func update(t *tracer, u allocator.Update) *tracer {
	switch u := u.(type) {
	case allocator.Recovered:
		return t.str("update", "Recovered").str("framework", u.Framework).str("agent", u.Agent).
			str("resources", u.Resources.String())
	case allocator.Allocated:
		return t.str("update", "Allocated").str("framework", u.Framework).str("agent", u.Agent).
			str("resources", u.Resources.String())
	case allocator.AgentAdded:
		t.str("update", "AgentAdded").str("agent", u.Agent.ID)
		for _, use := range u.Uses {
			t.str("framework", use.Framework).str("uses", use.Resources.String())
		}
		return t
	case allocator.AgentRemoved:
		return t.str("update", "AgentRemoved").str("agent", u.ID)
	}
	return t.str("update", fmt.Sprintf("%T", u))
}

// toMaster adds what an agent says.
func toMaster(t *tracer, m *linkv1.ToMaster) *tracer {
	switch b := m.GetBody().(type) {
	case *linkv1.ToMaster_Register:
		t.str("say", "register").num("tasks", uint64(len(b.Register.GetTasks())))
	case *linkv1.ToMaster_Update:
		t.str("say", "update").str("framework", b.Update.GetFrameworkId()).str("task", b.Update.GetExecutorId()).
			num("latest", uint64(b.Update.GetLatestState())) //nolint:gosec // states are small numbers
	default:
		t.str("say", fmt.Sprintf("%T", b))
	}
	return t.message(m)
}

// toAgent adds what a master says.
func toAgent(t *tracer, m *linkv1.ToAgent) *tracer {
	switch b := m.GetBody().(type) {
	case *linkv1.ToAgent_Registered:
		t.str("say", "registered").str("agent", b.Registered.GetAgentId())
	case *linkv1.ToAgent_KillTask:
		t.str("say", "kill").str("task", b.KillTask.GetTaskId())
	case *linkv1.ToAgent_Acknowledge:
		t.str("say", "acknowledge").str("task", b.Acknowledge.GetTaskId()).data(b.Acknowledge.GetUuid())
	default:
		t.str("say", fmt.Sprintf("%T", b))
	}
	return t.num("epoch", m.GetEpoch()).message(m)
}
