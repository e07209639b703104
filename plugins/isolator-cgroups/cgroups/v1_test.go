//go:build linux && !cgroups2

package cgroups

import (
	"errors"
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

const wantedKind = "version 1"

func TestV1Files(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.EnableCFS, c.PidsLimit = true, 50 })
	c := r.prepare(r.spec("files", 1500, 64000))
	check := func(values map[string]string) {
		t.Helper()
		for name, wanted := range values {
			controller, _, _ := strings.Cut(name, ".")
			if got := c.file(controller, name); got != wanted {
				t.Errorf("%s is %s, want %s", name, got, wanted)
			}
		}
	}
	check(map[string]string{
		"cpu.shares": "1536", "cpu.cfs_quota_us": "150000", "cpu.cfs_period_us": "100000",
		"memory.soft_limit_in_bytes": "67108864", "memory.limit_in_bytes": "67108864", "pids.max": "51",
	})
	update := func(cpus, mem resource.Scalar, limits map[string]resource.Limit) {
		t.Helper()
		if err := r.i.Update(t.Context(), c.Container, given(t, cpus, mem, false), limits); err != nil {
			t.Fatal(err)
		}
	}
	// Downwards the hard limit of memory stays, and upwards it goes along.
	update(500, 40000, map[string]resource.Limit{"cpus": resource.Infinite()})
	check(map[string]string{
		"cpu.shares": "512", "cpu.cfs_quota_us": "-1",
		"memory.soft_limit_in_bytes": "41943040", "memory.limit_in_bytes": "67108864",
	})
	update(500, 128000, map[string]resource.Limit{"cpus": resource.Finite(2000)})
	check(map[string]string{
		"cpu.cfs_quota_us": "200000", "memory.soft_limit_in_bytes": "134217728", "memory.limit_in_bytes": "134217728",
	})
	update(500, 128000, map[string]resource.Limit{"mem": resource.Infinite()})
	check(map[string]string{"memory.soft_limit_in_bytes": "134217728", "memory.limit_in_bytes": "9223372036854771712"})
}

func TestV1Swap(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.LimitSwap = true })
	c := r.prepare(r.spec("swap", 100, 64000))
	if got := c.file("memory", "memory.memsw.limit_in_bytes"); got != "67108864" {
		t.Error(got)
	}
	if err := r.i.Update(t.Context(), c.Container, given(t, 100, 128000, false), nil); err != nil {
		t.Fatal(err)
	}
	if got := c.file("memory", "memory.memsw.limit_in_bytes"); got != "134217728" {
		t.Error(got)
	}
}

func TestV1Config(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config Config
		path   string
		says   string
	}{
		"relative":        {Config{Root: "mezzo", Hierarchy: "sys"}, "hierarchy", "not an absolute path"},
		"no such folder":  {Config{Root: "mezzo", Hierarchy: "/no/such"}, "hierarchy", "/no/such"},
		"not cgroups":     {Config{Root: "mezzo", Hierarchy: "/tmp"}, "hierarchy", "cpuacct, cpu, memory, pids"},
		"no controllers":  {Config{Root: "mezzo", Hierarchy: "/sys/fs/cgroup/unified"}, "hierarchy", "lacks the controllers cpu, memory, pids"},
		"swap":            {Config{Root: "mezzo", Hierarchy: "/sys/fs/cgroup/unified", LimitSwap: true}, "limit_swap", "version 2"},
		"no root":         {Config{Hierarchy: "/sys/fs/cgroup"}, "root", "not the name"},
		"root goes up":    {Config{Root: "../x", Hierarchy: "/sys/fs/cgroup"}, "root", "not the name"},
		"root is all":     {Config{Root: ".", Hierarchy: "/sys/fs/cgroup"}, "root", "not the name"},
		"root goes round": {Config{Root: "a/../b", Hierarchy: "/sys/fs/cgroup"}, "root", "not the name"},
	} {
		_, err := New(t.Context(), sdk.Host{}, c.config)
		var problem *sdk.ConfigProblem
		if !errors.As(err, &problem) || len(problem.Path) != 1 || problem.Path[0] != c.path || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
