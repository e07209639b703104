//go:build mutant_registered_before_commit

package mutant

const planted = "registered_before_commit"
