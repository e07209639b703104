package authorizer

import (
	"cmp"
	"strings"
)

// ValueKind is the type of a Value. The kinds are in the order in which Rego sorts values of different
// types.
type ValueKind uint8

const (
	// Null is JSON's null. It is a value: a field that is null exists.
	Null ValueKind = iota + 1
	// Bool is true or false.
	Bool
	// Number is a floating point number.
	Number
	// String is text.
	String
	// List is values in order.
	List
	// Fields is an object: values by name.
	Fields
)

// Value is a value of a field or a constant. The zero Value is none at all. Values are cheap to copy and
// are not changed.
type Value struct {
	kind   ValueKind
	truth  bool
	number float64
	text   string
	list   Items
	fields FieldSource
}

// Items is a list that makes its elements when asked, so that a host need not build it.
type Items interface {
	Len() int
	At(i int) Value
}

// FieldSource is an object whose fields are made when asked for.
type FieldSource interface {
	// Field is the value of a field, and the zero Value when there is none.
	Field(name string) Value
	// Each calls yield with every field's value, in any order, until yield returns false.
	Each(yield func(name string, v Value) bool)
}

// NullValue is null.
func NullValue() Value { return Value{kind: Null} }

// BoolValue is a bool.
func BoolValue(b bool) Value { return Value{kind: Bool, truth: b} }

// NumberValue is a number.
func NumberValue(n float64) Value { return Value{kind: Number, number: n} }

// StringValue is a string.
func StringValue(s string) Value { return Value{kind: String, text: s} }

// OptionalString is a string, and no value at all when it is empty.
func OptionalString(s string) Value {
	if s == "" {
		return Value{}
	}
	return StringValue(s)
}

// ListValue is a list.
func ListValue(l Items) Value { return Value{kind: List, list: l} }

// StringsValue is a list of strings.
func StringsValue(s []string) Value { return Value{kind: List, list: stringItems(s)} }

// ValuesValue is a list.
func ValuesValue(v ...Value) Value { return Value{kind: List, list: valueItems(v)} }

// FieldsValue is an object.
func FieldsValue(f FieldSource) Value { return Value{kind: Fields, fields: f} }

// Kind is the value's kind, 0 when there is no value.
func (v Value) Kind() ValueKind { return v.kind }

// Present tells whether there is a value.
func (v Value) Present() bool { return v.kind != 0 }

// Truth is the value of a Bool.
func (v Value) Truth() bool { return v.truth }

// Number is the value of a Number.
func (v Value) Number() float64 { return v.number }

// Text is the value of a String.
func (v Value) Text() string { return v.text }

// Items is the elements of a List, nil for another kind.
func (v Value) Items() Items { return v.list }

// Fields is the fields of an object, nil for another kind.
func (v Value) Fields() FieldSource { return v.fields }

type stringItems []string

func (s stringItems) Len() int       { return len(s) }
func (s stringItems) At(i int) Value { return StringValue(s[i]) }

type valueItems []Value

func (s valueItems) Len() int       { return len(s) }
func (s valueItems) At(i int) Value { return s[i] }

// compareValues orders values as Rego does.
func compareValues(a, b Value) int {
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind)
	}
	switch a.kind {
	case Bool:
		return compareBools(a.truth, b.truth)
	case Number:
		return cmp.Compare(a.number, b.number)
	case String:
		return strings.Compare(a.text, b.text)
	case List:
		return compareLists(a.list, b.list)
	case Fields:
		return compareFields(a.fields, b.fields)
	default:
		return 0
	}
}

func equalValues(a, b Value) bool {
	if a.kind == String && b.kind == String {
		return a.text == b.text
	}
	return compareValues(a, b) == 0
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

func compareLists(a, b Items) int {
	for i := range min(a.Len(), b.Len()) {
		if c := compareValues(a.At(i), b.At(i)); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.Len(), b.Len())
}
