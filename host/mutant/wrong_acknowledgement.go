//go:build mutant_wrong_acknowledgement

package mutant

const planted = "wrong_acknowledgement"
