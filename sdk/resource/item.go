package resource

import (
	"fmt"
	"math"
	"slices"
)

// item is a resource and how often the collection holds it: once, save for those taken whole.
type item struct {
	Resource
	copies int
}

// counted is how often the item's quantity counts: the copies of a shared volume are one and the same.
func (i *item) counted() int {
	if i.Shared {
		return 1
	}
	return i.copies
}

// amount is what the item adds to its name's sum. It fits: see checked.
func (i *item) amount() Scalar { return i.Quantity() * Scalar(i.counted()) }

// add merges o, of the same identity, into i.
func (i *item) add(o *item) error {
	if i.IsWhole() {
		if i.copies > math.MaxInt32-o.copies {
			return fmt.Errorf("copies of %s: %w", i.Resource, ErrOverflow)
		}
		i.copies += o.copies
		return nil
	}
	switch i.Kind {
	case KindRanges:
		i.Ranges = i.Ranges.union(o.Ranges)
		return i.Ranges.checkSize()
	case KindSet:
		i.Set = i.Set.union(o.Set)
		return nil
	default:
		sum, err := i.Scalar.Add(o.Scalar)
		i.Scalar = sum
		return err
	}
}

// contains tells whether o, of the same identity, can be taken out of i.
func (i *item) contains(o *item) bool {
	if i.IsWhole() {
		return i.copies >= o.copies
	}
	switch i.Kind {
	case KindRanges:
		return i.Ranges.Contains(o.Ranges)
	case KindSet:
		return i.Set.Contains(o.Set)
	default:
		return i.Scalar >= o.Scalar
	}
}

// sub takes o, which i contains, out of i and tells whether something is left.
func (i *item) sub(o *item) bool {
	if i.IsWhole() {
		i.copies -= o.copies
		return i.copies > 0
	}
	switch i.Kind {
	case KindRanges:
		i.Ranges = i.Ranges.minus(o.Ranges)
	case KindSet:
		i.Set = i.Set.minus(o.Set)
	default:
		i.Scalar -= o.Scalar
	}
	return !i.IsEmpty()
}

// minus takes as much of o out of i as there is and tells whether something is left.
func (i *item) minus(o *item) bool {
	if i.IsWhole() {
		i.copies -= o.copies
		return i.copies > 0
	}
	if i.Kind == KindScalar {
		i.Scalar -= o.Scalar
		return i.Scalar > 0
	}
	return i.sub(o) // leaves what ranges and sets do not share
}

func (i *item) equalValue(o *item) bool {
	return i.copies == o.copies && i.Scalar == o.Scalar && slices.Equal(i.Ranges, o.Ranges) && slices.Equal(i.Set, o.Set)
}
