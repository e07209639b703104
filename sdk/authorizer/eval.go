package authorizer

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Eval tells whether the predicate holds for the object. It never fails: a predicate that Validate
// refuses is false where it is wrong. It does not allocate beyond what o does, save to compare whole
// objects, and is safe for concurrent use when o is.
func (p *Predicate) Eval(o FieldSource) bool {
	var usual [4]Value // so that a predicate of the usual depth needs no memory
	return p.eval(append(scope(usual[:0]), FieldsValue(o)))
}

// scope is the object and, within Any, the elements that paths may begin at, the innermost last.
type scope []Value

func (p *Predicate) eval(s scope) bool {
	switch p.Op {
	case True:
		return true
	case And:
		for i := range p.Of {
			if !p.Of[i].eval(s) {
				return false
			}
		}
		return true
	case Or:
		for i := range p.Of {
			if p.Of[i].eval(s) {
				return true
			}
		}
		return false
	case Not:
		return len(p.Of) == 1 && !p.Of[0].eval(s)
	case Exists:
		return s.value(p.Left).Present()
	case Any:
		return len(p.Of) == 1 && s.any(s.value(p.Left), &p.Of[0])
	default:
		return compare(p.Op, s.value(p.Left), s.value(p.Right))
	}
}

func (s scope) any(list Value, p *Predicate) bool {
	switch list.kind {
	case List:
		for i := range list.list.Len() {
			if p.eval(append(s, list.list.At(i))) {
				return true
			}
		}
	case Fields:
		found := false
		inner := slices.Clone(s) // s itself would escape with the closure
		list.fields.Each(func(_ string, v Value) bool {
			found = p.eval(append(inner, v))
			return !found
		})
		return found
	}
	return false
}

// value is what a term stands for; none when the path leads nowhere.
func (s scope) value(t *Term) Value {
	if t == nil {
		return Value{}
	}
	if t.Const.Present() {
		return t.Const
	}
	if t.Up < 0 || t.Up >= len(s) {
		return Value{}
	}
	v := s[len(s)-1-t.Up]
	for _, step := range t.Path {
		v = v.step(step)
	}
	return v
}

// step is a field of an object or an element of a list.
func (v Value) step(name string) Value {
	switch v.kind {
	case Fields:
		return v.fields.Field(name)
	case List:
		i, err := strconv.Atoi(name)
		if err != nil || i < 0 || i >= v.list.Len() {
			return Value{}
		}
		return v.list.At(i)
	default:
		return Value{}
	}
}

func compare(op Op, a, b Value) bool {
	if !a.Present() || !b.Present() {
		return false
	}
	texts := a.kind == String && b.kind == String
	switch op {
	case Eq:
		return equalValues(a, b)
	case Ne:
		return !equalValues(a, b)
	case Lt:
		return compareValues(a, b) < 0
	case Le:
		return compareValues(a, b) <= 0
	case Gt:
		return compareValues(a, b) > 0
	case Ge:
		return compareValues(a, b) >= 0
	case Prefix:
		return texts && strings.HasPrefix(a.text, b.text)
	case Suffix:
		return texts && strings.HasSuffix(a.text, b.text)
	case Contains:
		return texts && strings.Contains(a.text, b.text)
	case In:
		return in(a, b)
	default:
		return false
	}
}

func in(v, list Value) bool {
	switch list.kind {
	case List:
		for i := range list.list.Len() {
			if equalValues(v, list.list.At(i)) {
				return true
			}
		}
	case Fields:
		found := false
		list.fields.Each(func(_ string, x Value) bool {
			found = equalValues(v, x)
			return !found
		})
		return found
	}
	return false
}

// compareFields orders objects as Rego does: entry by entry in the order of their names, the name first,
// then the value.
func compareFields(a, b FieldSource) int {
	x, y := collectFields(a), collectFields(b)
	xs, ys := slices.Sorted(maps.Keys(x)), slices.Sorted(maps.Keys(y))
	for i := range min(len(xs), len(ys)) {
		if c := strings.Compare(xs[i], ys[i]); c != 0 {
			return c
		}
		if c := compareValues(x[xs[i]], y[ys[i]]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(xs), len(ys))
}

func collectFields(f FieldSource) map[string]Value {
	all := map[string]Value{}
	f.Each(func(name string, v Value) bool {
		all[name] = v
		return true
	})
	return all
}
