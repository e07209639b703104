//go:build mutant_write_error_ignored

package mutant

const planted = "write_error_ignored"
