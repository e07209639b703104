//go:build mutant_recovered_forgotten

package mutant

const planted = "recovered_forgotten"
