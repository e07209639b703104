package master

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

const (
	partitionAware = mesos.FrameworkInfo_Capability_PARTITION_AWARE
	refinement     = mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT
)

func TestAllocationsAreJudged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, agent := r.agent("h1")
	info := framework("x", multiRole)
	info.Roles = []string{"eng/web", "ops"}
	stream, id := r.subscribe(info, "ops")
	for name, c := range map[string]struct{ framework, role, agent, resources, want string }{
		"unknown framework": {"nobody", "*", agent, "cpus:1", "the framework is not known"},
		"other role":        {id, "other", agent, "cpus:1", "the framework is not subscribed to the role"},
		"suppressed":        {id, "ops", agent, "cpus:1", "the framework has suppressed the role"},
		"unknown agent":     {id, "eng/web", "nowhere", "cpus:1", "the agent is not registered"},
		"too much":          {id, "eng/web", agent, "cpus:8.001", "resources are not free: the agent has " + r.m.State().Agent(agent).Free.String()},
		"nothing":           {id, "eng/web", agent, "", "there are no resources"},
		"reserved":          {id, "eng/web", agent, "cpus(ops):1", "resources are reserved for another role: cpus(reservations: [(STATIC,ops)]):1"},
	} {
		if offer, refused := r.offer(c.framework, c.role, c.agent, c.resources); offer != "" || refused != c.want {
			t.Errorf("%s: offer %q, refused %q, want %q", name, offer, refused, c.want)
		}
	}
	offer := r.mustOffer(id, "eng/web", agent, "cpus:5;mem:100")
	if offer != testMaster+"-O0" {
		t.Errorf("offer id is %q", offer)
	}
	if _, refused := r.offer(id, "eng/web", agent, "cpus:5"); refused == "" {
		t.Error("the same cpus were offered twice")
	}
	r.step(Allocations{Generation: 0, Batch: []allocator.Allocation{{ID: 99, Framework: id}}})
	if len(r.did) != 0 {
		t.Errorf("an allocation of an old generation did %v", r.did)
	}
	r.step(AllocatorDown{})
	r.step(Allocations{Generation: 1, Batch: []allocator.Allocation{{ID: 99, Framework: id}}})
	if len(r.did) != 0 {
		t.Errorf("an allocation of an allocator that is down did %v", r.did)
	}
	// Outstanding offers stay good.
	r.call(id, stream, accepting([]string{offer}, command("t", agent, "cpus:1;mem:10")))
	if r.m.State().Task(id, "t") == nil {
		t.Error("the task was not launched")
	}
	r.step(AgentGone{Conn: conn})
	r.step(AllocatorReady{Generation: 1})
	if _, refused := r.offer(id, "eng/web", agent, "cpus:1"); refused != "the agent is not connected" {
		t.Errorf("refused %q", refused)
	}
}

func TestOfferFormats(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	info := agentInfo("", "h1")
	info.Resources[0].Reservations = []*mesos.Resource_ReservationInfo{
		{Type: mesos.Resource_ReservationInfo_STATIC.Enum(), Role: proto.String("eng")},
	}
	c := r.connect("i")
	r.say(c, registering(info, nil))
	agent := r.registered(c)
	modern := framework("modern", multiRole, refinement)
	modern.Roles = []string{"eng"}
	old := framework("old")
	old.Role = proto.String("eng") //nolint:staticcheck // what frameworks without MULTI_ROLE have
	for name, f := range map[string]*mesos.FrameworkInfo{"modern": modern, "old": old} {
		stream, id := r.subscribe(f)
		offer := r.mustOffer(id, "eng", agent, "cpus(eng):1;mem:10")
		events := r.streams[stream]
		o := events[len(events)-1].GetOffers().GetOffers()[0]
		res := o.GetResources()[0]
		isModern := name == "modern"
		if (o.AllocationInfo != nil) != isModern || (res.AllocationInfo != nil) != isModern ||
			(len(res.GetReservations()) == 1) != isModern || (res.Role != nil) == isModern { //nolint:staticcheck // the older format
			t.Errorf("%s: offer is %v", name, o)
		}
		if !proto.Equal(r.m.State().OfferMessage(offer), o) {
			t.Errorf("%s: the offer reads %v", name, r.m.State().OfferMessage(offer))
		}
		// What was offered can be launched in the same format.
		task := command("t-"+name, agent, "")
		task.Resources = o.GetResources()
		r.call(id, stream, accepting([]string{offer}, task))
		launched := r.m.State().Task(id, "t-"+name)
		if launched == nil || launched.Info().GetResources()[0].GetReservations()[0].GetRole() != "eng" ||
			launched.Info().GetResources()[0].GetAllocationInfo().GetRole() != "eng" {
			t.Errorf("%s: task is %v", name, launched)
		}
	}
}

func TestAcceptSeveralOffers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		caps  []mesos.FrameworkInfo_Capability_Type
		pick  func(a1, a1again, a2 string) []string
		state mesos.TaskState // TASK_STAGING: launched
		kept  int             // offers that stay
	}{
		"of one agent":             {nil, func(a, b, _ string) []string { return []string{a, b} }, mesos.TaskState_TASK_STAGING, 1},
		"of two agents":            {nil, func(a, _, c string) []string { return []string{a, c} }, mesos.TaskState_TASK_LOST, 1},
		"of two, partition aware":  {[]mesos.FrameworkInfo_Capability_Type{partitionAware}, func(a, _, c string) []string { return []string{a, c} }, mesos.TaskState_TASK_DROPPED, 1},
		"twice the same":           {nil, func(a, _, _ string) []string { return []string{a, a} }, mesos.TaskState_TASK_LOST, 2},
		"one not valid":            {nil, func(a, _, _ string) []string { return []string{a, "gone"} }, mesos.TaskState_TASK_LOST, 2},
		"none":                     {nil, func(_, _, _ string) []string { return nil }, mesos.TaskState_TASK_LOST, 3},
		"none, of nobody but this": {nil, func(_, _, _ string) []string { return []string{"gone"} }, mesos.TaskState_TASK_LOST, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_, agent := r.agent("h1")
			_, other := r.agent("h2")
			stream, id := r.subscribe(framework("x", c.caps...))
			offers := c.pick(r.mustOffer(id, "*", agent, "cpus:1;mem:32"), r.mustOffer(id, "*", agent, "cpus:2;mem:32"),
				r.mustOffer(id, "*", other, "cpus:1;mem:32"))
			r.call(id, stream, accepting(offers, command("t", agent, "cpus:2.5;mem:64")))
			s := r.m.State()
			if s.offers.len() != c.kept {
				t.Errorf("%d offers stay, want %d", s.offers.len(), c.kept)
			}
			if c.state == mesos.TaskState_TASK_STAGING {
				if s.Task(id, "t") == nil {
					t.Fatalf("not launched: %v", r.statuses(stream))
				}
				return
			}
			if got := r.lastStatus(stream); got.GetState() != c.state || got.GetReason() != mesos.TaskStatus_REASON_INVALID_OFFERS {
				t.Errorf("status is %v", got)
			}
			for _, e := range r.did {
				if u, ok := e.(AllocatorUpdate); ok && u.Update.(allocator.Recovered).Filter != nil {
					t.Errorf("a valid offer came back with a filter: %v", u)
				}
			}
		})
	}
}

func TestOtherFrameworksOffer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	_, owner := r.subscribe(framework("owner"))
	thief, id := r.subscribe(framework("thief"))
	offer := r.mustOffer(owner, "*", agent, "cpus:1;mem:32")
	r.call(id, thief, accepting([]string{offer}, command("t", agent, "cpus:1;mem:32")))
	r.call(id, thief, &scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{OfferIds: offerIDs(offer)}})
	if r.m.State().Offer(offer) == nil || r.lastStatus(thief).GetState() != mesos.TaskState_TASK_LOST {
		t.Fatalf("statuses are %v", r.statuses(thief))
	}
}

func TestDenials(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	offer := r.mustOffer(id, "*", agent, "cpus:4;mem:128")
	r.step(Call{
		Framework: id, Stream: stream, Denied: []Denial{{Operation: 0, Task: 1, Reason: "not as root"}},
		Call: accepting([]string{offer}, command("ok", agent, "cpus:1;mem:32"), command("no", agent, "cpus:1;mem:32")),
	})
	got := r.lastStatus(stream)
	if got.GetReason() != mesos.TaskStatus_REASON_TASK_UNAUTHORIZED || got.GetState() != mesos.TaskState_TASK_ERROR ||
		got.GetMessage() != "not as root" || got.GetTaskId().GetValue() != "no" {
		t.Fatalf("status is %v", got)
	}
	if r.m.State().Task(id, "ok") == nil || r.m.State().Task(id, "no") != nil {
		t.Fatal("the wrong task was launched")
	}
	r.step(Call{
		Framework: id, Stream: stream, Reply: 3, Denied: []Denial{{Operation: WholeCall, Reason: "no"}},
		Call: &scheduler.Call{Type: scheduler.Call_TEARDOWN.Enum()},
	})
	if r.replies[3].Code != ReplyForbidden || r.m.State().Framework(id) == nil {
		t.Fatalf("the answer is %+v", r.replies[3])
	}
}

func TestOperationsOfLaterReleases(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	ops := []*mesos.Offer_Operation{
		{Type: mesos.Offer_Operation_RESERVE.Enum(), Reserve: &mesos.Offer_Operation_Reserve{}},
		{Type: mesos.Offer_Operation_CREATE.Enum(), Id: &mesos.OperationID{Value: proto.String("op-1")}, Create: &mesos.Offer_Operation_Create{}},
		{Type: mesos.Offer_Operation_UNKNOWN.Enum()},
	}
	oneLine := func() {
		t.Helper()
		lines := 0
		for _, e := range r.did {
			if _, ok := e.(Log); ok {
				lines++
			}
		}
		if lines != 1 {
			t.Errorf("%d lines are logged of two operations", lines)
		}
	}
	r.call(id, stream, acceptingOps([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:32")}, ops...))
	oneLine()
	events := r.streams[stream]
	status := events[len(events)-1].GetUpdateOperationStatus().GetStatus()
	if len(events) != 4 || status.GetOperationId().GetValue() != "op-1" ||
		status.GetState() != mesos.OperationState_OPERATION_ERROR || !strings.Contains(status.GetMessage(), "CREATE") {
		t.Fatalf("events are %v", events)
	}
	r.call(id, stream, acceptingOps([]string{"gone"}, ops...))
	oneLine()
	events = r.streams[stream]
	if len(events) != 5 || events[4].GetUpdateOperationStatus().GetStatus().GetState() != mesos.OperationState_OPERATION_ERROR {
		t.Fatalf("events are %v", events)
	}
}

func TestExecutorsAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	custom := command("custom", agent, "cpus:1;mem:32")
	custom.Command = nil
	custom.Executor = &mesos.ExecutorInfo{
		ExecutorId: &mesos.ExecutorID{Value: proto.String("e")}, Command: &mesos.CommandInfo{Value: proto.String("x")},
	}
	r.call(id, stream, accepting([]string{r.mustOffer(id, "*", agent, "cpus:1;mem:64")}, custom))
	if s := r.lastStatus(stream); s.GetReason() != mesos.TaskStatus_REASON_TASK_INVALID || !strings.Contains(s.GetMessage(), "executor") {
		t.Fatalf("status is %v", s)
	}
	small := func(text string) *mesos.ExecutorInfo {
		return &mesos.ExecutorInfo{
			Type: mesos.ExecutorInfo_DEFAULT.Enum(), ExecutorId: &mesos.ExecutorID{Value: proto.String("e")},
			Resources: command("", "", text).GetResources(),
		}
	}
	untyped := small("cpus:0.1;mem:32;disk:32")
	untyped.Type = nil
	for name, c := range map[string]struct {
		executor *mesos.ExecutorInfo
		want     string
	}{
		"none":    {nil, "'ExecutorInfo.type' must be set"},
		"untyped": {untyped, "'ExecutorInfo.type' must be set"},
		"cpus":    {small("mem:32;disk:32"), "Executor uses less CPUs (or none) than the minimum required (0.01)"},
		"mem":     {small("cpus:0.1;disk:32"), "Executor uses less memory (or none) than the minimum required (32MB)"},
		"disk":    {small("cpus:0.1;mem:32"), "Executor uses no disk"},
		"good":    {small("cpus:0.1;mem:32;disk:32"), "Task groups need an executor, which agents of this release do not run"},
	} {
		group := &mesos.Offer_Operation{
			Type: mesos.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: &mesos.Offer_Operation_LaunchGroup{
				Executor: c.executor, TaskGroup: &mesos.TaskGroupInfo{Tasks: []*mesos.TaskInfo{
					command("g-1", agent, "cpus:0.1;mem:32"), command("g-2", agent, "cpus:0.1;mem:32"),
				}},
			},
		}
		before := len(r.statuses(stream))
		r.call(id, stream, acceptingOps([]string{r.mustOffer(id, "*", agent, "cpus:4;mem:256;disk:100")}, group))
		got := r.statuses(stream)[before:]
		if len(got) != 2 || got[1].GetMessage() != c.want || got[0].GetReason() != mesos.TaskStatus_REASON_TASK_GROUP_INVALID {
			t.Errorf("%s: statuses are %v", name, got)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		filters *mesos.Filters
		want    time.Duration // 0: no filter
	}{
		"none given": {nil, 5 * time.Second},
		"default":    {&mesos.Filters{}, 5 * time.Second},
		"negative":   {&mesos.Filters{RefuseSeconds: proto.Float64(-1)}, 5 * time.Second},
		"NaN":        {&mesos.Filters{RefuseSeconds: proto.Float64(math.NaN())}, 5 * time.Second},
		"zero":       {&mesos.Filters{RefuseSeconds: proto.Float64(0)}, 0},
		"an hour":    {&mesos.Filters{RefuseSeconds: proto.Float64(3600)}, time.Hour},
		"short":      {&mesos.Filters{RefuseSeconds: proto.Float64(0.1)}, time.Second},
		"for ever":   {&mesos.Filters{RefuseSeconds: proto.Float64(math.Inf(1))}, 365 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_, agent := r.agent("h1")
			stream, id := r.subscribe(framework("x"))
			declined := r.mustOffer(id, "*", agent, "cpus:1;mem:32")
			r.call(id, stream, &scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{
				OfferIds: offerIDs(declined, "gone"), Filters: c.filters,
			}})
			r.wantFilter(c.want)
			accepted := r.mustOffer(id, "*", agent, "cpus:2;mem:64")
			call := accepting([]string{accepted}, command("t", agent, "cpus:1;mem:32"))
			call.Accept.Filters = c.filters
			r.call(id, stream, call)
			r.wantFilter(c.want)
			if r.m.State().Offer(declined) != nil || r.m.State().Offer(accepted) != nil {
				t.Fatal("an offer is still there")
			}
		})
	}
}

// wantFilter looks whether resources came back with a filter.
func (r *rig) wantFilter(want time.Duration) {
	r.t.Helper()
	for _, e := range r.did {
		if u, ok := e.(AllocatorUpdate); ok {
			back, ok := u.Update.(allocator.Recovered)
			if !ok {
				continue
			}
			if got := back.Filter; (got == nil) != (want == 0) || got != nil && got.Refuse != want {
				r.t.Fatalf("filter is %v, want %v", got, want)
			}
			return
		}
	}
	r.t.Fatalf("nothing came back: %v", r.did)
}

func TestSuppressAndRevive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	info := framework("x", multiRole)
	info.Roles = []string{"b", "a", "c"}
	stream, id := r.subscribe(info, "c")
	suppress := func(roles ...string) {
		r.call(id, stream, &scheduler.Call{Type: scheduler.Call_SUPPRESS.Enum(), Suppress: &scheduler.Call_Suppress{Roles: roles}})
	}
	revive := func(roles ...string) {
		r.call(id, stream, &scheduler.Call{Type: scheduler.Call_REVIVE.Enum(), Revive: &scheduler.Call_Revive{Roles: roles}})
	}
	want := func(roles ...string) {
		t.Helper()
		if got := r.m.State().Framework(id).Suppressed; !slices.Equal(got, roles) {
			t.Fatalf("suppressed are %v, want %v", got, roles)
		}
	}
	want("c")
	suppress("a")
	want("a", "c")
	suppress("b", "nope")
	want("a", "c")
	revive("a", "nope")
	want("a", "c")
	revive("c")
	want("a")
	suppress()
	want("a", "b", "c")
	revive()
	want()
}

func TestOfferTimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.OfferTimeout = 3 * time.Second })
	_, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	offer := r.mustOffer(id, "*", agent, "cpus:1;mem:32")
	kept := r.mustOffer(id, "*", agent, "cpus:1;mem:32")
	r.advance(2 * time.Second)
	r.call(id, stream, accepting([]string{kept}, command("t", agent, "cpus:1;mem:32")))
	r.advance(2 * time.Second)
	events := r.streams[stream]
	if events[len(events)-1].GetRescind().GetOfferId().GetValue() != offer || r.m.State().Offer(offer) != nil {
		t.Fatalf("events are %v", r.types(stream))
	}
	r.call(id, stream, accepting([]string{offer}, command("late", agent, "cpus:1;mem:32")))
	if r.lastStatus(stream).GetReason() != mesos.TaskStatus_REASON_INVALID_OFFERS {
		t.Fatalf("status is %v", r.lastStatus(stream))
	}
}

func TestLargeBatchesAreJudgedInParts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	stream, id := r.subscribe(framework("x"))
	var batch []allocator.Allocation
	for i := range 2*allocationPart + 10 {
		p := allocator.Allocation{
			ID: uint64(i + 1), Framework: id, Role: "*", Agent: agent, Resources: mustParse("cpus:0.001;mem:1"),
		}
		r.mirror.proposed[p.ID] = p
		batch = append(batch, p)
	}
	r.step(Allocations{Generation: 1, Batch: batch[:2*allocationPart]})
	r.step(Allocations{Generation: 1, Batch: batch[2*allocationPart:]})
	if n := r.m.State().offers.len(); n != allocationPart {
		t.Fatalf("%d offers at first", n)
	}
	r.advance(time.Millisecond)
	if n := r.m.State().offers.len(); n != len(batch) || len(r.mirror.proposed) != 0 {
		t.Fatalf("%d offers in the end, of %d; %d not answered", n, len(batch), len(r.mirror.proposed))
	}
	if got := r.types(stream); len(got) != 5 {
		t.Fatalf("events are %v", got)
	}
	for _, p := range batch {
		r.mirror.proposed[p.ID] = p
	}
	r.step(Allocations{Generation: 1, Batch: batch})
	r.step(AllocatorReady{Generation: 2})
	r.advance(time.Millisecond)
	if n := r.m.State().offers.len(); n != len(batch)+allocationPart {
		t.Fatalf("%d offers after a new generation", n)
	}
}
