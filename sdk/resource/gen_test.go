package resource

import (
	"testing"

	"pgregory.net/rapid"
)

// genResource draws a resource with a number in [0, 200) thousandths, or with ports, names or a volume,
// from so small a world that identities often meet.
func genResource(t *rapid.T) Resource {
	r := Resource{Role: rapid.SampledFrom([]string{"", "*", "eng"}).Draw(t, "role")}
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		r.Name, r.Kind = "ports", KindRanges
		r.Ranges = genRanges(t)
	case 1:
		r.Name, r.Kind = "bugs", KindSet
		for _, name := range []string{"a", "b", "c", "d"} {
			if rapid.Bool().Draw(t, name) {
				r.Set = append(r.Set, name)
			}
		}
	case 2:
		r.Name, r.Scalar = "disk", Scalar(rapid.IntRange(1, 3).Draw(t, "size"))
		r.Disk = genDisk(t)
		r.Shared = r.Disk.Persistence != nil && rapid.Bool().Draw(t, "shared")
	default:
		r.Name = rapid.SampledFrom([]string{"cpus", "mem", "bananas"}).Draw(t, "name")
		r.Scalar = Scalar(rapid.IntRange(0, 200).Draw(t, "value"))
		r.Revocable = rapid.Bool().Draw(t, "revocable")
	}
	if !r.Revocable {
		r.Reservations = genStack(t)
	}
	return r
}

func genRanges(t *rapid.T) Ranges {
	var set []Range
	for port := range uint64(12) {
		if rapid.Bool().Draw(t, "port") {
			set = append(set, Range{port, port})
		}
	}
	return coalesce(set)
}

func genDisk(t *rapid.T) *Disk {
	d := &Disk{}
	switch rapid.IntRange(0, 3).Draw(t, "source") {
	case 1:
		d.Source = &DiskSource{Type: DiskPath, Root: "/p"}
	case 2:
		d.Source = &DiskSource{Type: DiskMount, Root: "/m"}
	case 3:
		d.Source = &DiskSource{Type: DiskRaw, ID: rapid.SampledFrom([]string{"", "x"}).Draw(t, "id"), Vendor: "v"}
		return d
	}
	if rapid.Bool().Draw(t, "volume") {
		d.Persistence = &Persistence{ID: rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "volume id")}
		d.Volume = &Volume{ContainerPath: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "path")}
	}
	return d
}

func genStack(t *rapid.T) []Reservation {
	labels := [][]Label{nil, {{Key: "k"}}, {{Key: "k", Value: "v", HasValue: true}, {Key: "a"}}, {{Key: "a"}, {Key: "k", Value: "v", HasValue: true}}}
	stack := []Reservation{
		{Type: rapid.SampledFrom([]ReservationType{Static, Dynamic}).Draw(t, "type"), Role: "eng"},
		{Type: Dynamic, Role: "eng/web", Principal: "p", HasPrincipal: true, Labels: rapid.SampledFrom(labels).Draw(t, "labels")},
	}
	return stack[:rapid.IntRange(0, 2).Draw(t, "depth")]
}

func genResources(t *rapid.T, label string) Resources {
	return collected(t, rapid.SliceOfN(rapid.Custom(genResource), 0, 6).Draw(t, label)...)
}

// mustParse parses or fails the test.
func mustParse(t testing.TB, text string) Resources {
	t.Helper()
	r, err := Parse(text, DefaultRole)
	if err != nil {
		t.Fatalf("parse %q: %v", text, err)
	}
	return r
}

// tester is what the functions below need of a testing.TB or a rapid.T.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func collected(t tester, in ...Resource) Resources {
	t.Helper()
	r, err := New(in...)
	if err != nil {
		t.Fatalf("make resources: %v", err)
	}
	return r
}

func add(t tester, a, b Resources) Resources {
	t.Helper()
	r, err := a.Add(b)
	if err != nil {
		t.Fatalf("%s + %s: %v", a, b, err)
	}
	return r
}

func sub(t tester, a, b Resources) Resources {
	t.Helper()
	r, err := a.Sub(b)
	if err != nil {
		t.Fatalf("%s - %s: %v", a, b, err)
	}
	return r
}
