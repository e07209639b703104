//go:build mutant_late_checkpoint

package mutant

const planted = "late_checkpoint"
