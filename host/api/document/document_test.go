package document

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDocument(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	d := NewWriter(&out)
	d.Begin("")
	d.Str("id", `a"b`)
	d.Num("cpus", 64)
	d.Num("share", 0.1)
	d.Int("port", 5051)
	d.Bool("active", true)
	d.Begin("empty")
	d.End()
	d.BeginList("none")
	d.EndList()
	d.Strs("roles", []string{"a", "é"})
	d.End()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	want := `{"id":"a\"b","cpus":64.0,"share":0.1,"port":5051,"active":true,"empty":{},"none":[],"roles":["a","é"]}`
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
}

func TestLargeDocumentGoesOutInPieces(t *testing.T) {
	t.Parallel()
	var out pieces
	d := NewWriter(&out)
	d.BeginList("")
	for range 20_000 {
		d.Str("", "0123456789")
		d.Begin("")
		d.End()
	}
	d.EndList()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	var back []any
	if err := json.Unmarshal([]byte(strings.Join(out, "")), &back); err != nil || len(back) != 40_000 {
		t.Fatalf("%d elements, %v", len(back), err)
	}
	for _, p := range out {
		if len(p) > 2*flushAt {
			t.Fatalf("a piece of %d bytes", len(p))
		}
	}
}

func TestWriteErrorIsReported(t *testing.T) {
	t.Parallel()
	d := NewWriter(broken{})
	d.Begin("")
	d.End()
	if err := d.Close(); !errors.Is(err, errBroken) {
		t.Fatalf("got %v", err)
	}
}

func TestNumbersAndStringsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		text := string(AppendDouble(nil, f))
		var back float64
		if err := json.Unmarshal([]byte(text), &back); err != nil || back != f {
			t.Fatalf("%v became %s, read as %v (%v)", f, text, back, err)
		}
		if !strings.Contains(text, ".") {
			t.Fatalf("%s has no fraction", text)
		}
		s := rapid.String().Draw(t, "s")
		var again string
		if err := json.Unmarshal(AppendString(nil, s), &again); err != nil || again != s {
			t.Fatalf("%q read as %q (%v)", s, again, err)
		}
	})
	if got := string(AppendDouble(nil, math.Inf(1))); got != `"Infinity"` {
		t.Errorf("infinity is %s", got)
	}
}

type pieces []string

func (p *pieces) Write(b []byte) (int, error) {
	*p = append(*p, string(b))
	return len(b), nil
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
