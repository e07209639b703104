//go:build mutant_kill_unanswered

package mutant

const planted = "kill_unanswered"
