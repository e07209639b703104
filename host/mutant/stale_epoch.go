//go:build mutant_stale_epoch

package mutant

const planted = "stale_epoch"
