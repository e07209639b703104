//go:build mutant_no_retry

package mutant

const planted = "no_retry"
