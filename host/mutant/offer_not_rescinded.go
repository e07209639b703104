//go:build mutant_offer_not_rescinded

package mutant

const planted = "offer_not_rescinded"
