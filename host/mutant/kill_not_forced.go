//go:build mutant_kill_not_forced

package mutant

const planted = "kill_not_forced"
