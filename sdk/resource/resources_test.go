package resource

import (
	"errors"
	"math"
	"testing"
)

func TestString(t *testing.T) {
	t.Parallel()
	gpus := Resource{Name: "gpus", Scalar: 2000, Reservations: []Reservation{
		{Type: Static, Role: "a"},
		{Type: Dynamic, Role: "a/b", Principal: "alice", HasPrincipal: true, Labels: []Label{{Key: "k", Value: "v", HasValue: true}, {Key: "x"}}},
	}}
	volume := Resource{Name: "disk", Scalar: 64000, Shared: true, Disk: &Disk{
		Source:      &DiskSource{Type: DiskMount, Root: "/mnt", ID: "d1"},
		Persistence: &Persistence{ID: "v1"}, Volume: &Volume{ContainerPath: "data", ReadOnly: true},
	}}
	for _, tc := range []struct {
		name string
		in   Resources
		want string
	}{
		{"nothing", Resources{}, "{}"},
		{"allocated", mustParse(t, "ports:[31000-39999];cpus:63.9").Allocate("*"), "cpus(allocated: *):63.9; ports(allocated: *):[31000-39999]"},
		{"static", mustParse(t, "cpus(other):0.1").Allocate("*"), "cpus(allocated: *)(reservations: [(STATIC,other)]):0.1"},
		{"order", mustParse(t, "zebras:1;disk:3;apples:{b,a};ports:[1-2,4-4];mem:2;cpus:1"), "cpus:1; mem:2; disk:3; ports:[1-2,4-4]; apples:{a, b}; zebras:1"},
		{"refined", collected(t, gpus), "gpus(reservations: [(STATIC,a),(DYNAMIC,a/b,alice,{k: v, x})]):2"},
		{"volume", collected(t, volume), "disk[MOUNT(,d1,):/mnt,v1:data:ro]<SHARED>:64"},
		{"revocable", collected(t, Resource{Name: "cpus", Scalar: 1, Revocable: true}), "cpus{REV}:0.001"},
		{"provider", collected(t, Resource{Name: "cpus", Scalar: 1, Provider: "rp"}), "cpus(provider: rp):0.001"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := tc.in.String(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	eng := Reservation{Type: Dynamic, Role: "eng"}
	for _, tc := range []struct {
		name string
		in   []Resource
		want string
	}{
		{"negative", []Resource{{Name: "cpus", Scalar: -1000}}, "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0"},
		{"no name", []Resource{{Scalar: 1}}, "Resource ':0.001' is invalid: Empty resource name"},
		{"half a gpu", []Resource{{Name: "gpus", Scalar: 500}}, "Resource 'gpus:0.5' is invalid: The 'gpus' resource must be an unsigned integer"},
		{
			"overlap", []Resource{{Name: "ports", Kind: KindRanges, Ranges: Ranges{{5, 9}, {1, 5}}}},
			"Resource 'ports:[5-9,1-5]' is invalid: ranges [1-5] and [5-9] overlap",
		},
		{
			"backwards", []Resource{{Name: "ports", Kind: KindRanges, Ranges: Ranges{{5, 4}}}},
			"Resource 'ports:[5-4]' is invalid: range [5-4] ends before it begins",
		},
		{"twice", []Resource{{Name: "s", Kind: KindSet, Set: Set{"a", "a"}}}, `Resource 's:{a, a}' is invalid: "a" is in the set twice`},
		{
			"star", []Resource{{Name: "cpus", Scalar: 1000, Reservations: []Reservation{{Type: Static, Role: "*"}}}},
			`Resource 'cpus(reservations: [(STATIC,*)]):1' is invalid: Invalid reservation: role "*" cannot be reserved`,
		},
		{
			"static refinement", []Resource{{Name: "cpus", Scalar: 1000, Reservations: []Reservation{eng, {Type: Static, Role: "eng/a"}}}},
			"Resource 'cpus(reservations: [(DYNAMIC,eng),(STATIC,eng/a)]):1' is invalid: Invalid refined reservation: A refined reservation cannot be STATIC",
		},
		{
			"sideways refinement", []Resource{{Name: "cpus", Scalar: 1000, Reservations: []Reservation{eng, {Type: Dynamic, Role: "engine"}}}},
			"Resource 'cpus(reservations: [(DYNAMIC,eng),(DYNAMIC,engine)]):1' is invalid: " +
				"Invalid refined reservation: role 'engine' is not a refinement of 'eng'",
		},
		{
			"volume of cpus", []Resource{{Name: "cpus", Scalar: 1000, Disk: &Disk{}}},
			"Resource 'cpus[]:1' is invalid: DiskInfo should not be set for cpus resource",
		},
		{"shared cpus", []Resource{{Name: "cpus", Scalar: 1000, Shared: true}}, "Resource 'cpus<SHARED>:1' is invalid: Only persistent volumes can be shared"},
		{
			"revocable and reserved", []Resource{{Name: "cpus", Scalar: 1000, Revocable: true, Reservations: []Reservation{eng}}},
			"Resource 'cpus(reservations: [(DYNAMIC,eng)]){REV}:1' is invalid: Revocable resources cannot be reserved",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tc.in...)
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestOverflowIsAnError(t *testing.T) {
	t.Parallel()
	half := collected(t, Resource{Name: "cpus", Scalar: math.MaxInt64/2 + 1})
	if _, err := half.Add(half); !errors.Is(err, ErrOverflow) {
		t.Errorf("same identity: %v", err)
	}
	if _, err := half.Add(half.Allocate("eng")); !errors.Is(err, ErrOverflow) {
		t.Errorf("same name in two roles: %v", err)
	}
	mount := Resource{Name: "disk", Scalar: math.MaxInt64/2 + 1, Disk: &Disk{Source: &DiskSource{Type: DiskMount}}}
	if _, err := New(mount, mount); !errors.Is(err, ErrOverflow) {
		t.Errorf("two whole disks: %v", err)
	}
	if _, err := NewRanges(Range{0, math.MaxUint64}); !errors.Is(err, ErrOverflow) {
		t.Errorf("all integers: %v", err)
	}
	if _, err := NewRanges(Range{0, math.MaxInt64/1000 - 2}, Range{math.MaxInt64, math.MaxInt64 + 1}); !errors.Is(err, ErrOverflow) {
		t.Errorf("one integer too many: %v", err)
	}
	top, err := NewRanges(Range{math.MaxUint64 - 1, math.MaxUint64 - 1}, Range{math.MaxUint64, math.MaxUint64})
	if want := (Ranges{{math.MaxUint64 - 1, math.MaxUint64}}); err != nil || top.String() != want.String() {
		t.Errorf("the highest integers: %s, %v", top, err)
	}
}

func TestSharedVolumesAreCounted(t *testing.T) {
	t.Parallel()
	volume := collected(t, Resource{
		Name: "disk", Scalar: 64000, Shared: true, Disk: &Disk{Persistence: &Persistence{ID: "v"}, Volume: &Volume{ContainerPath: "a"}},
	})
	two := add(t, volume, volume)
	if two.Len() != 2 || two.Amount("disk") != 64000 || two.Equal(volume) {
		t.Fatalf("two copies: %s, %d, %s", two, two.Len(), two.Amount("disk"))
	}
	one, err := two.Sub(volume)
	if err != nil || !one.Equal(volume) {
		t.Fatalf("one taken: %s, %v", one, err)
	}
	if volume.Contains(two) {
		t.Error("one copy contains two")
	}
}

func TestWholeDisksAreNotDivided(t *testing.T) {
	t.Parallel()
	disk := func(source *DiskSource, volume string, size Scalar) Resources {
		d := &Disk{Source: source}
		if volume != "" {
			d.Persistence = &Persistence{ID: volume}
		}
		return collected(t, Resource{Name: "disk", Scalar: size, Disk: d})
	}
	for _, tc := range []struct {
		name      string
		source    *DiskSource
		volume    string
		divisible bool
	}{
		{"agent's own", nil, "", true},
		{"path", &DiskSource{Type: DiskPath, Root: "/p"}, "", true},
		{"pool", &DiskSource{Type: DiskRaw}, "", true},
		{"mount", &DiskSource{Type: DiskMount, Root: "/m"}, "", false},
		{"block", &DiskSource{Type: DiskBlock}, "", false},
		{"raw piece", &DiskSource{Type: DiskRaw, ID: "x"}, "", false},
		{"volume", nil, "v", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			whole, part := disk(tc.source, tc.volume, 100), disk(tc.source, tc.volume, 40)
			if got := whole.Contains(part); got != tc.divisible {
				t.Errorf("contains a part: %t", got)
			}
			if got := add(t, whole, part).Len() == 1; got != tc.divisible {
				t.Errorf("merges with another: %t", got)
			}
			if !whole.Contains(whole) {
				t.Error("does not contain itself")
			}
		})
	}
}

func TestVolumePathIsNotIdentity(t *testing.T) {
	t.Parallel()
	at := func(path string) Resources {
		return collected(t, Resource{Name: "disk", Scalar: 1, Disk: &Disk{Persistence: &Persistence{ID: "v"}, Volume: &Volume{ContainerPath: path}}})
	}
	if !at("a").Equal(at("b")) || !at("a").Contains(at("b")) {
		t.Error("a persistent volume is another one at another path")
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	r := mustParse(t, "cpus:1;cpus(eng):2;cpus(eng/web):4;cpus(ops):8;ports(ops):[1-3]")
	for _, tc := range []struct {
		name string
		got  Resources
		want Scalar
	}{
		{"unreserved", r.Unreserved(), 1000},
		{"reserved", r.Reserved(), 14000},
		{"to eng", r.ReservedTo("eng"), 2000},
		{"for eng", r.AllocatableTo("eng"), 3000},
		{"for eng/web", r.AllocatableTo("eng/web"), 7000},
		{"for eng/web/x", r.AllocatableTo("eng/web/x"), 7000},
		{"for engine", r.AllocatableTo("engine"), 1000},
		{"for *", r.AllocatableTo("*"), 1000},
		{"flat", r.Flatten(), 15000},
	} {
		if got := tc.got.Amount("cpus"); got != tc.want {
			t.Errorf("%s: %s cpus, want %s", tc.name, got, tc.want)
		}
	}
	if got := r.Flatten().Len(); got != 2 {
		t.Errorf("flat: %d entries", got)
	}
	if got := r.Cardinalities().Get("ports"); got != 3000 {
		t.Errorf("ports: %s", got)
	}
	if got := r.Scalars().Get("ports"); got != 0 {
		t.Errorf("ports count as a scalar: %s", got)
	}
	if got := r.Roles(); len(got) != 3 || got[0] != "eng" || got[1] != "eng/web" || got[2] != "ops" {
		t.Errorf("roles: %v", got)
	}
}

func TestContainsDoesNotAllocate(t *testing.T) {
	a := mustParse(t, "cpus:8;cpus(eng):8;mem:100;disk:50;ports:[1-100,200-300]")
	b := mustParse(t, "cpus:1;mem:10;ports:[5-6,250-260]")
	if n := testing.AllocsPerRun(100, func() { _ = a.Contains(b) }); n != 0 {
		t.Errorf("Contains allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = a.Amount("cpus") }); n != 0 {
		t.Errorf("Amount allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = b.AllocatableTo("eng") }); n != 0 {
		t.Errorf("AllocatableTo that keeps all allocates %v times", n)
	}
}

func TestOrderOfLabelsDoesNotMatter(t *testing.T) {
	t.Parallel()
	reserved := func(labels ...Label) Resources {
		return collected(t, Resource{Name: "cpus", Scalar: 1, Reservations: []Reservation{{Type: Dynamic, Role: "a", Labels: labels}}})
	}
	a, b, none := Label{Key: "a"}, Label{Key: "b", Value: "v", HasValue: true}, Label{Key: "b"}
	if !reserved(a, b).Equal(reserved(b, a)) || !reserved(b, a).Equal(reserved(a, b)) {
		t.Error("labels in another order make another reservation")
	}
	if reserved(a, b).Equal(reserved(a, none)) || reserved(a).Equal(reserved(a, a)) {
		t.Error("other labels make the same reservation")
	}
	if got := add(t, reserved(a, b), reserved(b, a)); got.Len() != 1 {
		t.Errorf("not merged: %s", got)
	}
}
