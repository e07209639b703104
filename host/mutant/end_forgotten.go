//go:build mutant_end_forgotten

package mutant

const planted = "end_forgotten"
