package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// valueError is a value that does not fit, at the innermost expression that could be found.
type valueError struct {
	at  hcl.Range
	err error
}

// converter turns HCL values into the JSON that plugins get, by the types of a schema.
type converter struct{ wrong []valueError }

func (c *converter) fail(at hcl.Range, format string, args ...any) any {
	c.wrong = append(c.wrong, valueError{at, fmt.Errorf(format, args...)})
	return nil
}

// attribute converts a value and holds it against the attribute's constraints. expr is where it stands, or
// nil when that is not to be known; then it stands somewhere at.
func (c *converter) attribute(a *pluginv1.Attribute, v cty.Value, expr hcl.Expression, at hcl.Range) any {
	before := len(c.wrong)
	out := c.value(a.GetType(), v, expr, at)
	if len(c.wrong) == before {
		if err := checkConstraints(a, out); err != nil {
			c.fail(at, "%w", err)
		}
	}
	return out
}

func (c *converter) value(t *pluginv1.Type, v cty.Value, expr hcl.Expression, at hcl.Range) any {
	if v.IsNull() {
		return c.fail(at, "null is not a value; leave it out instead")
	}
	switch t.GetKind() {
	case pluginv1.Kind_KIND_LIST:
		return c.list(t, v, expr, at)
	case pluginv1.Kind_KIND_MAP:
		return c.mapping(t, v, expr, at)
	case pluginv1.Kind_KIND_OBJECT:
		return c.object(t, v, expr, at)
	}
	out, err := scalar(t, v)
	if err != nil {
		return c.fail(at, "%w", err)
	}
	return out
}

func scalar(t *pluginv1.Type, v cty.Value) (any, error) {
	isText, isNumber := v.Type() == cty.String, v.Type() == cty.Number
	switch kind := t.GetKind(); {
	case kind == pluginv1.Kind_KIND_STRING && isText:
		return v.AsString(), nil
	case kind == pluginv1.Kind_KIND_BOOL && v.Type() == cty.Bool:
		return v.True(), nil
	case kind == pluginv1.Kind_KIND_INT && isNumber:
		return wholeNumber(v.AsBigFloat())
	case kind == pluginv1.Kind_KIND_NUMBER && isNumber:
		return number(v.AsBigFloat())
	case kind == pluginv1.Kind_KIND_DURATION && isText:
		d, err := parseDuration(v.AsString())
		return strconv.FormatInt(int64(d), 10), err
	case kind == pluginv1.Kind_KIND_BYTES && isNumber:
		return wholeNumber(v.AsBigFloat())
	case kind == pluginv1.Kind_KIND_BYTES && isText:
		return parseBytes(v.AsString())
	case kind == pluginv1.Kind_KIND_ENUM && isText:
		if !slices.Contains(t.GetValues(), v.AsString()) {
			return nil, fmt.Errorf("%q is not one of %s%s", v.AsString(), quoted(t.GetValues()), Meant(v.AsString(), t.GetValues()))
		}
		return v.AsString(), nil
	}
	return nil, fmt.Errorf("%s is needed, not %s", needed(t), v.Type().FriendlyName())
}

func needed(t *pluginv1.Type) string {
	switch t.GetKind() {
	case pluginv1.Kind_KIND_DURATION:
		return `a time in quotes with its unit, such as "15s",`
	case pluginv1.Kind_KIND_BYTES:
		return `an amount of bytes, such as "64MiB",`
	case pluginv1.Kind_KIND_BOOL:
		return "true or false"
	case pluginv1.Kind_KIND_ENUM:
		return "one of " + quoted(t.GetValues())
	default:
		return "a " + kindName(t)
	}
}

func wholeNumber(f *big.Float) (string, error) {
	n, exact := f.Int64()
	if !f.IsInt() || exact != big.Exact {
		return "", fmt.Errorf("a whole number of 64 bits is needed, not %s", figure(f))
	}
	return strconv.FormatInt(n, 10), nil
}

// figure shows a number. Writing out one like 1e999999999 exactly would take for ever.
func figure(f *big.Float) string {
	n, _ := f.Float64()
	return strconv.FormatFloat(n, 'g', 17, 64)
}

func number(f *big.Float) (json.Number, error) {
	n, _ := f.Float64()
	if math.IsInf(n, 0) {
		return "", fmt.Errorf("the number %s is too large", figure(f))
	}
	return json.Number(strconv.FormatFloat(n, 'g', -1, 64)), nil
}

var byteUnits = map[string]int64{
	"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

func parseBytes(text string) (string, error) {
	end := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsDigit(r) })
	if end < 0 {
		end = len(text)
	}
	n, err := strconv.ParseInt(text[:end], 10, 64)
	unit, ok := byteUnits[strings.ToLower(strings.TrimSpace(text[end:]))]
	if err != nil || !ok || n > math.MaxInt64/unit {
		return "", fmt.Errorf("%q is not an amount of bytes; write one such as \"64MiB\"", text)
	}
	return strconv.FormatInt(n*unit, 10), nil
}

func (c *converter) list(t *pluginv1.Type, v cty.Value, expr hcl.Expression, at hcl.Range) any {
	if ty := v.Type(); !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		return c.fail(at, "a list is needed, not %s", ty.FriendlyName())
	}
	var exprs []hcl.Expression
	if expr != nil {
		if found, diags := hcl.ExprList(expr); !diags.HasErrors() && len(found) == v.LengthInt() {
			exprs = found
		}
	}
	out := make([]any, 0, v.LengthInt())
	for i, element := range v.AsValueSlice() {
		inner, where := hcl.Expression(nil), at
		if exprs != nil {
			inner, where = exprs[i], exprs[i].Range()
		}
		out = append(out, c.value(t.GetElement(), element, inner, where))
	}
	return out
}

// members gives an object's or a map's entries in the order of their names, with their expressions where
// those are written out.
func members(v cty.Value, expr hcl.Expression) (names []string, values map[string]cty.Value, exprs map[string]hcl.KeyValuePair) {
	exprs = map[string]hcl.KeyValuePair{}
	if expr != nil {
		pairs, _ := hcl.ExprMap(expr)
		for _, pair := range pairs {
			if key, diags := pair.Key.Value(nil); !diags.HasErrors() && key.Type() == cty.String && !key.IsNull() {
				exprs[key.AsString()] = pair
			}
		}
	}
	values = v.AsValueMap()
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, values, exprs
}

func isObject(v cty.Value) bool { return v.Type().IsObjectType() || v.Type().IsMapType() }

func (c *converter) mapping(t *pluginv1.Type, v cty.Value, expr hcl.Expression, at hcl.Range) any {
	if !isObject(v) {
		return c.fail(at, "a map is needed, not %s", v.Type().FriendlyName())
	}
	names, values, exprs := members(v, expr)
	out := make(map[string]any, len(names))
	for _, name := range names {
		inner, where := hcl.Expression(nil), at
		if pair, ok := exprs[name]; ok {
			inner, where = pair.Value, pair.Value.Range()
		}
		out[name] = c.value(t.GetElement(), values[name], inner, where)
	}
	return out
}

func (c *converter) object(t *pluginv1.Type, v cty.Value, expr hcl.Expression, at hcl.Range) any {
	if !isObject(v) {
		return c.fail(at, "an object is needed, not %s", v.Type().FriendlyName())
	}
	names, values, exprs := members(v, expr)
	known := make([]string, 0, len(t.GetAttributes()))
	for _, a := range t.GetAttributes() {
		known = append(known, a.GetName())
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			where := at
			if pair, ok := exprs[name]; ok {
				where = pair.Key.Range()
			}
			c.fail(where, "the object has no member %q%s", name, Meant(name, known))
		}
	}
	out := map[string]any{}
	for _, a := range t.GetAttributes() {
		member, ok := values[a.GetName()]
		switch {
		case ok:
			inner, where := hcl.Expression(nil), at
			if pair, ok := exprs[a.GetName()]; ok {
				inner, where = pair.Value, pair.Value.Range()
			}
			out[a.GetName()] = c.attribute(a, member, inner, where)
		case a.GetRequired():
			c.fail(at, "the object needs a member %q", a.GetName())
		default:
			fillDefault(out, a)
		}
	}
	return out
}

// fillDefault puts the default in, if there is one. The schema was checked: it is JSON.
func fillDefault(out map[string]any, a *pluginv1.Attribute) {
	if a.GetDefaultJson() != "" {
		out[a.GetName()] = json.RawMessage(a.GetDefaultJson())
	}
}

// checkConstraints holds a converted value against its bounds and pattern.
func checkConstraints(a *pluginv1.Attribute, value any) error {
	size, sized := magnitude(value, a.GetType())
	if least, ok := bound(a.GetMinJson()); ok && sized && size.Cmp(least) < 0 {
		return fmt.Errorf("it is less than %s", shown(a.GetType(), a.GetMinJson()))
	}
	if most, ok := bound(a.GetMaxJson()); ok && sized && size.Cmp(most) > 0 {
		return fmt.Errorf("it is more than %s", shown(a.GetType(), a.GetMaxJson()))
	}
	text, isText := value.(string)
	if a.GetPattern() == "" || !isText || a.GetType().GetKind() != pluginv1.Kind_KIND_STRING {
		return nil
	}
	pattern, err := regexp.Compile(`\A(?:` + a.GetPattern() + `)\z`)
	if err != nil {
		return fmt.Errorf("the plugin's pattern: %w", err)
	}
	if !pattern.MatchString(text) {
		return fmt.Errorf("it does not match %s", a.GetPattern())
	}
	return nil
}

// magnitude is what a bound is held against: a number's value, or how many elements there are.
func magnitude(value any, t *pluginv1.Type) (*big.Float, bool) {
	switch v := value.(type) {
	case json.Number:
		f, _, err := big.ParseFloat(string(v), 10, 200, big.ToNearestEven)
		return f, err == nil
	case string:
		if k := t.GetKind(); k == pluginv1.Kind_KIND_STRING || k == pluginv1.Kind_KIND_ENUM {
			return nil, false
		}
		f, _, err := big.ParseFloat(v, 10, 200, big.ToNearestEven)
		return f, err == nil
	case []any:
		return big.NewFloat(float64(len(v))), true
	case map[string]any:
		return big.NewFloat(float64(len(v))), true
	default:
		return nil, false
	}
}

func bound(text string) (*big.Float, bool) {
	if text == "" {
		return nil, false
	}
	f, _, err := big.ParseFloat(strings.Trim(text, `"`), 10, 200, big.ToNearestEven)
	return f, err == nil
}

func decodeJSON(text string, to any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more than one value")
	}
	return nil
}
