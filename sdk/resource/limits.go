package resource

import (
	"fmt"
	"iter"
	"math"
	"slices"
)

// NamedLimit is the limit on what has a name.
type NamedLimit struct {
	Name  string
	Limit Limit
}

// Limits is upper bounds by name. A name without one is not bounded. The zero value bounds nothing.
type Limits struct{ l []NamedLimit }

// NewLimits makes limits; a name given twice or a negative limit is an error.
func NewLimits(in ...NamedLimit) (Limits, error) {
	l := slices.Clone(in)
	slices.SortStableFunc(l, func(a, b NamedLimit) int { return compareName(a.Name, b.Name) })
	for i, x := range l {
		if i > 0 && l[i-1].Name == x.Name {
			return Limits{}, fmt.Errorf("limit of %s is given twice", x.Name)
		}
		if v, finite := x.Limit.Value(); finite && v < 0 {
			return Limits{}, fmt.Errorf("limit of %s is negative: %s", x.Name, v)
		}
	}
	return Limits{l: slices.DeleteFunc(l, func(x NamedLimit) bool { return x.Limit.IsInfinite() })}, nil
}

// Get is the limit on a name, infinite when there is none.
func (l Limits) Get(name string) Limit {
	for _, x := range l.l {
		if x.Name == name {
			return x.Limit
		}
	}
	return Infinite()
}

// IsEmpty tells whether nothing is bounded.
func (l Limits) IsEmpty() bool { return len(l.l) == 0 }

// All yields the finite limits in order of their names.
func (l Limits) All() iter.Seq2[string, Limit] {
	return func(yield func(string, Limit) bool) {
		for _, x := range l.l {
			if !yield(x.Name, x.Limit) {
				return
			}
		}
	}
}

// Contains tells whether no amount is beyond its limit.
func (l Limits) Contains(q Quantities) bool {
	for _, x := range q.q {
		if !l.Get(x.Name).Covers(x.Amount) {
			return false
		}
	}
	return true
}

// Room is how much of a name fits under the limit when used is taken: nothing when it is reached, all
// that a Scalar can hold when there is none.
func (l Limits) Room(name string, used Scalar) Scalar {
	v, finite := l.Get(name).Value()
	if !finite {
		return math.MaxInt64
	}
	return max(v-used, 0)
}
