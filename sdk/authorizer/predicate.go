package authorizer

// Op is what a Predicate does with its parts.
type Op string

// The operations. A comparison, Prefix, Suffix, Contains or In with a term that has no value is false,
// Ne too.
const (
	True     Op = "true"
	False    Op = "false"
	And      Op = "and" // all of Of; true when there are none
	Or       Op = "or"  // one of Of; false when there are none
	Not      Op = "not" // negation as failure: true where Of[0] is not
	Eq       Op = "eq"
	Ne       Op = "ne"
	Lt       Op = "lt"
	Le       Op = "le"
	Gt       Op = "gt"
	Ge       Op = "ge"
	Prefix   Op = "prefix"   // the string Left begins with the string Right
	Suffix   Op = "suffix"   // the string Left ends with the string Right
	Contains Op = "contains" // the string Left contains the string Right
	In       Op = "in"       // the list Right has an element equal to Left; an object has it as a value
	Exists   Op = "exists"   // Left has a value
	Any      Op = "any"      // Of[0] holds for an element of the list, or a value of the object, Left
)

// Predicate is a condition on an object's fields, as a tree. It is made with Compare, All, AnyOf and their
// like or read from JSON, checked with Validate, and evaluated with Eval. The zero value is no
// predicate: Validate refuses it and Eval says false.
//
// It means exactly what the same condition means in Rego: a term without value makes its comparison false,
// values of different types are ordered null < bool < number < string < list < object, and `not` is
// negation as failure.
type Predicate struct {
	Op    Op          `json:"op"`
	Of    []Predicate `json:"of,omitempty"`
	Left  *Term       `json:"left,omitempty"`
	Right *Term       `json:"right,omitempty"`
}

// Term is a field or a constant.
type Term struct {
	// Path leads to a field: Path{"framework", "principal"}. A step into a list is its index in decimal.
	// The empty path is the object itself, or within Any the element.
	Path []string `json:"path,omitempty"`
	// Up is how many Any to step out of before following Path: 0 is the innermost element.
	Up int `json:"up,omitempty"`
	// Const is the constant, when the term is one: when it is present.
	Const Value `json:"const,omitzero"`
}

// Field is the term for a path.
func Field(path ...string) *Term { return &Term{Path: path} }

// Outer is the term for a path, up levels of Any further out.
func Outer(up int, path ...string) *Term { return &Term{Path: path, Up: up} }

// Const is the term for a constant.
func Const(v Value) *Term { return &Term{Const: v} }

// All holds when all of ps do.
func All(ps ...Predicate) Predicate { return Predicate{Op: And, Of: ps} }

// OneOf holds when one of ps does.
func OneOf(ps ...Predicate) Predicate { return Predicate{Op: Or, Of: ps} }

// Negate holds when p does not.
func Negate(p Predicate) Predicate { return Predicate{Op: Not, Of: []Predicate{p}} }

// Always is the predicate that holds for everything.
func Always() Predicate { return Predicate{Op: True} }

// Never is the predicate that holds for nothing.
func Never() Predicate { return Predicate{Op: False} }

// Compare is a comparison, Prefix, Suffix, Contains or In of two terms.
func Compare(op Op, left, right *Term) Predicate { return Predicate{Op: op, Left: left, Right: right} }

// HasField holds when the field has a value.
func HasField(t *Term) Predicate { return Predicate{Op: Exists, Left: t} }

// AnyOf holds when p does for an element of the list.
func AnyOf(list *Term, p Predicate) Predicate {
	return Predicate{Op: Any, Left: list, Of: []Predicate{p}}
}
