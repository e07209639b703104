//go:build mutant_end_contradicted

package mutant

const planted = "end_contradicted"
