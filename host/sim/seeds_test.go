//go:build !race

package sim_test

// seeds is how many the fixed seeds are: 1 and up. complete says that they are enough for everything to happen.
const (
	seeds    = 800
	complete = true
)
