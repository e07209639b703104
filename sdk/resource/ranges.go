package resource

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Range is the integers from Begin to End, both included.
type Range struct{ Begin, End uint64 }

// Ranges is a set of integers as ranges: sorted, apart from each other, and none touching the next.
// Make one with NewRanges; a Ranges is not changed once made.
type Ranges []Range

// NewRanges sorts and merges ranges. A range that ends before it begins, ranges that overlap, and more
// integers than a Scalar can count are errors.
func NewRanges(in ...Range) (Ranges, error) {
	sorted := slices.Clone(in)
	slices.SortFunc(sorted, func(a, b Range) int { return cmp.Compare(a.Begin, b.Begin) })
	for i, r := range sorted {
		if r.Begin > r.End {
			return nil, fmt.Errorf("range [%d-%d] ends before it begins", r.Begin, r.End)
		}
		if i > 0 && sorted[i-1].End >= r.Begin {
			return nil, fmt.Errorf("ranges [%d-%d] and [%d-%d] overlap", sorted[i-1].Begin, sorted[i-1].End, r.Begin, r.End)
		}
	}
	merged := Ranges(coalesce(sorted))
	return merged, merged.checkSize()
}

// checkSize bounds the number of integers to what a Scalar can count, so that Cardinality cannot fail.
func (r Ranges) checkSize() error {
	var n uint64
	for _, x := range r {
		width := x.End - x.Begin
		if width >= math.MaxInt64/scalarUnit || n+width+1 > math.MaxInt64/scalarUnit {
			return fmt.Errorf("ranges %s: %w", r, ErrOverflow)
		}
		n += width + 1
	}
	return nil
}

// coalesce merges ranges, sorted by Begin, that overlap or touch. It reuses the slice.
func coalesce(sorted []Range) []Range {
	if len(sorted) < 2 {
		return sorted
	}
	out := sorted[:1]
	for _, r := range sorted[1:] {
		last := &out[len(out)-1]
		if last.End == math.MaxUint64 || r.Begin <= last.End+1 {
			last.End = max(last.End, r.End)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Cardinality is how many integers the ranges hold.
func (r Ranges) Cardinality() uint64 {
	var n uint64
	for _, x := range r {
		n += x.End - x.Begin + 1
	}
	return n
}

// Contains tells whether every integer of o is in r. It does not allocate.
func (r Ranges) Contains(o Ranges) bool {
	i := 0
	for _, x := range o {
		for i < len(r) && r[i].End < x.Begin {
			i++
		}
		if i == len(r) || x.Begin < r[i].Begin || x.End > r[i].End {
			return false
		}
	}
	return true
}

// Overlaps tells whether some integer is in both.
func (r Ranges) Overlaps(o Ranges) bool {
	for i, j := 0, 0; i < len(r) && j < len(o); {
		switch {
		case r[i].End < o[j].Begin:
			i++
		case o[j].End < r[i].Begin:
			j++
		default:
			return true
		}
	}
	return false
}

// union is every integer in either.
func (r Ranges) union(o Ranges) Ranges {
	all := make([]Range, 0, len(r)+len(o))
	all = append(append(all, r...), o...)
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.Begin, b.Begin) })
	return coalesce(all)
}

// minus is every integer of r that is not in o.
func (r Ranges) minus(o Ranges) Ranges {
	var out Ranges
	j := 0
	for _, x := range r {
		begin, rest := x.Begin, true
		for j < len(o) && o[j].End < begin {
			j++
		}
		for k := j; k < len(o) && o[k].Begin <= x.End; k++ {
			if o[k].Begin > begin {
				out = append(out, Range{begin, o[k].Begin - 1})
			}
			if o[k].End >= x.End {
				rest = false
				break
			}
			begin = o[k].End + 1
		}
		if rest {
			out = append(out, Range{begin, x.End})
		}
	}
	return out
}

// String writes the ranges as [1-5,8-8].
func (r Ranges) String() string { return string(r.appendTo(nil)) }

func (r Ranges) appendTo(b []byte) []byte {
	b = append(b, '[')
	for i, x := range r {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, x.Begin, 10)
		b = append(b, '-')
		b = strconv.AppendUint(b, x.End, 10)
	}
	return append(b, ']')
}
