//go:build linux && !cgroups2

package cgroup

// The tests are about cgroups of version 1, as long as the tag does not say other.
const wantUnified = false

var wantLimits = map[string]string{
	"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000", "memory.limit_in_bytes": "67108864",
	"memory.memsw.limit_in_bytes": "67108864", "pids.max": "32",
}
