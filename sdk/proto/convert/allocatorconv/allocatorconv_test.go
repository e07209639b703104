package allocatorconv_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/allocatorconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

func parse(t interface{ Fatal(...any) }, text string) resource.Resources {
	r, err := resource.Parse(text, "*")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func drawResources(t *rapid.T) resource.Resources {
	text := rapid.SampledFrom([]string{"cpus:1", "cpus:2.5;mem:64;ports:[1-4,9-9]", "cpus(eng):1;disk:5;zones:{a,b}"}).Draw(t, "resources")
	return parse(t, text).Allocate(rapid.SampledFrom([]string{"", "dev"}).Draw(t, "role"))
}

func drawAgent(t *rapid.T) allocator.Agent {
	a := allocator.Agent{
		ID: fmt.Sprint("S", rapid.IntRange(0, 9).Draw(t, "agent")), Hostname: rapid.StringMatching(`[a-z]{0,300}`).Draw(t, "hostname"),
		Region: rapid.SampledFrom([]string{"", "eu"}).Draw(t, "region"), Zone: "z", Remote: rapid.Bool().Draw(t, "remote"),
		Capabilities: allocator.AgentCapabilities{
			MultiRole: rapid.Bool().Draw(t, "multi"), HierarchicalRole: rapid.Bool().Draw(t, "hierarchical"), ReservationRefinement: true},
		Total: drawResources(t).Unallocate(), Active: rapid.Bool().Draw(t, "active"),
	}
	if rapid.Bool().Draw(t, "attributes") {
		a.Attributes = []resource.Attribute{{Name: "rack", Text: "r7"}, {Name: "n", Kind: resource.AttributeScalar, Scalar: 5}}
	}
	if rapid.Bool().Draw(t, "unavailable") {
		a.Unavailability = &allocator.Unavailability{Start: time.Unix(5, 7).UTC(), Duration: rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "duration")}
	}
	return a
}

func drawFramework(t *rapid.T) allocator.Framework {
	f := allocator.Framework{
		ID: "f", Name: "n", Roles: []string{"a", "b"}, Active: rapid.Bool().Draw(t, "active"),
		Capabilities: allocator.Capabilities{
			RevocableResources: rapid.Bool().Draw(t, "c1"), GPUResources: rapid.Bool().Draw(t, "c2"), SharedResources: rapid.Bool().Draw(t, "c3"),
			RegionAware: rapid.Bool().Draw(t, "c4"), ReservationRefinement: rapid.Bool().Draw(t, "c5"), MultiRole: rapid.Bool().Draw(t, "c6"),
			PartitionAware: rapid.Bool().Draw(t, "c7"),
		},
	}
	if rapid.Bool().Draw(t, "more") {
		q, err := resource.ParseQuantities("cpus:1;mem:32")
		if err != nil {
			t.Fatal(err)
		}
		c, err := allocator.NewConstraint(allocator.SelectHostname, "", allocator.TextMatches, "h.*")
		if err != nil {
			t.Fatal(err)
		}
		f.Suppressed = []string{"a"}
		f.MinAllocatable = map[string][]resource.Quantities{"a": {q}, "b": nil}
		f.Constraints = map[string]allocator.RoleConstraints{"b": {Groups: []allocator.ConstraintGroup{{Constraints: []allocator.Constraint{c}}}}}
	}
	return f
}

func drawFilter(t *rapid.T) *allocator.Filter {
	if rapid.Bool().Draw(t, "no filter") {
		return nil
	}
	return &allocator.Filter{Refuse: time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "refuse"))}
}

func drawUpdate(t *rapid.T) allocator.Update {
	switch rapid.IntRange(0, 13).Draw(t, "kind") {
	case 0:
		u := allocator.AgentAdded{Agent: drawAgent(t)}
		for i := range rapid.IntRange(0, 3).Draw(t, "uses") {
			u.Uses = append(u.Uses, allocator.Use{Framework: fmt.Sprint("f", i), Resources: drawResources(t)})
		}
		return u
	case 1:
		return allocator.AgentChanged{Agent: drawAgent(t), ClearFilters: rapid.Bool().Draw(t, "clear")}
	case 2:
		return allocator.AgentRemoved{ID: "a"}
	case 3:
		return allocator.FrameworkAdded{Framework: drawFramework(t)}
	case 4:
		return allocator.FrameworkChanged{Framework: drawFramework(t)}
	case 5:
		return allocator.FrameworkRemoved{ID: "f"}
	case 6:
		return allocator.Revived{Framework: "f", Roles: []string{"a"}}
	case 7:
		return allocator.Allocated{Framework: "f", Agent: "a", Resources: drawResources(t)}
	case 8:
		return allocator.Recovered{Framework: "f", Agent: "a", Resources: drawResources(t), Filter: drawFilter(t)}
	case 9:
		return allocator.Converted{Framework: "f", Agent: "a", From: drawResources(t), To: drawResources(t)}
	case 10:
		return allocator.WeightsChanged{Weights: map[string]float64{"a": 2.5}}
	case 11:
		return allocator.QuotaChanged{Quotas: map[string]allocator.Quota{"a": quota(t), "b": {}}}
	case 12:
		return allocator.Requested{Framework: "f", Resources: drawResources(t)}
	default:
		return allocator.InverseAnswered{Framework: "f", Agent: "a", Accepted: rapid.Bool().Draw(t, "accepted"), Filter: drawFilter(t)}
	}
}

func quota(t *rapid.T) allocator.Quota {
	guarantees, err := resource.ParseQuantities("cpus:1")
	if err != nil {
		t.Fatal(err)
	}
	limits, err := resource.NewLimits(resource.NamedLimit{Name: "cpus", Limit: resource.Finite(5000)})
	if err != nil {
		t.Fatal(err)
	}
	return allocator.Quota{Guarantees: guarantees, Limits: limits}
}

// encoded is the bytes of a frame.
func encoded(t interface{ Fatal(...any) }, f allocatorconv.Frame) []byte {
	b, err := allocatorconv.Codec().Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return b.Materialize()
}

// text makes values comparable: of what is a value with state inside, such as resources, it is what String
// says.
func text(v any) string { return fmt.Sprintf("%+v", v) }

// What frames encode is what the generated code encodes; both ways of decoding give what was encoded.
func TestUpdates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var d allocatorconv.Decoder
		us := rapid.SliceOfN(rapid.Custom(drawUpdate), 0, 5).Draw(t, "updates")
		want := &allocatorv1.Updates{Sequence: rapid.Uint64().Draw(t, "sequence")}
		for _, u := range us {
			want.Updates = append(want.Updates, allocatorconv.UpdateToProto(u))
		}
		data := encoded(t, allocatorconv.UpdatesFrame(want.Sequence, us))
		var got allocatorv1.RunRequest
		if err := proto.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got.GetUpdates(), want) {
			t.Fatalf("encoded %v\nwant    %v", got.GetUpdates(), want)
		}
		generated, err := proto.Marshal(&got)
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range [][]byte{data, generated} {
			r, err := d.Request(data)
			if err != nil || r.Kind != allocatorconv.UpdatesRequest || r.Sequence != want.Sequence {
				t.Fatalf("decoded %+v, %v", r, err)
			}
			same(t, r.Updates, us)
		}
		back, err := allocatorconv.UpdatesFromProto(want.Updates)
		if err != nil {
			t.Fatal(err)
		}
		same(t, back, us)
	})
}

// same compares updates by their encoding: what is empty and what is nil are the same there.
func same(t *rapid.T, got, want []allocator.Update) {
	if len(got) != len(want) {
		t.Fatalf("decoded %d updates of %d", len(got), len(want))
	}
	for i := range got {
		if reflect.TypeOf(got[i]) != reflect.TypeOf(want[i]) || !proto.Equal(allocatorconv.UpdateToProto(got[i]), allocatorconv.UpdateToProto(want[i])) {
			t.Fatalf("decoded %+v\nwant    %+v", got[i], want[i])
		}
	}
}

// The chunks of a snapshot are within the bound, and hold it all in order, however they are made.
func TestSnapshotChunks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := allocator.Snapshot{Sequence: rapid.Uint64Range(0, 300).Draw(t, "sequence"), Updates: rapid.SliceOfN(rapid.Custom(drawUpdate), 0, 20).Draw(t, "updates")}
		bound := rapid.IntRange(300, 3000).Draw(t, "bound")
		var frames [][]byte
		for f := range allocatorconv.SnapshotFrames(s, bound) {
			frames = append(frames, encoded(t, f))
		}
		var generated [][]byte
		for c := range allocatorconv.Chunks(s, bound) {
			data, err := proto.Marshal(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Snapshot{Snapshot: c}})
			if err != nil {
				t.Fatal(err)
			}
			generated = append(generated, data)
		}
		for _, chunks := range [][][]byte{frames, generated} {
			var d allocatorconv.Decoder
			var all []allocator.Update
			for i, data := range chunks {
				r, err := d.Request(data)
				if err != nil || r.Kind != allocatorconv.SnapshotRequestChunk || r.Sequence != s.Sequence ||
					r.First != (i == 0) || r.Last != (i == len(chunks)-1) {
					t.Fatalf("chunk %d of %d: %+v, %v", i, len(chunks), r, err)
				}
				if len(data) > bound && len(r.Updates) != 1 {
					t.Fatalf("chunk %d has %d bytes and %d updates", i, len(data), len(r.Updates))
				}
				all = append(all, r.Updates...)
			}
			same(t, all, s.Updates)
		}
	})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	as := []allocator.Answer{{ID: 1, OfferID: "o"}, {ID: 2, Refused: "no"}, {ID: 3}}
	data := encoded(t, allocatorconv.AnswersFrame(as))
	var p allocatorv1.RunRequest
	if err := proto.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	var d allocatorconv.Decoder
	r, err := d.Request(data)
	if err != nil || !reflect.DeepEqual(r.Answers, as) {
		t.Errorf("decoded %+v, %v", r, err)
	}
	for i, a := range p.GetAnswers().GetAnswers() {
		if got := allocatorconv.AnswerFromProto(a); got != as[i] || !proto.Equal(allocatorconv.AnswerToProto(as[i]), a) {
			t.Errorf("decoded %+v", got)
		}
	}
	// No outcome is no yes.
	if a := allocatorconv.AnswerFromProto(&allocatorv1.Answer{Id: 4}); a.Accepted() {
		t.Errorf("decoded %+v", a)
	}
}

func TestAllocations(t *testing.T) {
	t.Parallel()
	good := allocator.Allocation{ID: 300, Framework: "f", Role: "eng/web", Agent: "a", Resources: parse(t, "cpus:1")}
	with := func(change func(*allocator.Allocation)) allocator.Allocation {
		a := good
		change(&a)
		return a
	}
	for name, c := range map[string]struct {
		a  allocator.Allocation
		ok bool
	}{
		"good":         {good, true},
		"no framework": {with(func(a *allocator.Allocation) { a.Framework = "" }), false},
		"no agent":     {with(func(a *allocator.Allocation) { a.Agent = "" }), false},
		"a bad role":   {with(func(a *allocator.Allocation) { a.Role = "/x" }), false},
		"no resources": {with(func(a *allocator.Allocation) { a.Resources = resource.Resources{} }), false},
	} {
		data := encoded(t, allocatorconv.AllocationsFrame([]allocator.Allocation{c.a}))
		var p allocatorv1.RunResponse
		if err := proto.Unmarshal(data, &p); err != nil {
			t.Fatal(err)
		}
		if want := allocatorconv.AllocationToProto(&c.a); !proto.Equal(p.GetAllocations().GetAllocations()[0], want) {
			t.Errorf("%s: encoded %v, want %v", name, &p, want)
		}
		if a, err := allocatorconv.AllocationFromProto(p.GetAllocations().GetAllocations()[0]); (err == nil) != c.ok || (c.ok && text(a) != text(c.a)) {
			t.Errorf("%s: decoded %+v, %v", name, a, err)
		}
		var d allocatorconv.Decoder
		r, err := d.Response(data)
		if err != nil || len(r.Allocations)+len(r.Bad) != 1 || (len(r.Bad) == 0) != c.ok {
			t.Fatalf("%s: decoded %+v, %v", name, r, err)
		}
		if c.ok && text(r.Allocations[0]) != text(c.a) || !c.ok && (r.Bad[0].ID != 300 || r.Bad[0].Err == nil) {
			t.Errorf("%s: decoded %+v", name, r)
		}
	}
}

func TestResponses(t *testing.T) {
	t.Parallel()
	var d allocatorconv.Decoder
	decode := func(f allocatorconv.Frame) allocatorconv.Response {
		r, err := d.Response(encoded(t, f))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := decode(allocatorconv.ProgressFrame(0)); r.Progress == nil || *r.Progress != 0 {
		t.Errorf("progress %+v", r)
	}
	if r := decode(allocatorconv.ProgressFrame(700)); r.Progress == nil || *r.Progress != 700 {
		t.Errorf("progress %+v", r)
	}
	if r := decode(allocatorconv.SnapshotRequestFrame("why")); r.SnapshotRequest == nil || *r.SnapshotRequest != "why" {
		t.Errorf("snapshot request %+v", r)
	}
	if r := decode(allocatorconv.SnapshotRequestFrame("\xff")); r.SnapshotRequest == nil {
		t.Errorf("snapshot request %+v", r)
	}
	o := allocator.InverseOffer{ID: 5, Framework: "f", Agent: "a", Unavailability: allocator.Unavailability{Start: time.Unix(3, 0).UTC()}}
	if r := decode(allocatorconv.InverseOffersFrame([]allocator.InverseOffer{o, {ID: 6}})); len(r.Inverse) != 1 || text(r.Inverse[0]) != text(o) || len(r.Bad) != 1 || r.Bad[0].ID != 6 {
		t.Errorf("inverse offers %+v", r)
	}
}

func TestExplanation(t *testing.T) {
	t.Parallel()
	e := allocator.Explanation{Framework: "f", Reasons: []allocator.Reason{
		{Code: allocator.ReasonFiltered, Role: "dev", Agent: "a", Agents: 3, Until: time.Unix(9, 0).UTC(), Text: "x"}, {Code: "own"}}}
	if back := allocatorconv.ExplanationFromProto("f", allocatorconv.ExplanationToProto(e)); !reflect.DeepEqual(back, e) {
		t.Errorf("became %+v", back)
	}
}

func TestUnknownUpdate(t *testing.T) {
	t.Parallel()
	if u, err := allocatorconv.UpdateFromProto(&allocatorv1.Update{}); u != nil || err != nil {
		t.Errorf("%v, %v", u, err)
	}
	data, err := proto.Marshal(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Updates{
		Updates: &allocatorv1.Updates{Sequence: 7, Updates: []*allocatorv1.Update{{}}}}})
	if err != nil {
		t.Fatal(err)
	}
	var d allocatorconv.Decoder
	if r, err := d.Request(data); err != nil || r.Kind != allocatorconv.UpdatesRequest || len(r.Updates) != 0 || r.Sequence != 7 {
		t.Errorf("%+v, %v", r, err)
	}
}

// The codec is that of all other messages, too.
func TestCodec(t *testing.T) {
	t.Parallel()
	want := &allocatorv1.ExplainRequest{FrameworkId: "f"}
	data, err := allocatorconv.Codec().Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got allocatorv1.ExplainRequest
	if err := allocatorconv.Codec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(data.Materialize())}, &got); err != nil || !proto.Equal(&got, want) {
		t.Errorf("%v, %v", &got, err)
	}
}

// FuzzRequest checks that the decoder reads what the generated code reads, and panics at nothing.
func FuzzRequest(f *testing.F) {
	for _, u := range agentUpdates(f, 1) {
		f.Add(encoded(f, allocatorconv.UpdatesFrame(5, []allocator.Update{u, allocator.Recovered{Framework: "f", Agent: "a", Filter: &allocator.Filter{Refuse: 5}}})))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d allocatorconv.Decoder
		got, err := d.Request(data)
		_, _ = d.Response(data)
		var p allocatorv1.RunRequest
		if proto.Unmarshal(data, &p) != nil {
			return
		}
		want, wantErr := allocatorconv.UpdatesFromProto(p.GetUpdates().GetUpdates())
		if wantErr == nil && p.GetUpdates() != nil && err == nil && len(got.Updates) != len(want) {
			t.Errorf("%d updates, want %d", len(got.Updates), len(want))
		}
	})
}
