//go:build mutant_allocator_not_told

package mutant

const planted = "allocator_not_told"
