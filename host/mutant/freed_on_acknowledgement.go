//go:build mutant_freed_on_acknowledgement

package mutant

const planted = "freed_on_acknowledgement"
