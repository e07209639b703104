package schema

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// attribute is the schema of a field that is no block.
func (f *field) attribute(within []reflect.Type) (*pluginv1.Attribute, error) {
	var enum []string
	if text := f.Tag.Get("enum"); text != "" {
		enum = strings.Split(text, ",")
	}
	t, err := typeOf(f.Type, enum, within)
	if err != nil {
		return nil, err
	}
	a := &pluginv1.Attribute{
		Name: f.name, Type: t, Required: f.required, Doc: f.Tag.Get("doc"), Sensitive: f.sensitive, Pattern: f.Tag.Get("pattern"),
	}
	if a.MinJson, err = f.bound("min", t); err != nil {
		return nil, err
	}
	if a.MaxJson, err = f.bound("max", t); err != nil {
		return nil, err
	}
	if least, most := intRange(deref(f.Type)); t.GetKind() == pluginv1.Kind_KIND_INT {
		a.MinJson, a.MaxJson = cmp.Or(a.MinJson, least), cmp.Or(a.MaxJson, most)
	}
	if err := crossedBounds(a); err != nil {
		return nil, err
	}
	if a.Pattern != "" {
		if t.GetKind() != pluginv1.Kind_KIND_STRING {
			return nil, errors.New("a pattern is for a string")
		}
		if _, err := regexp.Compile(a.Pattern); err != nil {
			return nil, fmt.Errorf("pattern: %w", err)
		}
	}
	return a, f.setDefault(a)
}

// intRange is what an integer type holds, where that is less than 64 bits with a sign: the host shows an operator what
// does not fit at its line.
func intRange(t reflect.Type) (least, most string) {
	switch t.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32:
		n := int64(1) << (t.Bits() - 1)
		return quote(strconv.FormatInt(-n, 10)), quote(strconv.FormatInt(n-1, 10))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return quote("0"), quote(strconv.FormatUint(1<<t.Bits()-1, 10))
	case reflect.Uint, reflect.Uint64:
		return quote("0"), ""
	default:
		return "", ""
	}
}

// crossedBounds refuses bounds that nothing is within.
func crossedBounds(a *pluginv1.Attribute) error {
	if a.GetMinJson() == "" || a.GetMaxJson() == "" {
		return nil
	}
	crossed := false
	switch a.GetType().GetKind() {
	case pluginv1.Kind_KIND_LIST, pluginv1.Kind_KIND_MAP:
		least, _ := strconv.Atoi(a.GetMinJson())
		most, _ := strconv.Atoi(a.GetMaxJson())
		crossed = least > most
	default:
		crossed = len(checkAttribute(a, []byte(a.GetMinJson()), nil)) > 0
	}
	if crossed {
		return fmt.Errorf("min %s is more than max %s", strings.Trim(a.GetMinJson(), `"`), strings.Trim(a.GetMaxJson(), `"`))
	}
	return nil
}

// setDefault reads the default tag, and checks that it would pass as the operator's value.
func (f *field) setDefault(a *pluginv1.Attribute) error {
	text, given := f.Tag.Lookup("default")
	switch {
	case !given:
		return nil
	case f.required:
		return errors.New("what is required has no default")
	}
	value, err := textToJSON(text, a.GetType())
	if err != nil {
		return fmt.Errorf("default %q: %w", text, err)
	}
	a.DefaultJson = value
	if problems := checkAttribute(a, []byte(value), nil); len(problems) > 0 {
		return fmt.Errorf("default %q: %w", text, problems[0].Err)
	}
	return nil
}

// bound reads a min or max tag: a value of the type, or for a list or a map a number of elements.
func (f *field) bound(tag string, t *pluginv1.Type) (string, error) {
	text := f.Tag.Get(tag)
	if text == "" {
		return "", nil
	}
	switch t.GetKind() {
	case pluginv1.Kind_KIND_LIST, pluginv1.Kind_KIND_MAP:
		n, err := f.count(tag)
		return strconv.FormatUint(uint64(n), 10), err
	case pluginv1.Kind_KIND_INT, pluginv1.Kind_KIND_NUMBER, pluginv1.Kind_KIND_DURATION, pluginv1.Kind_KIND_BYTES:
		value, err := textToJSON(text, t)
		if err != nil {
			return "", fmt.Errorf("%s %q: %w", tag, text, err)
		}
		return value, nil
	default:
		return "", fmt.Errorf("%s is not for a %s", tag, kindName(t.GetKind()))
	}
}

func (f *field) count(tag string) (uint32, error) {
	text := f.Tag.Get(tag)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s %q of field %q is no count", tag, text, f.name)
	}
	return uint32(n), nil
}

// textToJSON is the JSON of a value that a vendor wrote into a tag: as an operator would write it, and for
// lists, maps and objects as JSON.
func textToJSON(text string, t *pluginv1.Type) (string, error) {
	switch t.GetKind() {
	case pluginv1.Kind_KIND_STRING, pluginv1.Kind_KIND_ENUM:
		return quote(text), nil
	case pluginv1.Kind_KIND_BOOL:
		v, err := strconv.ParseBool(text)
		return strconv.FormatBool(v), err
	case pluginv1.Kind_KIND_INT:
		if _, err := parseInt(text); err != nil {
			return "", err
		}
		return quote(text), nil
	case pluginv1.Kind_KIND_NUMBER:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
			return "", errors.New("not a number")
		}
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case pluginv1.Kind_KIND_DURATION:
		d, err := time.ParseDuration(text)
		return quote(strconv.FormatInt(int64(d), 10)), err
	case pluginv1.Kind_KIND_BYTES:
		n, err := ParseBytes(text)
		return quote(strconv.FormatInt(n, 10)), err
	default:
		if !json.Valid([]byte(text)) {
			return "", fmt.Errorf("not the JSON of a %s", kindName(t.GetKind()))
		}
		return text, nil
	}
}

func quote(text string) string {
	b, _ := json.Marshal(text) //nolint:errchkjson // a string always has a JSON
	return string(b)
}

var units = []struct {
	suffix string
	factor int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseBytes reads an amount of bytes as operators write it: 1048576, 64MiB, 1.5GB.
func ParseBytes(text string) (int64, error) {
	number, factor := strings.TrimSpace(text), int64(1)
	for _, u := range units {
		if rest, found := strings.CutSuffix(number, u.suffix); found {
			number, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n < 0 || n > math.MaxInt64/factor {
			return 0, fmt.Errorf("%q is out of range", text)
		}
		return n * factor, nil
	}
	v, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || math.IsNaN(v):
		return 0, fmt.Errorf("%q is not an amount of bytes; write a number or something like 64MiB", text)
	case v < 0 || v*float64(factor) >= math.MaxInt64:
		return 0, fmt.Errorf("%q is out of range", text)
	case v*float64(factor) != math.Trunc(v*float64(factor)):
		return 0, fmt.Errorf("%q is not a whole number of bytes", text)
	default:
		return int64(v * float64(factor)), nil
	}
}

func kindName(k pluginv1.Kind) string {
	return strings.ToLower(strings.TrimPrefix(k.String(), "KIND_"))
}
