//go:build linux

package cgroups

import (
	"math"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Mesos's figures. A cpu is worth 1024 shares of version 1, or a weight of 100 of version 2.
const (
	sharesPerCPU          = 1024
	sharesPerRevocableCPU = 10
	minShares             = 2
	maxShares             = 262144
	weightPerCPU          = 100
	weightPerRevocableCPU = 1
	minWeight             = 1
	maxWeight             = 10000
	periodMicros          = 100_000
	minQuotaMicros        = 1_000
	maxQuotaMicros        = 1 << 43 // the kernel refuses more than twice that
	minMemory             = 32 << 20
)

// unlimited is a limit that nothing reaches.
const unlimited = int64(-1)

// settings is what a container's cgroups are set to.
type settings struct {
	shares  int64 // version 1
	weight  int64 // version 2
	quota   int64 // microseconds in each period of periodMicros, or unlimited
	request int64 // memory that is the container's own, bytes
	memory  int64 // memory that it may use, bytes, or unlimited
	pids    int64 // 0 leaves them unlimited
}

// settingsOf computes the settings for resources and limits.
func (c Config) settingsOf(r resource.Resources, limits map[string]resource.Limit) settings {
	cpus := r.Amount("cpus")
	sharesPer, weightPer := int64(sharesPerCPU), int64(weightPerCPU)
	if c.RevocableCPULowPriority && r.Revocable().Amount("cpus") > 0 {
		sharesPer, weightPer = sharesPerRevocableCPU, weightPerRevocableCPU
	}
	s := settings{
		shares:  min(max(scale(cpus, sharesPer), minShares), maxShares),
		weight:  min(max(scale(cpus, weightPer), minWeight), maxWeight),
		quota:   unlimited,
		request: max(scale(r.Amount("mem"), 1<<20), minMemory),
		pids:    int64(c.PidsLimit),
	}
	limit, ok := limits["cpus"]
	if !ok && c.EnableCFS {
		limit, ok = resource.Finite(cpus), true
	}
	if value, finite := limit.Value(); ok && finite {
		if s.quota = max(scale(value, periodMicros), minQuotaMicros); s.quota > maxQuotaMicros {
			s.quota = unlimited
		}
	}
	s.memory = s.request
	if limit, ok := limits["mem"]; ok {
		s.memory = unlimited
		if value, finite := limit.Value(); finite {
			s.memory = max(scale(value, 1<<20), s.request)
		}
	}
	return s
}

// scale is a quantity in units of 1/per, as large as an int64 can be where it does not fit.
func scale(s resource.Scalar, per int64) int64 {
	const unit = 1000 // a Scalar counts thousandths
	n := int64(s)
	if n <= 0 {
		return 0
	}
	if n > math.MaxInt64/per {
		if n/unit > math.MaxInt64/per {
			return math.MaxInt64
		}
		return n / unit * per
	}
	return n * per / unit
}

// oomScoreAdj is what makes the kernel prefer a container that uses more than its own memory, when the whole
// machine runs out: nothing for one that cannot.
func (s settings) oomScoreAdj(machine int64) int {
	const most = 1000
	if s.memory == s.request || machine <= 0 {
		return 0
	}
	return most - int(min(float64(s.request)/float64(machine), 1)*most)
}
