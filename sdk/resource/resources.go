package resource

import (
	"fmt"
	"iter"
	"math"
	"slices"
)

// Resources is an immutable collection: sorted, with resources that differ in value alone merged, and
// none that is empty. The zero value is the empty collection. Copies share their storage.
//
// Resources that can only be taken whole (see Resource.IsWhole) are kept apart and counted: a shared
// volume that three tasks use is three copies of it.
//
// The sum of each name's quantities over a collection fits a Scalar; what would not is ErrOverflow.
type Resources struct{ items []item }

// New makes a collection. Invalid resources, ranges that overlap within one resource and sums that
// overflow are errors; empty resources are left out.
func New(in ...Resource) (Resources, error) {
	items := make([]item, 0, len(in))
	for i := range in {
		r := in[i]
		if err := r.normalise(); err != nil {
			return Resources{}, err
		}
		if !r.IsEmpty() {
			items = append(items, item{Resource: r, copies: 1})
		}
	}
	return collect(items)
}

// normalise validates the resource and puts its value into normal form.
func (r *Resource) normalise() error {
	if err := r.Validate(); err != nil {
		return err
	}
	var err error
	ranges, set := r.Ranges, r.Set
	switch r.Kind {
	case KindRanges:
		ranges, err = NewRanges(r.Ranges...)
	case KindSet:
		set, err = NewSet(r.Set...)
	}
	if err != nil {
		return fmt.Errorf("Resource '%s' is invalid: %w", *r, err) //nolint:staticcheck // Mesos's words, shown to its clients
	}
	r.Ranges, r.Set = ranges, set
	return nil
}

// collect sorts and merges items, whose slice it takes over.
func collect(items []item) (Resources, error) {
	slices.SortStableFunc(items, func(a, b item) int { return compareIdentity(&a.Resource, &b.Resource) })
	out := items[:0]
	for i := range items {
		if n := len(out); n > 0 && compareIdentity(&out[n-1].Resource, &items[i].Resource) == 0 {
			if err := out[n-1].add(&items[i]); err != nil {
				return Resources{}, err
			}
			continue
		}
		out = append(out, items[i])
	}
	return checked(out)
}

// checked makes a collection of items in normal form, or reports that a name's sum overflows.
func checked(items []item) (Resources, error) {
	if len(items) == 0 {
		return Resources{}, nil
	}
	var sum Scalar
	for i := range items {
		if i == 0 || items[i].Name != items[i-1].Name {
			sum = 0
		}
		amount, copies := items[i].Quantity(), Scalar(items[i].counted())
		if amount > (math.MaxInt64-sum)/copies {
			return Resources{}, fmt.Errorf("sum of %s: %w", items[i].Name, ErrOverflow)
		}
		sum += amount * copies
	}
	return Resources{items: items}, nil
}

// Add is everything in either collection. Scalars add up, or give ErrOverflow; ranges and sets unite,
// so an integer that is in both is in the result once, as in Mesos.
func (r Resources) Add(o Resources) (Resources, error) {
	if len(o.items) == 0 {
		return r, nil
	}
	if len(r.items) == 0 {
		return o, nil
	}
	out := make([]item, 0, max(len(r.items), len(o.items))) // mostly one holds the other's names
	i, j := 0, 0
	for i < len(r.items) && j < len(o.items) {
		switch c := compareIdentity(&r.items[i].Resource, &o.items[j].Resource); {
		case c < 0:
			out = append(out, r.items[i])
			i++
		case c > 0:
			out = append(out, o.items[j])
			j++
		default:
			out = append(out, r.items[i])
			if err := out[len(out)-1].add(&o.items[j]); err != nil {
				return Resources{}, err
			}
			i++
			j++
		}
	}
	out = append(out, r.items[i:]...)
	return checked(append(out, o.items[j:]...))
}

// Sub is r without o. It gives ErrNotContained when r does not hold all of o.
func (r Resources) Sub(o Resources) (Resources, error) {
	if len(o.items) == 0 {
		return r, nil
	}
	out := make([]item, 0, len(r.items))
	j := 0
	for i := range r.items {
		if j < len(o.items) && compareIdentity(&r.items[i].Resource, &o.items[j].Resource) == 0 {
			if !r.items[i].contains(&o.items[j]) {
				break
			}
			rest := r.items[i]
			if rest.sub(&o.items[j]) {
				out = append(out, rest)
			}
			j++
			continue
		}
		out = append(out, r.items[i])
	}
	if j < len(o.items) {
		return Resources{}, fmt.Errorf("%s does not contain %s: %w", r, o, ErrNotContained)
	}
	if len(out) == 0 {
		return Resources{}, nil
	}
	return Resources{items: out}, nil
}

// Minus is what is left of r when as much of o as there is has been taken out.
func (r Resources) Minus(o Resources) Resources {
	if len(o.items) == 0 || len(r.items) == 0 {
		return r
	}
	var out []item
	j := 0
	for i := range r.items {
		c := -1
		for j < len(o.items) {
			if c = compareIdentity(&r.items[i].Resource, &o.items[j].Resource); c <= 0 {
				break
			}
			j++
		}
		rest := r.items[i]
		if c == 0 && j < len(o.items) && !rest.minus(&o.items[j]) {
			continue
		}
		if out == nil {
			out = make([]item, 0, len(r.items)-i)
		}
		out = append(out, rest)
	}
	return Resources{items: out}
}

// Contains tells whether o can be taken out of r. It does not allocate.
func (r Resources) Contains(o Resources) bool {
	i := 0
	for j := range o.items {
		for {
			if i == len(r.items) {
				return false
			}
			c := compareIdentity(&r.items[i].Resource, &o.items[j].Resource)
			if c > 0 {
				return false
			}
			i++
			if c == 0 {
				break
			}
		}
		if !r.items[i-1].contains(&o.items[j]) {
			return false
		}
	}
	return true
}

// Equal tells whether both collections hold the same.
func (r Resources) Equal(o Resources) bool {
	if len(r.items) != len(o.items) {
		return false
	}
	for i := range r.items {
		a, b := &r.items[i], &o.items[i]
		if compareIdentity(&a.Resource, &b.Resource) != 0 || !a.equalValue(b) {
			return false
		}
	}
	return true
}

// IsEmpty tells whether the collection holds nothing.
func (r Resources) IsEmpty() bool { return len(r.items) == 0 }

// Len is how many resources All yields.
func (r Resources) Len() int {
	n := 0
	for i := range r.items {
		n += r.items[i].copies
	}
	return n
}

// All yields the resources in order, those held more than once as often as they are held. What a
// Resource points to belongs to the collection and must not be changed.
func (r Resources) All() iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		for i := range r.items {
			for range r.items[i].copies {
				if !yield(r.items[i].Resource) {
					return
				}
			}
		}
	}
}

// String writes the collection as Mesos does: cpus(allocated: *):63.9; ports(allocated: *):[31000-39999].
// The empty collection is {}.
func (r Resources) String() string {
	if len(r.items) == 0 {
		return "{}"
	}
	var b []byte
	for x := range r.All() {
		if len(b) > 0 {
			b = append(b, "; "...)
		}
		b = x.appendTo(b)
	}
	return string(b)
}
