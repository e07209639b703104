package schema

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[sdk.Bytes]()
	nameForm     = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// Derive is the schema of a configuration struct, or a pointer to one. An error is the vendor's mistake.
func Derive(t reflect.Type) (*pluginv1.Block, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("configuration is a %s, and should be a struct", t)
	}
	return block(t, nil)
}

// field is a struct's field with its tags read.
type field struct {
	reflect.StructField
	name      string
	required  bool
	sensitive bool
	object    bool
}

// fieldsOf reads the tags of t's fields, those of embedded structs included.
func fieldsOf(t reflect.Type) ([]field, error) {
	var out []field
	for _, f := range reflect.VisibleFields(t) {
		tag, tagged := f.Tag.Lookup("config")
		switch {
		case f.Anonymous && !tagged, tag == "-":
			continue
		case !f.IsExported() && !tagged:
			continue
		case !f.IsExported():
			return nil, fmt.Errorf("%s.%s has a config tag and is not exported", t, f.Name)
		case !tagged:
			return nil, fmt.Errorf(`%s.%s has no config tag; config:"-" leaves it out`, t, f.Name)
		}
		x, err := readTag(f, tag)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		if slices.ContainsFunc(out, func(o field) bool { return o.name == x.name }) {
			return nil, fmt.Errorf("%s has two fields %q", t, x.name)
		}
		out = append(out, x)
	}
	return out, nil
}

func readTag(f reflect.StructField, tag string) (field, error) {
	parts := strings.Split(tag, ",")
	out := field{StructField: f, name: parts[0]}
	if !nameForm.MatchString(out.name) {
		return field{}, fmt.Errorf("name %q is not lower case with underscores", out.name)
	}
	for _, option := range parts[1:] {
		switch option {
		case "required":
			out.required = true
		case "sensitive":
			out.sensitive = true
		case "object":
			out.object = true
		default:
			return field{}, fmt.Errorf("unknown option %q in config tag", option)
		}
	}
	return out, nil
}

// block is the schema of struct t. within are the structs that t is in: one in itself has no end.
func block(t reflect.Type, within []reflect.Type) (*pluginv1.Block, error) {
	if slices.Contains(within, t) {
		return nil, fmt.Errorf("%s contains itself", t)
	}
	within = append(within, t)
	fields, err := fieldsOf(t)
	if err == nil && len(within) > 1 {
		err = hasSome(t, fields)
	}
	if err != nil {
		return nil, err
	}
	out := &pluginv1.Block{}
	for _, f := range fields {
		if nesting, inner := f.nesting(); nesting != 0 {
			b, err := f.blockType(nesting, inner, within)
			if err != nil {
				return nil, err
			}
			out.Blocks = append(out.Blocks, b)
			continue
		}
		a, err := f.attribute(within)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		out.Attributes = append(out.Attributes, a)
	}
	return out, nil
}

// hasSome refuses a struct, such as time.Time, that an operator could write nothing into.
func hasSome(t reflect.Type, fields []field) error {
	if len(fields) == 0 && t.NumField() > 0 {
		return fmt.Errorf("a %s is no value of a configuration: it has no field with a config tag", t)
	}
	return nil
}

// nesting is how a field that is a block nests, with the block's struct; 0 for an attribute.
func (f *field) nesting() (pluginv1.Nesting, reflect.Type) {
	if f.object {
		return 0, nil
	}
	t := f.Type
	switch {
	case isStruct(t):
		return pluginv1.Nesting_NESTING_SINGLE, deref(t)
	case t.Kind() == reflect.Slice && isStruct(t.Elem()):
		return pluginv1.Nesting_NESTING_LIST, deref(t.Elem())
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && isStruct(t.Elem()):
		return pluginv1.Nesting_NESTING_LABELLED, deref(t.Elem())
	default:
		return 0, nil
	}
}

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

func isStruct(t reflect.Type) bool { return deref(t).Kind() == reflect.Struct }

func (f *field) blockType(n pluginv1.Nesting, t reflect.Type, within []reflect.Type) (*pluginv1.BlockType, error) {
	inner, err := block(t, within)
	if err != nil {
		return nil, err
	}
	out := &pluginv1.BlockType{Name: f.name, Nesting: n, Block: inner, Doc: f.Tag.Get("doc"), Label: f.Tag.Get("label")}
	if n == pluginv1.Nesting_NESTING_LABELLED && out.Label == "" {
		out.Label = "name"
	}
	if out.MinItems, err = f.count("min"); err != nil {
		return nil, err
	}
	if out.MaxItems, err = f.count("max"); err != nil {
		return nil, err
	}
	if f.required {
		out.MinItems = max(out.MinItems, 1)
	}
	if out.MaxItems > 0 && out.MinItems > out.MaxItems {
		return nil, fmt.Errorf("block %q: min %d is more than max %d", f.name, out.MinItems, out.MaxItems)
	}
	if f.sensitive || f.Tag.Get("default") != "" || f.Tag.Get("enum") != "" || f.Tag.Get("pattern") != "" {
		return nil, fmt.Errorf("block %q: sensitive, default, enum and pattern are for attributes", f.name)
	}
	return out, nil
}

// typeOf is the type of an attribute's value.
func typeOf(t reflect.Type, enum []string, within []reflect.Type) (*pluginv1.Type, error) {
	t = deref(t)
	switch t {
	case durationType:
		return &pluginv1.Type{Kind: pluginv1.Kind_KIND_DURATION}, nil
	case bytesType:
		return &pluginv1.Type{Kind: pluginv1.Kind_KIND_BYTES}, nil
	}
	switch t.Kind() {
	case reflect.String:
		if enum != nil {
			return &pluginv1.Type{Kind: pluginv1.Kind_KIND_ENUM, Values: enum}, nil
		}
		return &pluginv1.Type{Kind: pluginv1.Kind_KIND_STRING}, nil
	case reflect.Bool:
		return &pluginv1.Type{Kind: pluginv1.Kind_KIND_BOOL}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &pluginv1.Type{Kind: pluginv1.Kind_KIND_INT}, nil
	case reflect.Float32, reflect.Float64:
		return &pluginv1.Type{Kind: pluginv1.Kind_KIND_NUMBER}, nil
	case reflect.Slice:
		element, err := typeOf(t.Elem(), enum, within)
		return &pluginv1.Type{Kind: pluginv1.Kind_KIND_LIST, Element: element}, err
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, fmt.Errorf("a map's keys are strings, and not %s", t.Key())
		}
		element, err := typeOf(t.Elem(), enum, within)
		return &pluginv1.Type{Kind: pluginv1.Kind_KIND_MAP, Element: element}, err
	case reflect.Struct:
		return objectType(t, within)
	default:
		return nil, fmt.Errorf("a %s is no value of a configuration", t)
	}
}

func objectType(t reflect.Type, within []reflect.Type) (*pluginv1.Type, error) {
	inner, err := objectBlock(t, within)
	if err != nil {
		return nil, err
	}
	return &pluginv1.Type{Kind: pluginv1.Kind_KIND_OBJECT, Attributes: inner}, nil
}

// objectBlock is the attributes of a struct that is an object: what would be blocks are objects as well.
func objectBlock(t reflect.Type, within []reflect.Type) ([]*pluginv1.Attribute, error) {
	if slices.Contains(within, t) {
		return nil, fmt.Errorf("%s contains itself", t)
	}
	within = append(within, t)
	fields, err := fieldsOf(t)
	if err == nil {
		err = hasSome(t, fields)
	}
	if err != nil {
		return nil, err
	}
	var out []*pluginv1.Attribute
	for _, f := range fields {
		a, err := f.attribute(within)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		out = append(out, a)
	}
	return out, nil
}
