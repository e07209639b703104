//go:build linux

package cgroups

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// given makes resources of cpus and MB of memory, in thousandths.
func given(t testing.TB, cpus, mem resource.Scalar, revocable bool) resource.Resources {
	t.Helper()
	var list []resource.Resource
	if cpus > 0 {
		list = append(list, resource.Resource{Name: "cpus", Kind: resource.KindScalar, Scalar: cpus, Revocable: revocable})
	}
	if mem > 0 {
		list = append(list, resource.Resource{Name: "mem", Kind: resource.KindScalar, Scalar: mem})
	}
	r, err := resource.New(list...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSettings(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	finite := func(v resource.Scalar) resource.Limit { return resource.Finite(v) }
	for name, c := range map[string]struct {
		config    Config
		cpus, mem resource.Scalar
		revocable bool
		limits    map[string]resource.Limit
		want      settings
	}{
		"plain":         {Config{}, 500, 64000, false, nil, settings{512, 50, unlimited, 64 << 20, 64 << 20, 0}},
		"least":         {Config{}, 1, 1000, false, nil, settings{2, 1, unlimited, 32 << 20, 32 << 20, 0}},
		"nothing":       {Config{}, 0, 0, false, nil, settings{2, 1, unlimited, 32 << 20, 32 << 20, 0}},
		"cfs":           {Config{EnableCFS: true}, 1500, 64000, false, nil, settings{1536, 150, 150_000, 64 << 20, 64 << 20, 0}},
		"cfs, least":    {Config{EnableCFS: true}, 1, 64000, false, nil, settings{2, 1, 1000, 64 << 20, 64 << 20, 0}},
		"limit of cpus": {Config{}, 500, 64000, false, map[string]resource.Limit{"cpus": finite(2000)}, settings{512, 50, 200_000, 64 << 20, 64 << 20, 0}},
		"infinite": {
			Config{EnableCFS: true}, 500, 64000, false,
			map[string]resource.Limit{"cpus": resource.Infinite(), "mem": resource.Infinite()},
			settings{512, 50, unlimited, 64 << 20, unlimited, 0},
		},
		"limit of mem":          {Config{}, 500, 64000, false, map[string]resource.Limit{"mem": finite(128000)}, settings{512, 50, unlimited, 64 << 20, 128 << 20, 0}},
		"limit of mem, too low": {Config{}, 500, 64000, false, map[string]resource.Limit{"mem": finite(1000)}, settings{512, 50, unlimited, 64 << 20, 64 << 20, 0}},
		"pids":                  {Config{PidsLimit: 100}, 1000, 64000, false, nil, settings{1024, 100, unlimited, 64 << 20, 64 << 20, 100}},
		"revocable":             {Config{RevocableCPULowPriority: true}, 4000, 64000, true, nil, settings{40, 4, unlimited, 64 << 20, 64 << 20, 0}},
		"revocable, as others":  {Config{}, 4000, 64000, true, nil, settings{4096, 400, unlimited, 64 << 20, 64 << 20, 0}},
		"huge": {
			Config{EnableCFS: true}, math.MaxInt64, math.MaxInt64, false, nil,
			settings{maxShares, maxWeight, unlimited, math.MaxInt64, math.MaxInt64, 0},
		},
		"a fraction of a MB": {Config{}, 1000, 1024*1000 + 500, false, nil, settings{1024, 100, unlimited, gib + 512<<10, gib + 512<<10, 0}},
	} {
		if got := c.config.settingsOf(given(t, c.cpus, c.mem, c.revocable), c.limits); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestOOMScore(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for _, c := range []struct {
		s    settings
		want int
	}{
		{settings{request: gib, memory: gib}, 0},
		{settings{request: gib, memory: 2 * gib}, 750},
		{settings{request: gib, memory: unlimited}, 750},
		{settings{request: 8 * gib, memory: unlimited}, 0},
	} {
		if got := c.s.oomScoreAdj(4 * gib); got != c.want {
			t.Errorf("%+v: got %d, want %d", c.s, got, c.want)
		}
	}
}

// TestScale checks that scale is exact where the exact result fits, and never wraps.
func TestScale(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		per := rapid.SampledFrom([]int64{1, 10, 100, 1024, periodMicros, 1 << 20}).Draw(t, "per")
		got := scale(resource.Scalar(n), per)
		exact := float64(n) / 1000 * float64(per)
		switch {
		case n <= 0 && got != 0:
			t.Fatalf("scale(%d, %d) = %d", n, per, got)
		case n > 0 && exact < 1<<62 && math.Abs(float64(got)-exact) > max(1, exact*1e-9, float64(per)):
			t.Fatalf("scale(%d, %d) = %d, want %v", n, per, got, exact)
		case got < 0:
			t.Fatalf("scale(%d, %d) = %d", n, per, got)
		}
	})
}
