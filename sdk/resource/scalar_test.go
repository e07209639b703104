package resource

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestParseScalar(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   float64
		want Scalar
		err  error
	}{
		{0, 0, nil},
		{1, 1000, nil},
		{0.1, 100, nil},
		{1.5123, 1512, nil},
		{1.5125, 1513, nil}, // half away from zero
		{-1.5125, -1513, nil},
		{0.0004, 0, nil},
		{9.2e15, 9_200_000_000_000_000_000, nil},
		{math.Copysign(0, -1), 0, nil},
		{9.3e15, 0, ErrOverflow},
		{-9.3e15, 0, ErrOverflow},
		{math.NaN(), 0, ErrNotANumber},
		{math.Inf(1), 0, ErrNotANumber},
		{math.Inf(-1), 0, ErrNotANumber},
		{math.SmallestNonzeroFloat64, 0, ErrNotANumber},
		{0x1p-1022, 0, nil},
		{math.MaxFloat64, 0, ErrOverflow},
	} {
		got, err := ParseScalar(tc.in)
		if got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("ParseScalar(%v) = %d, %v; want %d, %v", tc.in, got, err, tc.want, tc.err)
		}
	}
}

func TestScalarString(t *testing.T) {
	t.Parallel()
	for in, want := range map[Scalar]string{
		0: "0", 1: "0.001", 10: "0.01", 100: "0.1", 63900: "63.9", 65536000: "65536", -1500: "-1.5",
		math.MinInt64: "-9223372036854775.808", math.MaxInt64: "9223372036854775.807",
	} {
		if got := in.String(); got != want {
			t.Errorf("%d: got %s, want %s", int64(in), got, want)
		}
	}
}

func TestScalarsGoThroughFloatAndTextUnchanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := Scalar(rapid.Int64Range(-1<<52, 1<<52).Draw(t, "s"))
		if back, err := ParseScalar(s.Float()); err != nil || back != s {
			t.Fatalf("%d became %d through a float, %v", s, back, err)
		}
		if back, err := parseScalarText(s.String()); err != nil || back != s {
			t.Fatalf("%d became %d through text, %v", s, back, err)
		}
	})
}

func TestScalarOverflow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := Scalar(rapid.Int64().Draw(t, "a")), Scalar(rapid.Int64().Draw(t, "b"))
		if sum, err := a.Add(b); err == nil {
			if back, err := sum.Sub(b); err != nil || back != a {
				t.Fatalf("%d+%d-%d = %d, %v", a, b, b, back, err)
			}
		} else if big.NewInt(0).Add(big.NewInt(int64(a)), big.NewInt(int64(b))).IsInt64() {
			t.Fatalf("%d+%d: %v", a, b, err)
		}
	})
	if _, err := Scalar(math.MaxInt64).Add(1); !errors.Is(err, ErrOverflow) {
		t.Errorf("over the top: %v", err)
	}
	if _, err := Scalar(math.MinInt64).Sub(1); !errors.Is(err, ErrOverflow) {
		t.Errorf("under the bottom: %v", err)
	}
	if _, err := Scalar(0).Sub(math.MinInt64); !errors.Is(err, ErrOverflow) {
		t.Errorf("the lowest number negated: %v", err)
	}
	if _, err := Whole(math.MaxUint64); !errors.Is(err, ErrOverflow) {
		t.Errorf("too many whole ones: %v", err)
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	infinite, err := ParseLimit(math.Inf(1))
	if err != nil || !infinite.IsInfinite() || !infinite.Covers(math.MaxInt64) || infinite.String() != "Infinity" {
		t.Errorf("infinite: %s, %v", infinite, err)
	}
	two, err := ParseLimit(2)
	if err != nil || two.IsInfinite() || !two.Covers(2000) || two.Covers(2001) || two.Float() != 2 {
		t.Errorf("two: %s, %v", two, err)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(-1), 1e300} {
		if l, err := ParseLimit(bad); err == nil {
			t.Errorf("%v became %s", bad, l)
		}
	}
}

func TestQuantities(t *testing.T) {
	t.Parallel()
	parse := func(text string) Quantities {
		q, err := ParseQuantities(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return q
	}
	a, b := parse("mem:32; cpus:0.01;x:0"), parse("mem:64;disk:1")
	if a.String() != "cpus:0.01; mem:32" {
		t.Errorf("a = %s", a)
	}
	sum, err := a.Add(b)
	if err != nil || sum.String() != "cpus:0.01; mem:96; disk:1" {
		t.Errorf("a+b = %s, %v", sum, err)
	}
	if back, err := sum.Sub(b); err != nil || !back.Equal(a) {
		t.Errorf("a+b-b = %s, %v", back, err)
	}
	if _, err := a.Sub(b); !errors.Is(err, ErrNotContained) {
		t.Errorf("a-b: %v", err)
	}
	if got := b.Minus(a).String(); got != "mem:32; disk:1" {
		t.Errorf("b minus a = %s", got)
	}
	if !sum.Contains(a) || a.Contains(sum) || !a.Contains(Quantities{}) {
		t.Error("Contains is wrong")
	}
	for _, bad := range []string{"cpus", "cpus:x", ":1", "cpus:-1", "cpus:1e300", "a:9e15;a:9e15"} {
		if q, err := ParseQuantities(bad); err == nil {
			t.Errorf("%s became %s", bad, q)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	l, err := NewLimits(NamedLimit{"mem", Infinite()}, NamedLimit{"cpus", Finite(2000)})
	if err != nil {
		t.Fatal(err)
	}
	q := func(text string) Quantities {
		q, err := ParseQuantities(text)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	if !l.Contains(q("cpus:2;mem:9e9;disk:1")) || l.Contains(q("cpus:2.001")) {
		t.Error("Contains is wrong")
	}
	if l.Room("cpus", 500) != 1500 || l.Room("cpus", 9000) != 0 || l.Room("disk", 1) != math.MaxInt64 {
		t.Error("Room is wrong")
	}
	if _, err := NewLimits(NamedLimit{"a", Infinite()}, NamedLimit{"a", Infinite()}); err == nil {
		t.Error("a limit given twice passes")
	}
	if _, err := NewLimits(NamedLimit{"a", Finite(-1)}); err == nil {
		t.Error("a negative limit passes")
	}
}
