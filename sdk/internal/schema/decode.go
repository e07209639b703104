package schema

import (
	"encoding/json"
	"reflect"
)

// Decode fills the struct that target points to from JSON which Check has passed. Attributes that are left
// out keep their schema's default, or are zero. An error is a number that the vendor's type cannot hold.
func Decode(data []byte, target any) []Problem {
	v := reflect.ValueOf(target).Elem()
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	return decodeStruct(data, v, nil)
}

func decodeStruct(data []byte, v reflect.Value, path []any) []Problem {
	m, err := members(data)
	if err != nil {
		return problem(path, "%w", err)
	}
	fields, err := fieldsOf(v.Type())
	if err != nil {
		return problem(path, "%w", err)
	}
	var problems []Problem
	for i := range fields {
		f := &fields[i]
		value, given := m[f.name]
		if !given {
			value, err = f.fallback()
			if err != nil || value == nil {
				continue
			}
		}
		problems = append(problems, decodeValue(value, fieldByIndex(v, f.Index), at(path, f.name))...)
	}
	return problems
}

// fieldByIndex is reflect's, save that embedded pointers are made.
func fieldByIndex(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

// fallback is the JSON of a field that is left out: its default, or an empty block so that the defaults in
// it come out; nil when it stays zero.
func (f *field) fallback() ([]byte, error) {
	if _, inner := f.nesting(); inner != nil {
		if f.Type.Kind() == reflect.Struct {
			return []byte("{}"), nil
		}
		return nil, nil
	}
	text, given := f.Tag.Lookup("default")
	if !given {
		return nil, nil
	}
	t, err := typeOf(f.Type, nil, nil)
	if err != nil {
		return nil, err
	}
	value, err := textToJSON(text, t)
	return []byte(value), err
}

func decodeValue(data []byte, v reflect.Value, path []any) []Problem {
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return decodeValue(data, v.Elem(), path)
	case v.Kind() == reflect.Struct:
		return decodeStruct(data, v, path)
	case v.Kind() == reflect.Slice:
		return decodeSlice(data, v, path)
	case v.Kind() == reflect.Map:
		return decodeMap(data, v, path)
	case v.CanInt(), v.CanUint():
		return decodeInt(data, v, path)
	}
	if err := json.Unmarshal(data, v.Addr().Interface()); err != nil {
		return problem(path, "a %s cannot hold %s", v.Type(), data)
	}
	return nil
}

func decodeSlice(data []byte, v reflect.Value, path []any) []Problem {
	l, err := elements(data)
	if err != nil {
		return problem(path, "%w", err)
	}
	v.Set(reflect.MakeSlice(v.Type(), len(l), len(l)))
	var problems []Problem
	for i, x := range l {
		problems = append(problems, decodeValue(x, v.Index(i), at(path, i))...)
	}
	return problems
}

func decodeMap(data []byte, v reflect.Value, path []any) []Problem {
	m, err := members(data)
	if err != nil {
		return problem(path, "%w", err)
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(m)))
	var problems []Problem
	for key, x := range m {
		value := reflect.New(v.Type().Elem()).Elem()
		problems = append(problems, decodeValue(x, value, at(path, key))...)
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), value)
	}
	return problems
}

func decodeInt(data []byte, v reflect.Value, path []any) []Problem {
	text, err := stringOf(data)
	if err != nil {
		return problem(path, "%w", err)
	}
	n, err := parseInt(text)
	switch {
	case err != nil:
		return problem(path, "%w", err)
	case v.CanInt() && !v.OverflowInt(n):
		v.SetInt(n)
	case v.CanUint() && n >= 0 && !v.OverflowUint(uint64(n)):
		v.SetUint(uint64(n))
	default:
		return problem(path, "%d is out of range", n)
	}
	return nil
}
