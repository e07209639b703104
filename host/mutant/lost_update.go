//go:build mutant_lost_update

package mutant

const planted = "lost_update"
