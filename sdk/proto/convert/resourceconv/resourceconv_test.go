package resourceconv_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// drawResources makes resources with all that they can have.
func drawResources(t *rapid.T) resource.Resources {
	var items []resource.Resource
	for range rapid.IntRange(0, 5).Draw(t, "n") {
		r := resource.Resource{
			Name:      rapid.SampledFrom([]string{"cpus", "mem", "é"}).Draw(t, "name"),
			Scalar:    resource.Scalar(rapid.Int64Range(1, 1<<40).Draw(t, "scalar")),
			Provider:  rapid.SampledFrom([]string{"", "p"}).Draw(t, "provider"),
			Revocable: rapid.Bool().Draw(t, "revocable"),
			Role:      rapid.SampledFrom([]string{"", "eng"}).Draw(t, "role"),
		}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			begin := rapid.Uint64Range(0, 1<<40).Draw(t, "begin")
			r.Name, r.Kind, r.Scalar = "ports", resource.KindRanges, 0
			r.Ranges = resource.Ranges{{Begin: begin, End: begin + 3}, {Begin: begin + 10, End: begin + 10}}
		case 1:
			r.Name, r.Kind, r.Scalar, r.Set = "zones", resource.KindSet, 0, resource.Set{"a", "b"}
		case 2:
			r.Name, r.Disk, r.Shared = "disk", drawDisk(t), rapid.Bool().Draw(t, "shared")
		}
		if rapid.Bool().Draw(t, "reserved") && !r.Revocable {
			r.Reservations = []resource.Reservation{{Type: resource.Static, Role: "eng"}, {
				Type: resource.Dynamic, Role: "eng/web", Principal: "ann", HasPrincipal: rapid.Bool().Draw(t, "principal"),
				Labels: []resource.Label{{Key: "k"}, {Key: "l", Value: "v", HasValue: true}},
			}}
			if !r.Reservations[1].HasPrincipal {
				r.Reservations[1].Principal = ""
			}
		}
		if one, err := resource.New(r); err == nil { // the rules of resources are not this package's business
			for x := range one.All() {
				items = append(items, x)
			}
		}
	}
	r, err := resource.New(items...)
	if err != nil {
		return resource.Resources{}
	}
	return r
}

func drawDisk(t *rapid.T) *resource.Disk {
	d := &resource.Disk{}
	if rapid.Bool().Draw(t, "persistent") {
		d.Persistence = &resource.Persistence{ID: "vol", Principal: "ann", HasPrincipal: true}
		d.Volume = &resource.Volume{ContainerPath: "data", HostPath: "/h", ReadOnly: rapid.Bool().Draw(t, "ro")}
	}
	if rapid.Bool().Draw(t, "source") {
		d.Source = &resource.DiskSource{Type: resource.DiskMount, Root: "/mnt", Vendor: "v", ID: "i", Profile: "p",
			Metadata: []resource.Label{{Key: "m"}}}
	}
	return d
}

// Both ways of encoding make the same message, and both ways of decoding the resources that were encoded.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var d resourceconv.Decoder
		for range 2 { // the second time from what the decoder remembers, perhaps
			r := drawResources(t)
			want := resourceconv.ToProto(r)
			field := resourceconv.AppendField(nil, 1, r)
			var got resourcev1.Resources
			content := []byte(nil)
			if len(field) > 0 {
				_, _, n := protowire.ConsumeTag(field)
				content, _ = protowire.ConsumeBytes(field[n:])
			}
			if err := proto.Unmarshal(content, &got); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = &resourcev1.Resources{}
			}
			if !proto.Equal(&got, want) {
				t.Fatalf("appended %v, want %v", &got, want)
			}
			for range 2 {
				if back, err := d.Resources(content); err != nil || !back.Equal(r) || back.String() != r.String() {
					t.Fatalf("decoded %s, %v; want %s", back, err, r)
				}
			}
			if back, err := resourceconv.FromProto(want); err != nil || !back.Equal(r) || back.String() != r.String() {
				t.Fatalf("decoded %s, %v; want %s", back, err, r)
			}
		}
	})
}

func TestFromProtoRefuses(t *testing.T) {
	t.Parallel()
	for name, item := range map[string]*resourcev1.Resource{
		"no name":             {Scalar: 1},
		"a negative scalar":   {Name: "cpus", Scalar: -1},
		"an unknown kind":     {Name: "cpus", Kind: 7, Scalar: 1},
		"odd bounds":          {Name: "ports", Kind: 1, Ranges: []uint64{1, 2, 3}},
		"a range backwards":   {Name: "ports", Kind: 1, Ranges: []uint64{2, 1}},
		"a name twice":        {Name: "set", Kind: 2, Set: []string{"a", "a"}},
		"no reservation type": {Name: "cpus", Scalar: 1, Reservations: []*resourcev1.Reservation{{Role: "a"}}},
		"a reservation type that would be cut": {Name: "cpus", Scalar: 1,
			Reservations: []*resourcev1.Reservation{{Type: 257, Role: "a"}}},
		"a disk type that is not known": {Name: "disk", Scalar: 1, Disk: &resourcev1.Disk{Source: &resourcev1.DiskSource{Type: 9}}},
	} {
		p := &resourcev1.Resources{Items: []*resourcev1.Resource{item}}
		if r, err := resourceconv.FromProto(p); err == nil {
			t.Errorf("%s: %s", name, r)
		}
		data, err := proto.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var d resourceconv.Decoder
		if r, err := d.Resources(data); err == nil {
			t.Errorf("%s: %s", name, r)
		}
	}
}

func TestQuantitiesAndLimits(t *testing.T) {
	t.Parallel()
	q, err := resource.ParseQuantities("cpus:1.5;mem:32")
	if err != nil {
		t.Fatal(err)
	}
	if back, err := resourceconv.QuantitiesFromProto(resourceconv.QuantitiesToProto(q)); err != nil || !back.Equal(q) {
		t.Errorf("quantities %s, %v", back, err)
	}
	for _, l := range []resource.Limit{resource.Infinite(), resource.Finite(0), resource.Finite(1500)} {
		if name, back, err := resourceconv.LimitFromProto(resourceconv.LimitToProto("cpus", l)); err != nil || name != "cpus" || back != l {
			t.Errorf("limit %s became %s, %v", l, back, err)
		}
	}
	if _, err := resourceconv.LimitsFromProto([]*resourcev1.Limit{{Name: "a", Amount: -1}}); err == nil {
		t.Error("a negative limit")
	}
	as, err := resource.ParseAttributes("rack:r7;n:5;ports:[1-2]")
	if err != nil {
		t.Fatal(err)
	}
	back, err := resourceconv.AttributesFromProto(resourceconv.AttributesToProto(as))
	if err != nil || len(back) != 3 || back[0].Text != "r7" || back[1].Scalar != 5000 || back[2].Ranges.String() != "[1-2]" {
		t.Errorf("attributes %v, %v", back, err)
	}
	if _, err := resourceconv.AttributesFromProto([]*resourcev1.Attribute{{Name: "a"}}); err == nil {
		t.Error("an attribute without a value")
	}
}

func TestTextReplacesWhatIsNotUTF8(t *testing.T) {
	t.Parallel()
	b := resourceconv.AppendString(nil, 1, "a\xffb")
	var got string
	if err := resourceconv.EachField(b, func(f resourceconv.Field) error { got = string(f.Bytes); return nil }); err != nil || got != "a\uFFFDb" {
		t.Errorf("%q, %v", got, err)
	}
	if got := resourceconv.Text([]byte("a\xffb")); got != "a\uFFFDb" {
		t.Errorf("%q", got)
	}
}

// FuzzDecoder checks that what the generated code can read the decoder reads alike, and that nothing makes
// it panic.
func FuzzDecoder(f *testing.F) {
	seed, err := resource.Parse("cpus:1.5;ports:[1-5,8-9];zones:{a,b}", "eng")
	if err != nil {
		f.Fatal(err)
	}
	data, err := proto.Marshal(resourceconv.ToProto(seed))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var d resourceconv.Decoder
		got, err := d.Resources(data)
		var p resourcev1.Resources
		if proto.Unmarshal(data, &p) != nil {
			return
		}
		want, wantErr := resourceconv.FromProto(&p)
		if wantErr == nil && (err != nil || !got.Equal(want)) {
			t.Errorf("decoded %s, %v; want %s", got, err, want)
		}
	})
}
