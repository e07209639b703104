package main

import (
	"slices"
	"time"
)

// quantiles sums up a series of durations, in milliseconds.
type quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// quantilesOf sorts the series.
func quantilesOf(d []time.Duration) quantiles {
	slices.Sort(d)
	return quantiles{P50: at(d, 0.50), P99: at(d, 0.99)}
}

func at(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := int(q * float64(len(sorted)))
	return milliseconds(sorted[min(i, len(sorted)-1)])
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
