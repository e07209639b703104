//go:build linux && cgroups2

package cgroups

import (
	"errors"
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

const wantedKind = "version 2"

func TestV2Files(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.EnableCFS, c.PidsLimit = true, 50 })
	c := r.prepare(r.spec("files", 1500, 64000))
	check := func(values map[string]string) {
		t.Helper()
		for name, wanted := range values {
			if got := c.file("", name); got != wanted {
				t.Errorf("%s is %s, want %s", name, got, wanted)
			}
		}
	}
	check(map[string]string{
		"cpu.weight": "150", "cpu.max": "150000 100000", "memory.low": "67108864", "memory.max": "67108864", "pids.max": "58",
	})
	update := func(cpus, mem resource.Scalar, limits map[string]resource.Limit) {
		t.Helper()
		if err := r.i.Update(t.Context(), c.Container, given(t, cpus, mem, false), limits); err != nil {
			t.Fatal(err)
		}
	}
	// Downwards the hard limit of memory stays, and upwards it goes along.
	update(500, 40000, map[string]resource.Limit{"cpus": resource.Infinite()})
	check(map[string]string{"cpu.weight": "50", "cpu.max": "max 100000", "memory.low": "41943040", "memory.max": "67108864"})
	update(500, 128000, map[string]resource.Limit{"cpus": resource.Finite(2000)})
	check(map[string]string{"cpu.max": "200000 100000", "memory.low": "134217728", "memory.max": "134217728"})
	update(500, 128000, map[string]resource.Limit{"mem": resource.Infinite()})
	check(map[string]string{"memory.low": "134217728", "memory.max": "max"})
}

func TestV2Config(t *testing.T) {
	t.Parallel()
	_, err := New(t.Context(), sdk.Host{}, Config{Root: "mezzo", Hierarchy: "/sys/fs/cgroup", LimitSwap: true})
	var problem *sdk.ConfigProblem
	if !errors.As(err, &problem) || problem.Path[0] != "limit_swap" || !strings.Contains(err.Error(), "version 2") {
		t.Error(err)
	}
}
