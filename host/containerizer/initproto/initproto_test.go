package initproto

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawPlan is any plan.
func drawPlan(t *rapid.T) *Plan {
	texts := rapid.SliceOfN(rapid.StringN(0, 20, 40), 0, 5)
	list := func(label string) []string {
		if l := texts.Draw(t, label); len(l) > 0 {
			return l
		}
		return nil
	}
	text := func(label string) string { return rapid.StringN(0, 20, 40).Draw(t, label) }
	number := func(label string) uint64 { return rapid.Uint64().Draw(t, label) }
	p := &Plan{
		Path: text("path"), Args: list("args"), Env: list("env"), Dir: text("dir"),
		SwitchUser: rapid.Bool().Draw(t, "switch"), UID: rapid.Uint32().Draw(t, "uid"), GID: rapid.Uint32().Draw(t, "gid"),
		Namespaces: rapid.Bool().Draw(t, "namespaces"), Hostname: text("hostname"),
		NoNewPrivs: rapid.Bool().Draw(t, "nnp"), JoinFiles: list("join"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "n") {
		p.Groups = append(p.Groups, rapid.Uint32().Draw(t, "group"))
		p.Mounts = append(p.Mounts, Mount{text("source"), text("target"), text("type"), text("data"), number("flags")})
		p.Rlimits = append(p.Rlimits, Rlimit{rapid.Uint32().Draw(t, "limit"), number("soft"), number("hard")})
		p.JoinNamespaces = append(p.JoinNamespaces, Namespace{text("ns"), number("flag")})
		p.Prestart = append(p.Prestart, Command{text("program"), list("arguments"), list("environment")})
	}
	if rapid.Bool().Draw(t, "capabilities") {
		p.Capabilities = &Capabilities{number("b"), number("e"), number("i"), number("p"), number("a")}
	}
	return p
}

func TestPlanRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		b := AppendPlan([]byte("before"), p)[len("before"):]
		n, err := ParseHeader(b[:HeaderLen])
		if err != nil || n != len(b)-HeaderLen {
			t.Fatalf("header: %d, %v; there are %d bytes", n, err, len(b)-HeaderLen)
		}
		got, err := ParsePlan(b[HeaderLen:])
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Fatalf("got %+v, %v; want %+v", got, err, p)
		}
		if _, err := ParsePlan(b[HeaderLen : len(b)-1]); err == nil {
			t.Fatal("a plan that is cut off is taken")
		}
		if _, err := ParsePlan(append(b[HeaderLen:], 0)); err == nil {
			t.Fatal("a plan with something after it is taken")
		}
	})
}

// TestEveryFieldIsEncoded changes each field of a plan in turn, and looks whether the bytes change.
func TestEveryFieldIsEncoded(t *testing.T) {
	t.Parallel()
	empty := AppendPlan(nil, &Plan{})
	for i := range reflect.TypeFor[Plan]().NumField() {
		p := &Plan{}
		field := reflect.ValueOf(p).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Uint32:
			field.SetUint(7)
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		case reflect.Pointer:
			field.Set(reflect.New(field.Type().Elem()))
		default:
			t.Fatalf("a field of kind %v", field.Kind())
		}
		if bytes.Equal(AppendPlan(nil, p), empty) {
			t.Errorf("%s is not encoded", reflect.TypeFor[Plan]().Field(i).Name)
		}
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	good := AppendPlan(nil, &Plan{})[:HeaderLen]
	for name, change := range map[string]func([]byte){
		"magic":  func(b []byte) { b[0] = 'X' },
		"length": func(b []byte) { b[8] = 0xff },
	} {
		b := bytes.Clone(good)
		change(b)
		if _, err := ParseHeader(b); err == nil {
			t.Errorf("another %s is taken", name)
		}
	}
	b := bytes.Clone(good)
	b[4], b[5] = 0x30, 0x39
	if _, err := ParseHeader(b); err == nil || !strings.Contains(err.Error(), "version 12345") || !strings.Contains(err.Error(), "version 1") {
		t.Errorf("another version: %v", err)
	}
	if _, err := ParseHeader(nil); err == nil {
		t.Error("no header is taken")
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	released := AppendRecord(nil, Released, 0)
	spawned := AppendRecord(nil, Spawned, 4711)
	exited := AppendRecord(nil, Exited, 5<<8)
	damaged := bytes.Clone(exited)
	damaged[9] ^= 1
	for name, c := range map[string]struct {
		file []byte
		want Status
	}{
		"empty":              {nil, Status{}},
		"released":           {released, Status{Released: true}},
		"all":                {bytes.Join([][]byte{released, spawned, exited}, nil), Status{Released: true, Pid: 4711, Exited: true, WaitStatus: 5 << 8}},
		"not started":        {bytes.Join([][]byte{released, exited}, nil), Status{Released: true, Exited: true, WaitStatus: 5 << 8}},
		"cut off":            {append(bytes.Clone(released), exited[:15]...), Status{Released: true}},
		"damaged":            {append(bytes.Clone(released), damaged...), Status{Released: true}},
		"not ours":           {[]byte("something that is long enough"), Status{}},
		"of another version": {func() []byte { b := bytes.Clone(exited); b[2] = 99; return b }(), Status{}},
	} {
		if got := ParseStatus(c.file); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
	if n := len(released); n != RecordLen {
		t.Errorf("a record has %d bytes", n)
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add(AppendPlan(nil, &Plan{Path: "/bin/true", Args: []string{"true"}, Groups: []uint32{1}})[HeaderLen:])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePlan(b)
		if err != nil {
			return
		}
		again, err := ParsePlan(AppendPlan(nil, p)[HeaderLen:])
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
	})
}
