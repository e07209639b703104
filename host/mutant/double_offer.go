//go:build mutant_double_offer

package mutant

const planted = "double_offer"
