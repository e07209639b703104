//go:build race

package sim_test

// seeds is how many the fixed seeds are: 1 and up. With the race detector they take ten times as long, and as a run
// has one goroutine only there is little to detect.
const (
	seeds    = 40
	complete = false
)
