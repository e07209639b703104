//go:build mutant_not_resumed

package mutant

const planted = "not_resumed"
