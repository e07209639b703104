package wire

import (
	"math"
	"testing"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func cpus(v float64) *mesos.Resource {
	return &mesos.Resource{Name: proto.String("cpus"), Type: mesos.Value_SCALAR.Enum(), Scalar: scalarTo(v)}
}

func TestFromMesosRefuses(t *testing.T) {
	t.Parallel()
	with := func(change func(*mesos.Resource)) *mesos.Resource {
		m := cpus(1)
		change(m)
		return m
	}
	reserved := []*mesos.Resource_ReservationInfo{{Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: proto.String("a")}}
	for _, tc := range []struct {
		name string
		in   *mesos.Resource
		want string
	}{
		{"negative", cpus(-1), "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0"},
		{"zero", cpus(0), "Resource 'cpus:0' is invalid: Invalid scalar resource: value <= 0"},
		{"less than a thousandth", cpus(0.0004), "Resource 'cpus:0' is invalid: Invalid scalar resource: value <= 0"},
		{"not a number", cpus(math.NaN()), "Resource 'cpus' is invalid: NaN: not a finite number"},
		{"infinite", cpus(math.Inf(1)), "Resource 'cpus' is invalid: +Inf: not a finite number"},
		{"too much", cpus(1e300), "Resource 'cpus' is invalid: 1e+300: resource quantity overflows"},
		{"no value", with(func(m *mesos.Resource) { m.Scalar = nil }), "Resource 'cpus' is invalid: Invalid scalar resource"},
		{
			"two values", with(func(m *mesos.Resource) { m.Set = &mesos.Value_Set{} }),
			"Resource 'cpus' is invalid: Invalid scalar resource",
		},
		{
			"text", with(func(m *mesos.Resource) { m.Type = mesos.Value_TEXT.Enum() }),
			"Resource 'cpus' is invalid: Unsupported resource type",
		},
		{
			"both formats", with(func(m *mesos.Resource) { m.Role, m.Reservations = proto.String("a"), reserved }),
			"Resource 'cpus' is invalid: both 'Resource.reservations' and the older 'Resource.role' or 'Resource.reservation' are set",
		},
		{
			"reserved for nobody", with(func(m *mesos.Resource) { m.Reservation = &mesos.Resource_ReservationInfo{} }),
			`Resource 'cpus' is invalid: Invalid reservation: role "*" cannot be dynamically reserved`,
		},
		{
			"no type of reservation",
			with(func(m *mesos.Resource) {
				m.Reservations = []*mesos.Resource_ReservationInfo{{Role: proto.String("a")}}
			}),
			"Resource 'cpus(reservations: [(UNKNOWN,a)]):1' is invalid: Invalid reservation: unknown type",
		},
		{
			"bad role", with(func(m *mesos.Resource) { m.Role = proto.String("a b") }),
			"Resource 'cpus(reservations: [(STATIC,a b)]):1' is invalid: " +
				"Invalid reservation: Role component 'a b' is invalid because it contains backspace or whitespace",
		},
		{
			"volume of an image",
			with(func(m *mesos.Resource) {
				m.Name = proto.String("disk")
				m.Disk = &mesos.Resource_DiskInfo{Volume: &mesos.Volume{Image: &mesos.Image{}}}
			}),
			"Resource 'disk' is invalid: 'disk.volume' must not have an image or a source",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := FromMesos([]*mesos.Resource{tc.in})
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	parse := func(text string) resource.Resources {
		r, err := resource.Parse(text, "*")
		if err != nil {
			t.Fatal(err)
		}
		return r.Allocate("a/b")
	}
	dynamic := parse(`[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"a",
		"reservation":{"principal":"p","labels":{"labels":[{"key":"k","value":"v"},{"key":"x"}]}}}]`)
	refined, err := dynamic.PushReservation(resource.Reservation{Type: resource.Dynamic, Role: "a/b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name                      string
		in                        resource.Resources
		format                    Format
		role                      string // "-" when unset
		reservation, allocated    bool
		reservations, wantEntries int
	}{
		{"older, unreserved", parse("cpus:1"), Format{AllocationInfo: true}, "*", false, true, 0, 1},
		{"older, static", parse("cpus(a):1"), Format{}, "a", false, false, 0, 1},
		{"older, dynamic", dynamic, Format{}, "a", true, false, 0, 1},
		{"older, refined", refined, Format{}, "", false, false, 0, 0},
		{"newer, unreserved", parse("cpus:1"), Format{RefinedReservations: true}, "-", false, false, 0, 1},
		{"newer, dynamic", dynamic, Format{RefinedReservations: true, AllocationInfo: true}, "-", false, true, 1, 1},
		{"newer, refined", refined, Format{RefinedReservations: true}, "-", false, false, 2, 1},
		{"both, static", parse("cpus(a):1"), Format{BothReservations: true}, "a", false, false, 1, 1},
		{"both, dynamic", dynamic, Format{BothReservations: true}, "a", true, false, 1, 1},
		{"both, refined", refined, Format{BothReservations: true}, "-", false, false, 2, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			out := ToMesos(tc.in, tc.format)
			if len(out) != tc.wantEntries {
				t.Fatalf("%d entries, want %d", len(out), tc.wantEntries)
			}
			if len(out) == 0 {
				return
			}
			m, role := out[0], "-"
			if m.Role != nil { //nolint:staticcheck // the deprecated field is what is tested
				role = m.GetRole() //nolint:staticcheck // as above
			}
			if role != tc.role || (m.GetReservation() != nil) != tc.reservation || len(m.GetReservations()) != tc.reservations ||
				(m.GetAllocationInfo() != nil) != tc.allocated {
				t.Errorf("got %v", m)
			}
		})
	}
}

// genDomain draws resources that either format can express when refined is false.
func genDomain(t *rapid.T, refined bool) resource.Resources {
	gen := rapid.Custom(func(t *rapid.T) resource.Resource {
		r := resource.Resource{Role: rapid.SampledFrom([]string{"", "a"}).Draw(t, "role")}
		stack := []resource.Reservation{
			{
				Type: resource.Dynamic, Role: "a", HasPrincipal: true, Principal: rapid.SampledFrom([]string{"", "p"}).Draw(t, "principal"),
				Labels: []resource.Label{{Key: "k", HasValue: true}, {Key: "l"}},
			},
			{Type: resource.Dynamic, Role: "a/b"},
		}
		depth := 1
		if refined {
			depth = 2
		}
		r.Reservations = stack[:rapid.IntRange(0, depth).Draw(t, "depth")]
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			r.Name, r.Kind, r.Ranges = "ports", resource.KindRanges, resource.Ranges{{Begin: 1, End: 2}, {Begin: 7, End: math.MaxUint32}}
		case 1:
			r.Name, r.Kind, r.Set = "bugs", resource.KindSet, resource.Set{"a", "b"}
		case 2:
			r.Name, r.Scalar, r.Shared = "disk", 5, true
			r.Disk = &resource.Disk{
				Persistence: &resource.Persistence{ID: "v", Principal: "p", HasPrincipal: true},
				Volume:      &resource.Volume{ContainerPath: "c", HostPath: "h", ReadOnly: true},
				Source: &resource.DiskSource{
					Type: rapid.SampledFrom([]resource.DiskSourceType{resource.DiskPath, resource.DiskMount}).Draw(t, "source"),
					Root: "/r", Vendor: "v", ID: "i", Profile: "p", Metadata: []resource.Label{{Key: "m"}},
				},
			}
		default:
			r.Name, r.Scalar, r.Provider = "cpus", resource.Scalar(rapid.Int64Range(1, 1<<50).Draw(t, "v")), "rp"
			if r.Reservations = r.Reservations[:0:0]; rapid.Bool().Draw(t, "revocable") {
				r.Revocable = true
			}
		}
		return r
	})
	out, err := resource.New(rapid.SliceOfN(gen, 0, 4).Draw(t, "all")...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		refined := rapid.Bool().Draw(t, "refined")
		in := genDomain(t, refined)
		messages := ToMesos(in, Format{RefinedReservations: refined, AllocationInfo: true})
		for i, m := range messages {
			bytes, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			messages[i] = &mesos.Resource{}
			if err := proto.Unmarshal(bytes, messages[i]); err != nil {
				t.Fatal(err)
			}
		}
		out, err := FromMesos(messages)
		if err != nil {
			t.Fatal(err)
		}
		if !in.Equal(out) || in.String() != out.String() || in.Len() != out.Len() {
			t.Fatalf("%s became %s", in, out)
		}
	})
}

func TestNamedValues(t *testing.T) {
	t.Parallel()
	limits, err := LimitsFromMesos(map[string]*mesos.Value_Scalar{"cpus": scalarTo(2), "mem": scalarTo(math.Inf(1))})
	if err != nil || limits.Get("cpus") != resource.Finite(2000) || !limits.Get("mem").IsInfinite() {
		t.Errorf("limits: %v, %v", limits, err)
	}
	if back := LimitsToMesos(limits); len(back) != 1 || back["cpus"].GetValue() != 2 {
		t.Errorf("limits back: %v", back)
	}
	for _, bad := range []float64{math.NaN(), -1, 1e300} {
		if _, err := LimitsFromMesos(map[string]*mesos.Value_Scalar{"cpus": scalarTo(bad)}); err == nil {
			t.Errorf("limit %v passes", bad)
		}
		if _, err := QuantitiesFromMesos(map[string]*mesos.Value_Scalar{"cpus": scalarTo(bad)}); err == nil {
			t.Errorf("quantity %v passes", bad)
		}
	}
	q, err := QuantitiesFromMesos(map[string]*mesos.Value_Scalar{"mem": scalarTo(1.5), "cpus": scalarTo(2)})
	if err != nil || q.String() != "cpus:2; mem:1.5" {
		t.Errorf("quantities: %s, %v", q, err)
	}
	if back := QuantitiesToMesos(q); len(back) != 2 || back["mem"].GetValue() != 1.5 {
		t.Errorf("quantities back: %v", back)
	}
}

func TestAttributesRoundTrip(t *testing.T) {
	t.Parallel()
	const text = "rack:r1;level:10;rng:[1-3];rack:r2"
	in, err := resource.ParseAttributes(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := AttributesFromMesos(AttributesToMesos(in))
	if err != nil {
		t.Fatal(err)
	}
	for i := range in {
		if in[i].String() != out[i].String() || in[i].Kind != out[i].Kind {
			t.Errorf("%s became %s", in[i], out[i])
		}
	}
	set := &mesos.Attribute{Name: proto.String("x"), Type: mesos.Value_SET.Enum(), Set: &mesos.Value_Set{}}
	if _, err := AttributesFromMesos([]*mesos.Attribute{set}); err == nil {
		t.Error("a set passes")
	}
}

func FuzzFromMesos(f *testing.F) {
	seed, err := proto.Marshal(cpus(1.5))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &mesos.Resource{}
		if proto.Unmarshal(data, m) != nil {
			return
		}
		r, err := FromMesos([]*mesos.Resource{m})
		if err != nil {
			return
		}
		again, err := FromMesos(ToMesos(r, Format{RefinedReservations: true, AllocationInfo: true}))
		if err != nil || !again.Equal(r) {
			t.Fatalf("%s became %s, %v", r, again, err)
		}
	})
}
