package resource

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, role, want string }{
		{"", "*", "{}"},
		{" ; ", "*", "{}"},
		{"cpus:4;mem:1024.5; ports : [ 31000-32000 , 1-2 ] ;bugs:{b, a}", "", "cpus:4; mem:1024.5; ports:[1-2,31000-32000]; bugs:{a, b}"},
		{"cpus(ops):2;cpus(*):1", "*", "cpus:1; cpus(reservations: [(STATIC,ops)]):2"},
		{"cpus:2;mem(*):1", "ops", "cpus(reservations: [(STATIC,ops)]):2; mem:1"},
		{"cpus:1;cpus:1", "*", "cpus:2"},
		{"ports:[1-2,3-5]", "*", "ports:[1-5]"},
		{"gpus:0;ports:[];bugs:{}", "*", "{}"},
		{"cpus:1.5123;mem:1e3", "*", "cpus:1.512; mem:1000"},
		{`[{"name":"cpus","type":"SCALAR","scalar":{"value":2}}]`, "ops", "cpus(reservations: [(STATIC,ops)]):2"},
		{`[{"name":"cpus","type":"SCALAR","scalar":{"value":2},"role":"*","unknown":[1]}]`, "ops", "cpus:2"},
		{
			` [{"name":"cpus","type":"SCALAR","scalar":{"value":2},"role":"a","reservation":{"principal":"p"}}]`, "*",
			"cpus(reservations: [(DYNAMIC,a,p)]):2",
		},
		{
			`[{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]},"reservations":[{"type":"STATIC","role":"a"}],
			   "allocation_info":{"role":"a"},"provider_id":{"value":"rp"}}]`, "*",
			"ports(provider: rp)(allocated: a)(reservations: [(STATIC,a)]):[1-2]",
		},
		{
			`[{"name":"disk","type":"SCALAR","scalar":{"value":9},"disk":{"source":{"type":"MOUNT","mount":{"root":"/m"}},
			   "persistence":{"id":"v","principal":"p"},"volume":{"mode":"RW","container_path":"c"}},"shared":{}}]`, "*",
			"disk[MOUNT:/m,v:c]<SHARED>:9",
		},
	} {
		t.Run(tc.in, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(tc.in, tc.role)
			if err != nil || got.String() != tc.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, tc.want)
			}
		})
	}
}

func TestParseErrorsNameThePlace(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"cpus", `resource 1 ("cpus"): expected name:value or name(role):value`},
		{"cpus:1;mem", `resource 2 ("mem"): expected name:value or name(role):value`},
		{"cpus:", `resource 1 ("cpus:"): the value is missing`},
		{":1", `resource 1 (":1"): the name is missing`},
		{"cpus(a:1", `resource 1 ("cpus(a:1"): the role's ')' is missing before ':'`},
		{"cpus(a b):1", `resource 1 ("cpus(a b):1"): Role component 'a b' is invalid because it contains backspace or whitespace`},
		{"cpus:x", `resource 1 ("cpus:x"): "x" is not a number`},
		{"cpus:NaN", `resource 1 ("cpus:NaN"): "NaN" is not a number`},
		{"cpus:0x10", `resource 1 ("cpus:0x10"): "0x10" is not a number`},
		{"cpus:1e300", `resource 1 ("cpus:1e300"): 1e+300: resource quantity overflows`},
		{"cpus:1e999", `resource 1 ("cpus:1e999"): 1e999: resource quantity overflows`},
		{"cpus:-1", `resource 1 ("cpus:-1"): Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0`},
		{"gpus:0.5", `resource 1 ("gpus:0.5"): Resource 'gpus:0.5' is invalid: The 'gpus' resource must be an unsigned integer`},
		{"ports:[1-2", `resource 1 ("ports:[1-2"): the value "[1-2" does not end with ']'`},
		{"ports:[1]", `resource 1 ("ports:[1]"): range "1": expected begin-end`},
		{"ports:[2-1]", `resource 1 ("ports:[2-1]"): range [2-1] ends before it begins`},
		{"ports:[1-3,3-4]", `resource 1 ("ports:[1-3,3-4]"): ranges [1-3] and [3-4] overlap`},
		{"ports:[1--3]", `resource 1 ("ports:[1--3]"): range "1--3": end: invalid syntax`},
		{"bugs:{a,a}", `resource 1 ("bugs:{a,a}"): "a" is in the set twice`},
		{"bugs:{a,}", `resource 1 ("bugs:{a,}"): "" is no name for an item of a set`},
		{"[\n {]", "resources in JSON: line 2, column 3: invalid character ']' looking for beginning of object key string"},
		{`[{"name":"cpus","type":"SCALAR"}]`, `resource 1 ("cpus"): type SCALAR without scalar.value`},
		{`[{"name":"cpus","type":"TEXT"}]`, `resource 1 ("cpus"): type "TEXT" is not SCALAR, RANGES or SET`},
		{
			`[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"a","reservations":[{"type":"STATIC","role":"a"}]}]`,
			`resource 1 ("cpus"): both reservations and the older role or reservation are set`,
		},
		{
			`[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"reservations":[{"type":"SOMEHOW","role":"a"}]}]`,
			`resource 1 ("cpus"): reservation type "SOMEHOW" is not STATIC or DYNAMIC`,
		},
	} {
		t.Run(tc.in, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(tc.in, DefaultRole)
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
	if _, err := Parse("cpus:1", "-x"); err == nil || !strings.HasPrefix(err.Error(), "default role: ") {
		t.Errorf("a bad default role: %v", err)
	}
}

func TestParseAttributes(t *testing.T) {
	t.Parallel()
	got, err := ParseAttributes("rack:r7;level:10;rng:[1-3]; zone : a b:c ;rack:r8;big:1e400;")
	if err != nil {
		t.Fatal(err)
	}
	want := []Attribute{
		{Name: "rack", Text: "r7"},
		{Name: "level", Kind: AttributeScalar, Scalar: 10000},
		{Name: "rng", Kind: AttributeRanges, Ranges: Ranges{{1, 3}}},
		{Name: "zone", Text: "a b:c"},
		{Name: "rack", Text: "r8"},
		{Name: "big", Text: "1e400"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i].String() != want[i].String() || got[i].Kind != want[i].Kind {
			t.Errorf("got %s, want %s", got[i], want[i])
		}
	}
	for in, want := range map[string]string{
		"rack":    `attribute 1 ("rack"): expected name:value`,
		"a:1;:b":  `attribute 2 (":b"): the name is missing`,
		"a:":      `attribute 1 ("a:"): the value is missing`,
		"a:{x}":   `attribute 1 ("a:{x}"): an attribute cannot be a set`,
		"a:[3-1]": `attribute 1 ("a:[3-1]"): range [3-1] ends before it begins`,
	} {
		if _, err := ParseAttributes(in); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", in, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"cpus:4;mem:1024;ports:[31000-32000];disk(ops):9.5;bugs:{a,b}", "gpus:0;cpus(a/b):1e3;", "cpus(:[]{}",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":2.5},"role":"a","reservation":{"principal":"p"}}]`,
		`[{"name":"disk","type":"SCALAR","scalar":{"value":1},"disk":{"source":{"type":"RAW","id":"x"}}}]`,
		"ports:[18446744073709551615-18446744073709551615]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text, DefaultRole)
		if err != nil {
			return
		}
		encoded, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again Resources
		if err := json.Unmarshal(encoded, &again); err != nil {
			t.Fatalf("%s became %s, which does not parse: %v", text, encoded, err)
		}
		if !again.Equal(r) {
			t.Fatalf("%s became %s", r, again)
		}
		double, err := r.Add(r)
		if err != nil && !errors.Is(err, ErrOverflow) {
			t.Fatal(err)
		}
		if err == nil && !double.Contains(r) {
			t.Fatalf("twice %s does not contain it", r)
		}
		if rest, err := r.Sub(r); err != nil || !rest.IsEmpty() {
			t.Fatalf("%s without itself: %s, %v", r, rest, err)
		}
	})
}

func FuzzParseAttributes(f *testing.F) {
	f.Add("rack:r7;level:10;rng:[1-3]")
	f.Add("a:{x};:")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseAttributes(text)
		if err != nil {
			return
		}
		for _, a := range all {
			if _, err := NewAttribute(a.Name, a.Value()); err != nil {
				t.Fatalf("%s does not parse again: %v", a, err)
			}
		}
	})
}
