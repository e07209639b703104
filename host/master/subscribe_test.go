package master

import (
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

const multiRole = mesos.FrameworkInfo_Capability_MULTI_ROLE

func TestSubscribe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stream, id := r.subscribe(framework("x"))
	if id != testMaster+"-0000" {
		t.Fatalf("id is %q", id)
	}
	if got := r.types(stream); !slices.Equal(got, []string{"SUBSCRIBED", "HEARTBEAT"}) {
		t.Fatalf("events are %v", got)
	}
	s := r.streams[stream][0].GetSubscribed()
	if s.GetHeartbeatIntervalSeconds() != 15 || len(s.GetMasterInfo().GetCapabilities()) != 1 {
		t.Fatalf("SUBSCRIBED is %v", s)
	}
	r.advance(31 * time.Second)
	if got := r.types(stream); len(got) != 4 || got[3] != "HEARTBEAT" {
		t.Fatalf("after 31 s, events are %v", got)
	}
	if _, id := r.subscribe(framework("y")); id != testMaster+"-0001" {
		t.Fatalf("second id is %q", id)
	}
}

// TestIDsAreNotGivenTwice: a framework may name the id that the master would give to the next one.
func TestIDsAreNotGivenTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	named := func(id string) *mesos.FrameworkInfo {
		info := framework("named")
		info.Id = &mesos.FrameworkID{Value: proto.String(id)}
		return info
	}
	r.subscribe(named(testMaster + "-0000"))
	stream, removed := r.subscribe(named(testMaster + "-0001"))
	r.call(removed, stream, &scheduler.Call{Type: scheduler.Call_TEARDOWN.Enum()})
	if _, id := r.subscribe(framework("new")); id != testMaster+"-0002" {
		t.Errorf("id is %q", id)
	}
}

// withRole is a framework with the field that those without MULTI_ROLE have.
func withRole(role string, caps ...mesos.FrameworkInfo_Capability_Type) *mesos.FrameworkInfo {
	info := framework("x", caps...)
	info.Role = proto.String(role) //nolint:staticcheck // see above
	return info
}

func TestSubscribeRefused(t *testing.T) {
	t.Parallel()
	with := func(change func(*mesos.FrameworkInfo), caps ...mesos.FrameworkInfo_Capability_Type) *mesos.FrameworkInfo {
		info := framework("x", caps...)
		change(info)
		return info
	}
	cases := map[string]struct {
		ev   Subscribe
		want string
	}{
		"white space": {
			Subscribe{Info: withRole("a b")},
			"'FrameworkInfo.role' is not a valid role: Role component 'a b' is invalid because it contains backspace or whitespace",
		},
		"dash": {
			Subscribe{Info: withRole("-x")},
			"'FrameworkInfo.role' is not a valid role: Role component '-x' is invalid because it starts with a dash",
		},
		"dot": {
			Subscribe{Info: withRole(".")},
			"'FrameworkInfo.role' is not a valid role: Role '.' cannot include '.' as a component",
		},
		"duplicate roles": {
			Subscribe{Info: with(func(i *mesos.FrameworkInfo) { i.Roles = []string{"a", "a"} }, multiRole)},
			"'FrameworkInfo.roles' contains duplicate items: { a }",
		},
		"role with the capability": {
			Subscribe{Info: withRole("a", multiRole)},
			"'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable",
		},
		"roles without the capability": {
			Subscribe{Info: with(func(i *mesos.FrameworkInfo) { i.Roles = []string{"a", "b"} })},
			"'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable",
		},
		"suppressed": {
			Subscribe{Info: with(func(i *mesos.FrameworkInfo) { i.Roles = []string{"a"} }, multiRole), Suppressed: []string{"zzz"}},
			"Suppressed roles { zzz } are not contained in the set of roles",
		},
		"failover timeout": {
			Subscribe{Info: with(func(i *mesos.FrameworkInfo) { i.FailoverTimeout = proto.Float64(math.NaN()) })},
			"Invalid 'FrameworkInfo.failover_timeout': NaN seconds",
		},
		"id": {
			Subscribe{Info: with(func(i *mesos.FrameworkInfo) { i.Id = &mesos.FrameworkID{Value: proto.String("a/b")} })},
			"'FrameworkInfo.id' is invalid: 'a/b' contains invalid characters",
		},
		"denied": {Subscribe{Info: framework("x"), Denied: "Not authorized to use role '*'"}, "Not authorized to use role '*'"},
		"root": {
			Subscribe{Info: with(func(i *mesos.FrameworkInfo) { i.Name = proto.String("as root") })},
			"User 'root' is not allowed to run frameworks without '--root_submissions' set",
		},
		"offer filters": {
			Subscribe{Info: with(func(i *mesos.FrameworkInfo) {
				i.OfferFilters = map[string]*mesos.OfferFilters{"*": {MinAllocatableResources: &mesos.OfferFilters_MinAllocatableResources{
					Quantities: []*mesos.OfferFilters_ResourceQuantities{{Quantities: map[string]*mesos.Value_Scalar{"cpus": {Value: proto.Float64(-1)}}}},
				}}}
			})},
			"",
		},
		"constraints": {
			Subscribe{Info: framework("x"), Constraints: &scheduler.OfferConstraints{
				RoleConstraints: map[string]*scheduler.OfferConstraints_RoleConstraints{"*": {}},
			}},
			"offer constraints of role \"*\" are invalid: there is no group",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(cfg *Config) { cfg.NoRootSubmissions = name == "root" })
			c.ev.Stream = "s"
			r.step(c.ev)
			events := r.streams["s"]
			if len(events) != 1 || events[0].GetType() != scheduler.Event_ERROR || !r.ended["s"] {
				t.Fatalf("events are %v, ended %v", events, r.ended["s"])
			}
			if got := events[0].GetError().GetMessage(); c.want != "" && got != c.want {
				t.Fatalf("error is %q, want %q", got, c.want)
			}
			if n := r.m.State().frameworks.len(); n != 0 {
				t.Fatalf("there are %d frameworks", n)
			}
		})
	}
}

func TestSubscribeAccepted(t *testing.T) {
	t.Parallel()
	cases := map[string]*mesos.FrameworkInfo{
		"negative failover timeout": {User: proto.String("root"), Name: proto.String("x"), FailoverTimeout: proto.Float64(-1)},
		"empty name and user":       {User: proto.String(""), Name: proto.String("")},
		"empty id":                  {User: proto.String("u"), Name: proto.String("x"), Id: &mesos.FrameworkID{Value: proto.String("")}},
		"id never seen":             {User: proto.String("u"), Name: proto.String("x"), Id: &mesos.FrameworkID{Value: proto.String("never-seen")}},
		"unknown capability":        framework("x", 31),
		"no roles":                  framework("x", multiRole),
	}
	for name, info := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, id := newRig(t).subscribe(info); id == "" {
				t.Fatal("the framework was refused")
			}
		})
	}
}

func TestSecondConnectionWins(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	info := framework("x")
	old, id := r.subscribe(info)
	r.mustOffer(id, "*", agent, "cpus:1;mem:64")
	info.Id = &mesos.FrameworkID{Value: proto.String(id)}
	info.Name, info.User = proto.String("renamed"), proto.String("other")
	stream, again := r.subscribe(info)
	if again != id || !r.ended[old] || r.ended[stream] {
		t.Fatalf("id is %q, old ended %v, new ended %v", again, r.ended[old], r.ended[stream])
	}
	if got := r.types(old); !slices.Equal(got, []string{"SUBSCRIBED", "HEARTBEAT", "OFFERS", "ERROR"}) {
		t.Fatalf("old events are %v", got)
	}
	if got := r.streams[old][3].GetError().GetMessage(); got != "Framework failed over" {
		t.Fatalf("error is %q", got)
	}
	f := r.m.State().Framework(id)
	if f.Name != "renamed" || f.User != "root" || f.Info().GetUser() != "root" {
		t.Fatalf("framework is %+v", f)
	}
	// What the old stream still says, and that it closes, changes nothing.
	r.call(id, old, &scheduler.Call{Type: scheduler.Call_TEARDOWN.Enum()})
	r.step(StreamClosed{Framework: id, Stream: old})
	if f := r.m.State().Framework(id); f == nil || !f.Connected {
		t.Fatal("the old stream removed the framework")
	}
	if r.m.State().Agent(agent).Free.Amount("cpus") != 8000 {
		t.Fatal("the old stream's offer was not returned")
	}
}

func TestPrincipalCannotChange(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	info := framework("x")
	info.Principal = proto.String("a")
	_, id := r.subscribe(info)
	info.Id, info.Principal = &mesos.FrameworkID{Value: proto.String(id)}, proto.String("b")
	stream, again := r.subscribe(info)
	if again != "" || r.streams[stream][0].GetError() == nil {
		t.Fatalf("events are %v", r.streams[stream])
	}
	if f := r.m.State().Framework(id); !f.Connected || f.Principal != "a" {
		t.Fatalf("framework is %+v", f)
	}
}

func TestFailoverTimeout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		timeout float64
		wait    time.Duration
		removed bool
	}{
		"none":       {0, 0, true},
		"in time":    {60, 30 * time.Second, false},
		"too late":   {60, 61 * time.Second, true},
		"year-long":  {31536000, time.Hour, false},
		"fractional": {0.5, time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			info := framework("x")
			info.FailoverTimeout = proto.Float64(c.timeout)
			stream, id := r.subscribe(info)
			r.step(StreamClosed{Framework: id, Stream: stream})
			r.advance(c.wait)
			info.Id = &mesos.FrameworkID{Value: proto.String(id)}
			again, got := r.subscribe(info)
			if (got == "") != c.removed {
				t.Fatalf("subscribing again gave %v", r.streams[again])
			}
			if c.removed && r.streams[again][0].GetError().GetMessage() != "Framework has been removed" {
				t.Fatalf("error is %v", r.streams[again][0])
			}
			r.advance(2 * time.Minute)
			if !c.removed && r.m.State().Framework(id) == nil {
				t.Fatal("the timer of the old disconnection removed the framework")
			}
		})
	}
}

func TestFailoverWaitsForAuthorizer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stream, id := r.subscribe(framework("x"))
	r.step(StreamClosed{Framework: id, Stream: stream})
	r.advance(50 * time.Second)
	r.step(AuthorizerDown{})
	r.advance(time.Hour)
	r.step(AuthorizerReady{})
	r.advance(9 * time.Second)
	if r.m.State().Framework(id) == nil {
		t.Fatal("the framework was removed while nobody could come back")
	}
	r.advance(2 * time.Second)
	if r.m.State().Framework(id) != nil {
		t.Fatal("the framework was not removed")
	}
}

func TestUpdateFramework(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, agent := r.agent("h1")
	info := framework("x", multiRole)
	info.Roles = []string{"a", "b"}
	stream, id := r.subscribe(info)
	inA := r.mustOffer(id, "a", agent, "cpus:1;mem:64")
	inB := r.mustOffer(id, "b", agent, "cpus:1;mem:64")
	info.Id = &mesos.FrameworkID{Value: proto.String(id)}
	ask := func(reply ReplyID, change func(*mesos.FrameworkInfo)) Reply {
		asked := proto.Clone(info).(*mesos.FrameworkInfo)
		change(asked)
		r.step(Call{Framework: id, Stream: stream, Reply: reply, Call: &scheduler.Call{
			Type:            scheduler.Call_UPDATE_FRAMEWORK.Enum(),
			UpdateFramework: &scheduler.Call_UpdateFramework{FrameworkInfo: asked},
		}})
		return r.replies[reply]
	}
	for reply, change := range []func(*mesos.FrameworkInfo){
		func(i *mesos.FrameworkInfo) { i.User = proto.String("other") },
		func(i *mesos.FrameworkInfo) { i.Checkpoint = proto.Bool(false) },
		func(i *mesos.FrameworkInfo) { i.Principal = proto.String("p") },
		func(i *mesos.FrameworkInfo) { i.Roles = []string{"a", "a"} },
	} {
		if got := ask(ReplyID(reply+1), change); got.Code != ReplyInvalid || got.Message == "" {
			t.Fatalf("change %d was answered %+v", reply, got)
		}
	}
	if got := ask(9, func(i *mesos.FrameworkInfo) { i.Roles = []string{"b", "c"}; i.Name = proto.String("new") }); got.Code != ReplyOK {
		t.Fatalf("answer is %+v", got)
	}
	s := r.m.State()
	if s.Offer(inA) != nil || s.Offer(inB) == nil || s.Framework(id).Name != "new" {
		t.Fatalf("offers are %v and %v", s.Offer(inA), s.Offer(inB))
	}
	last := r.streams[stream][len(r.streams[stream])-1]
	if last.GetRescind().GetOfferId().GetValue() != inA {
		t.Fatalf("last event is %v", last)
	}
	r.step(Teardown{Framework: id, Reply: 10})
	if got := ask(11, func(*mesos.FrameworkInfo) {}); r.replies[10].Code != ReplyOK || got.Code != ReplyConflict {
		t.Fatalf("answers are %+v and %+v", r.replies[10], got)
	}
}
