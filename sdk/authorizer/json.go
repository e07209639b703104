package authorizer

import (
	"encoding/json"
	"fmt"
)

// ValueOf makes a Value of what encoding/json decodes into an any. Other types give no value.
func ValueOf(v any) Value {
	switch v := v.(type) {
	case nil:
		return NullValue()
	case bool:
		return BoolValue(v)
	case float64:
		return NumberValue(v)
	case int:
		return NumberValue(float64(v))
	case int64:
		return NumberValue(float64(v))
	case string:
		return StringValue(v)
	case []string:
		return StringsValue(v)
	case []any:
		return ListValue(anyItems(v))
	case map[string]any:
		return FieldsValue(anyFields(v))
	case map[string]string:
		return FieldsValue(stringFields(v))
	default:
		return Value{}
	}
}

// FieldsOf makes the fields of an object of a map, such as Object.Fields.
func FieldsOf(m map[string]any) FieldSource { return anyFields(m) }

// Any is the value as encoding/json would decode it; nil for null and for no value.
func (v Value) Any() any {
	switch v.kind {
	case Bool:
		return v.truth
	case Number:
		return v.number
	case String:
		return v.text
	case List:
		out := make([]any, v.list.Len())
		for i := range out {
			out[i] = v.list.At(i).Any()
		}
		return out
	case Fields:
		out := map[string]any{}
		v.fields.Each(func(name string, x Value) bool {
			out[name] = x.Any()
			return true
		})
		return out
	default:
		return nil
	}
}

// MarshalJSON writes the value. No value at all is an error.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.Present() {
		return nil, fmt.Errorf("encode value: there is none")
	}
	return json.Marshal(v.Any())
}

// UnmarshalJSON reads any JSON value.
func (v *Value) UnmarshalJSON(data []byte) error {
	var x any
	if err := json.Unmarshal(data, &x); err != nil {
		return err
	}
	*v = ValueOf(x)
	return nil
}

type anyItems []any

func (s anyItems) Len() int       { return len(s) }
func (s anyItems) At(i int) Value { return ValueOf(s[i]) }

type anyFields map[string]any

func (m anyFields) Field(name string) Value {
	v, ok := m[name]
	if !ok {
		return Value{}
	}
	return ValueOf(v)
}

func (m anyFields) Each(yield func(string, Value) bool) {
	for name, v := range m {
		if !yield(name, ValueOf(v)) {
			return
		}
	}
}

type stringFields map[string]string

func (m stringFields) Field(name string) Value {
	v, ok := m[name]
	if !ok {
		return Value{}
	}
	return StringValue(v)
}

func (m stringFields) Each(yield func(string, Value) bool) {
	for name, v := range m {
		if !yield(name, StringValue(v)) {
			return
		}
	}
}

// StringMapValue is an object of strings.
func StringMapValue(m map[string]string) Value { return FieldsValue(stringFields(m)) }
