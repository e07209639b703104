//go:build mutant_launch_lost

package mutant

const planted = "launch_lost"
