//go:build mutant_unreachable_before_commit

package mutant

const planted = "unreachable_before_commit"
