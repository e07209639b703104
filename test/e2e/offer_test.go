//go:build linux

package e2e

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// acceptAll launches a task on several offers at once.
func (f *framework) acceptAll(task *mesos.TaskInfo, offers ...*mesos.Offer) {
	f.t.Helper()
	accept := &scheduler.Call_Accept{Filters: &mesos.Filters{RefuseSeconds: proto.Float64(0)}}
	for _, o := range offers {
		accept.OfferIds = append(accept.OfferIds, o.GetId())
	}
	task.AgentId = offers[0].GetAgentId()
	accept.Operations = []*mesos.Offer_Operation{{
		Type: mesos.Offer_Operation_LAUNCH.Enum(), Launch: &mesos.Offer_Operation_Launch{TaskInfos: []*mesos.TaskInfo{task}},
	}}
	f.mustSend(&scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: accept})
}

// Several offers of one agent hold together what a task needs; those of several agents cannot be put together, and
// those that are good go back.
func TestAcceptSeveralOffers(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{agents: 2})
	f := subscribe(t, c)
	g := newGate(t)
	f.launch(shell("first", g.wait()+"exit 0", resources(scalar("cpus", 2), scalar("mem", 64))))
	isHalf := func(o *mesos.Offer) bool { return amount(o, "cpus") == 2 }
	rest := f.offer(isHalf)
	// What the task had comes as an offer of its own.
	g.open(t)
	half := f.offer(isHalf)
	other := f.offer(func(o *mesos.Offer) bool { return o.GetAgentId().GetValue() != half.GetAgentId().GetValue() })
	f.acceptAll(shell("whole", "exit 0", resources(scalar("cpus", 4), scalar("mem", 64))), half, rest)
	f.end("whole", "STARTING RUNNING FINISHED")
	again := f.offer(func(o *mesos.Offer) bool { return o.GetAgentId().GetValue() == half.GetAgentId().GetValue() })
	f.acceptAll(shell("astride", "exit 0"), again, other)
	s := f.end("astride", "DROPPED")
	if s.GetReason() != mesos.TaskStatus_REASON_INVALID_OFFERS || !strings.Contains(s.GetMessage(), "Aggregated offers must belong to one single agent") {
		t.Errorf("offers of two agents: %s: %s", s.GetReason(), s.GetMessage())
	}
	f.acceptAll(shell("twice", "exit 0"), f.offer(nil), half)
	if s := f.end("twice", "DROPPED"); !strings.Contains(s.GetMessage(), "Offer "+half.GetId().GetValue()+" is no longer valid") {
		t.Errorf("an offer that was used: %s", s.GetMessage())
	}
	checkWholeOffers(t, f, 2)
}

// A filter is of one agent, and one of no time is none.
func TestFiltersOfAgents(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{agents: 2})
	f := subscribe(t, c)
	first := f.offer(nil)
	ofFirst := func(o *mesos.Offer) bool { return o.GetAgentId().GetValue() == first.GetAgentId().GetValue() }
	f.decline(f.offer(func(o *mesos.Offer) bool { return !ofFirst(o) }), 5*time.Second)
	f.decline(first, 0)
	f.offer(ofFirst)
	f.mu.Lock()
	others := len(f.offers)
	f.mu.Unlock()
	if others > 0 {
		t.Error("what was declined for no time is not offered before what was declined for 5 s")
	}
	f.offer(nil)
}

func multiRole(roles ...string) option {
	return func(f *framework) {
		capable(mesos.FrameworkInfo_Capability_MULTI_ROLE)(f)
		f.info.Roles = roles
	}
}

func inRole(role string) func(*mesos.Offer) bool {
	return func(o *mesos.Offer) bool { return o.GetAllocationInfo().GetRole() == role }
}

// A framework suppresses and revives the roles that it names, and no others; what it names wrongly changes nothing.
func TestSuppressAndReviveByRole(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{resources: "cpus(eng):2;mem(eng):1024;cpus(ops):2;mem(ops):1024"})
	f := subscribe(t, c, multiRole("eng", "ops"), capable(mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT))
	suppress := func(roles ...string) {
		t.Helper()
		f.mustSend(&scheduler.Call{Type: scheduler.Call_SUPPRESS.Enum(), Suppress: &scheduler.Call_Suppress{Roles: roles}})
	}
	eng, ops := f.offer(inRole("eng")), f.offer(inRole("ops"))
	suppress("eng")
	f.decline(eng, 0)
	f.decline(ops, 0)
	ops = f.offer(inRole("ops"))
	only := func(role string) func() error {
		return func() error {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, o := range f.offers {
				if !inRole(role)(o) {
					return errors.New("an offer in role " + o.GetAllocationInfo().GetRole())
				}
			}
			return nil
		}
	}
	meanwhile(t, 2500*time.Millisecond, "role eng gets no offers", only("ops"))
	// One of the roles is none of the framework's: nothing is revived.
	_ = f.send(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum(), Revive: &scheduler.Call_Revive{Roles: []string{"eng", "other"}}})
	meanwhile(t, 2500*time.Millisecond, "role eng gets no offers after a REVIVE that makes no sense", only("ops"))
	suppress("ops")
	f.decline(ops, 0)
	f.mustSend(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum(), Revive: &scheduler.Call_Revive{Roles: []string{"eng"}}})
	f.decline(f.offer(inRole("eng")), time.Hour)
	meanwhile(t, 2500*time.Millisecond, "role ops gets no offers", only("eng"))
	f.revive()
	f.offer(inRole("eng"))
	f.offer(inRole("ops"))
}

// A role that is suppressed from the start gets no offers until it is revived; it has to be one of the framework's.
func TestSuppressedFromTheStart(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{resources: "cpus(eng):2;mem(eng):1024;cpus(ops):2;mem(ops):1024"})
	f := newFramework(t, c, multiRole("eng", "ops"), capable(mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT))
	f.suppressed = []string{"other"}
	if err := f.subscribe(); err == nil || !strings.Contains(err.Error(), "{ other }") {
		t.Errorf("a role that is not the framework's: %v", err)
	}
	f.suppressed = []string{"eng"}
	f.mustSubscribe()
	f.offer(inRole("ops"))
	meanwhile(t, 2500*time.Millisecond, "role eng gets no offers", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.offers) > 0 {
			return errors.New("an offer in role " + f.offers[0].GetAllocationInfo().GetRole())
		}
		return nil
	})
	f.revive()
	f.offer(inRole("eng"))
}

// What a framework may not change is refused and named, and nothing of the call is done; what it may is taken.
func TestUpdateFramework(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{resources: "cpus(eng):2;mem(eng):1024;cpus(ops):2;mem(ops):1024"})
	f := subscribe(t, c, multiRole("eng", "ops"), capable(mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT))
	update := func(change func(*mesos.FrameworkInfo)) error {
		info := proto.CloneOf(f.info)
		info.Id, info.Name = f.id, proto.String("another name")
		change(info)
		ctx := t.Context()
		resp, err := f.post(ctx, &scheduler.Call{
			FrameworkId: f.id, Type: scheduler.Call_UPDATE_FRAMEWORK.Enum(),
			UpdateFramework: &scheduler.Call_UpdateFramework{FrameworkInfo: info},
		}, f.stream)
		if err != nil {
			return err
		}
		if resp.StatusCode == http.StatusOK {
			return resp.Body.Close()
		}
		return refusal("UPDATE_FRAMEWORK", resp)
	}
	for name, one := range map[string]struct {
		change func(*mesos.FrameworkInfo)
		says   string
	}{
		"user":       {func(i *mesos.FrameworkInfo) { i.User = proto.String("nobody") }, "user"},
		"checkpoint": {func(i *mesos.FrameworkInfo) { i.Checkpoint = proto.Bool(false) }, "checkpoint"},
		"principal":  {func(i *mesos.FrameworkInfo) { i.Principal = proto.String("somebody") }, "principal"},
		"id":         {func(i *mesos.FrameworkInfo) { i.Id = &mesos.FrameworkID{Value: proto.String("other")} }, "framework_id"},
		"role twice": {func(i *mesos.FrameworkInfo) { i.Roles = []string{"eng", "eng"} }, "duplicate"},
		"bad role":   {func(i *mesos.FrameworkInfo) { i.Roles = []string{"/eng"} }, "/eng"},
		"timeout":    {func(i *mesos.FrameworkInfo) { i.FailoverTimeout = proto.Float64(1e300) }, "failover_timeout"},
	} {
		var refused *refusalError
		if err := update(one.change); !errors.As(err, &refused) || refused.status != http.StatusBadRequest || !strings.Contains(refused.body, one.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	name := func() string {
		var list struct {
			Frameworks []struct{ Name string }
		}
		if err := c.get("/frameworks", &list); err != nil || len(list.Frameworks) != 1 {
			t.Fatalf("%v %v", list, err)
		}
		return list.Frameworks[0].Name
	}
	if name() != f.info.GetName() {
		t.Errorf("the name is %q after refusals", name())
	}
	eng := f.offer(inRole("eng"))
	if err := update(func(i *mesos.FrameworkInfo) { i.Roles = []string{"ops"} }); err != nil {
		t.Fatal(err)
	}
	f.awaitEvent("the offer in the role that was given up is rescinded", func(e *scheduler.Event) bool {
		return e.GetRescind().GetOfferId().GetValue() == eng.GetId().GetValue()
	})
	if name() != "another name" {
		t.Errorf("the name is %q", name())
	}
}

// Frameworks are told of an agent that is lost.
func TestAgentFailureIsTold(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{master: "agent_ping_timeout = \"1s\"\n max_agent_ping_timeouts = 2\n agent_reregister_timeout = \"2s\""})
	f := subscribe(t, c)
	id := c.agentIDs()[0]
	c.agents[0].kill()
	e := f.awaitEvent("the agent is lost", func(e *scheduler.Event) bool { return e.GetType() == scheduler.Event_FAILURE })
	if e.GetFailure().GetAgentId().GetValue() != id || e.GetFailure().ExecutorId != nil || e.GetFailure().Status != nil {
		t.Errorf("told %v, the agent is %s", e, id)
	}
	c.restart(c.agents[0])
}
