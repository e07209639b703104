//go:build linux && cgroups2

package cgroup

const wantUnified = true

var wantLimits = map[string]string{
	"cpu.max": "50000 100000", "memory.max": "67108864", "memory.swap.max": "0", "pids.max": "32",
}
