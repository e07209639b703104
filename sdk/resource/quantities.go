package resource

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Quantity is an amount of what has a name.
type Quantity struct {
	Name   string
	Amount Scalar
}

// Quantities is amounts by name, whatever role or disk they belong to. It is immutable, keeps the order
// of Resources, and holds no zero. The zero value is empty.
type Quantities struct{ q []Quantity }

// NewQuantities sums amounts by name. A negative amount is an error, a sum that does not fit ErrOverflow.
func NewQuantities(in ...Quantity) (Quantities, error) {
	q := slices.Clone(in)
	slices.SortStableFunc(q, func(a, b Quantity) int { return compareName(a.Name, b.Name) })
	out := q[:0]
	for _, x := range q {
		if x.Amount < 0 {
			return Quantities{}, fmt.Errorf("quantity of %s is negative: %s", x.Name, x.Amount)
		}
		if n := len(out); n > 0 && out[n-1].Name == x.Name {
			sum, err := out[n-1].Amount.Add(x.Amount)
			if err != nil {
				return Quantities{}, fmt.Errorf("sum of %s: %w", x.Name, err)
			}
			out[n-1].Amount = sum
			continue
		}
		out = append(out, x)
	}
	return Quantities{q: slices.DeleteFunc(out, func(x Quantity) bool { return x.Amount == 0 })}, nil
}

// ParseQuantities reads name:amount;name:amount.
func ParseQuantities(text string) (Quantities, error) {
	var q []Quantity
	for part := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, found := strings.Cut(part, ":")
		name = strings.TrimSpace(name)
		if !found || name == "" {
			return Quantities{}, fmt.Errorf("%q: expected name:amount", part)
		}
		amount, err := parseScalarText(strings.TrimSpace(value))
		if err != nil {
			return Quantities{}, fmt.Errorf("amount of %s: %w", name, err)
		}
		q = append(q, Quantity{Name: name, Amount: amount})
	}
	return NewQuantities(q...)
}

// Scalars is the amounts of the scalar resources by name. A shared volume counts once, however many
// copies there are.
func (r Resources) Scalars() Quantities {
	return r.quantities(func(x *Resource) bool { return x.Kind == KindScalar })
}

// Cardinalities is Scalars with, for ranges and sets, how many integers or names they hold.
func (r Resources) Cardinalities() Quantities {
	return r.quantities(func(*Resource) bool { return true })
}

func (r Resources) quantities(count func(*Resource) bool) Quantities {
	var q []Quantity
	for i := range r.items {
		x := &r.items[i]
		if !count(&x.Resource) {
			continue
		}
		if n := len(q); n > 0 && q[n-1].Name == x.Name {
			q[n-1].Amount += x.amount()
			continue
		}
		if q == nil {
			q = make([]Quantity, 0, len(r.items)-i)
		}
		q = append(q, Quantity{Name: x.Name, Amount: x.amount()})
	}
	return Quantities{q: q}
}

// Amount is how much of a name the collection holds, as in Cardinalities. It does not allocate.
func (r Resources) Amount(name string) Scalar {
	var sum Scalar
	for i := range r.items {
		if r.items[i].Name == name {
			sum += r.items[i].amount()
		}
	}
	return sum
}

// Get is the amount of a name, zero when there is none.
func (q Quantities) Get(name string) Scalar {
	for _, x := range q.q {
		if x.Name == name {
			return x.Amount
		}
	}
	return 0
}

// IsEmpty tells whether every amount is zero.
func (q Quantities) IsEmpty() bool { return len(q.q) == 0 }

// Len is how many names have an amount.
func (q Quantities) Len() int { return len(q.q) }

// All yields names and amounts in order.
func (q Quantities) All() iter.Seq2[string, Scalar] {
	return func(yield func(string, Scalar) bool) {
		for _, x := range q.q {
			if !yield(x.Name, x.Amount) {
				return
			}
		}
	}
}

// merge walks both lists in step and builds a new one from what combine makes of each name's amounts.
func (q Quantities) merge(o Quantities, combine func(name string, a, b Scalar) (Scalar, error)) (Quantities, error) {
	out := make([]Quantity, 0, len(q.q)+len(o.q))
	for i, j := 0, 0; i < len(q.q) || j < len(o.q); {
		var x Quantity
		var b Scalar
		switch {
		case j == len(o.q) || (i < len(q.q) && compareName(q.q[i].Name, o.q[j].Name) < 0):
			x = q.q[i]
			i++
		case i == len(q.q) || q.q[i].Name != o.q[j].Name:
			x.Name, b = o.q[j].Name, o.q[j].Amount
			j++
		default:
			x, b = q.q[i], o.q[j].Amount
			i++
			j++
		}
		amount, err := combine(x.Name, x.Amount, b)
		if err != nil {
			return Quantities{}, fmt.Errorf("%s: %w", x.Name, err)
		}
		if amount != 0 {
			out = append(out, Quantity{Name: x.Name, Amount: amount})
		}
	}
	return Quantities{q: out}, nil
}

// Add is the sum of both, or ErrOverflow.
func (q Quantities) Add(o Quantities) (Quantities, error) {
	return q.merge(o, func(_ string, a, b Scalar) (Scalar, error) { return a.Add(b) })
}

// Sub is q without o, or ErrNotContained when o has more of something.
func (q Quantities) Sub(o Quantities) (Quantities, error) {
	return q.merge(o, func(_ string, a, b Scalar) (Scalar, error) {
		if b > a {
			return 0, fmt.Errorf("%s of %s: %w", b, a, ErrNotContained)
		}
		return a - b, nil
	})
}

// Minus is what q has more than o; where o has as much or more, nothing.
func (q Quantities) Minus(o Quantities) Quantities {
	out, _ := q.merge(o, func(_ string, a, b Scalar) (Scalar, error) { return max(a-b, 0), nil })
	return out
}

// Contains tells whether q has at least as much as o of everything. It does not allocate.
func (q Quantities) Contains(o Quantities) bool {
	for _, x := range o.q {
		if q.Get(x.Name) < x.Amount {
			return false
		}
	}
	return true
}

// Equal tells whether both hold the same.
func (q Quantities) Equal(o Quantities) bool { return slices.Equal(q.q, o.q) }

// String writes cpus:1.5; mem:32, and {} for nothing.
func (q Quantities) String() string {
	if len(q.q) == 0 {
		return "{}"
	}
	var b []byte
	for i, x := range q.q {
		if i > 0 {
			b = append(b, "; "...)
		}
		b = x.Amount.appendTo(append(append(b, x.Name...), ':'))
	}
	return string(b)
}
