package resource

import "math"

// Limit is an upper bound that is either a quantity or infinite. The zero value is a finite limit of 0.
type Limit struct {
	value    Scalar
	infinite bool
}

// Infinite is the limit that nothing reaches.
func Infinite() Limit { return Limit{infinite: true} }

// Finite is a limit of s.
func Finite(s Scalar) Limit { return Limit{value: s} }

// ParseLimit reads a limit from the number the wire has: positive infinity is the infinite limit, and
// everything else is as in ParseScalar.
func ParseLimit(v float64) (Limit, error) {
	if math.IsInf(v, 1) {
		return Infinite(), nil
	}
	s, err := ParseScalar(v)
	if err != nil {
		return Limit{}, err
	}
	return Finite(s), nil
}

// IsInfinite tells whether nothing reaches the limit.
func (l Limit) IsInfinite() bool { return l.infinite }

// Value is the limit's quantity, and false when it is infinite.
func (l Limit) Value() (Scalar, bool) { return l.value, !l.infinite }

// Float is the limit as the wire has it, positive infinity when it is infinite.
func (l Limit) Float() float64 {
	if l.infinite {
		return math.Inf(1)
	}
	return l.value.Float()
}

// Covers tells whether s is within the limit.
func (l Limit) Covers(s Scalar) bool { return l.infinite || s <= l.value }

// String writes the quantity, or "Infinity".
func (l Limit) String() string {
	if l.infinite {
		return "Infinity"
	}
	return l.value.String()
}
