//go:build mutant_resources_kept

package mutant

const planted = "resources_kept"
