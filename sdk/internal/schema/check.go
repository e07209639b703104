package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// Problem is what is wrong with one value. The path is as in sdk.ConfigProblem; Resolve makes it one of
// the wire.
type Problem struct {
	Path []any
	Err  error
	// Missing says that it is the want of something that is required.
	Missing bool
}

func at(path []any, step any) []any { return append(slices.Clip(path), step) }

func problem(path []any, format string, args ...any) []Problem {
	return []Problem{{Path: path, Err: fmt.Errorf(format, args...)}}
}

func missing(path []any, format string, args ...any) []Problem {
	return []Problem{{Path: path, Err: fmt.Errorf(format, args...), Missing: true}}
}

// Check says what is wrong with a configuration's JSON. The host has checked it before; a plugin checks
// again because other things may start it.
func Check(b *pluginv1.Block, data []byte) []Problem { return checkBlock(b, data, nil) }

// members splits an object, refusing null.
func members(data []byte) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil || m == nil {
		return nil, errors.New("expected an object")
	}
	return m, nil
}

func elements(data []byte) ([]json.RawMessage, error) {
	var l []json.RawMessage
	if err := json.Unmarshal(data, &l); err != nil || l == nil {
		return nil, errors.New("expected an array")
	}
	return l, nil
}

func checkBlock(b *pluginv1.Block, data []byte, path []any) []Problem {
	m, err := members(data)
	if err != nil {
		return problem(path, "%w", err)
	}
	problems := checkAttributes(b.GetAttributes(), m, path)
	for _, t := range b.GetBlocks() {
		value, given := m[t.GetName()]
		delete(m, t.GetName())
		problems = append(problems, checkBlocks(t, value, given, at(path, t.GetName()))...)
	}
	return append(problems, unknown(m, path)...)
}

// checkAttributes checks an object's members and removes them from m.
func checkAttributes(as []*pluginv1.Attribute, m map[string]json.RawMessage, path []any) []Problem {
	var problems []Problem
	for _, a := range as {
		value, given := m[a.GetName()]
		delete(m, a.GetName())
		switch {
		case given:
			problems = append(problems, checkAttribute(a, value, at(path, a.GetName()))...)
		case a.GetRequired():
			problems = append(problems, missing(at(path, a.GetName()), "%q is required", a.GetName())...)
		}
	}
	return problems
}

func unknown(m map[string]json.RawMessage, path []any) []Problem {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	var problems []Problem
	for _, name := range names {
		problems = append(problems, problem(at(path, name), "there is no attribute or block %q", name)...)
	}
	return problems
}

func checkBlocks(t *pluginv1.BlockType, data []byte, given bool, path []any) []Problem {
	if !given {
		if t.GetMinItems() > 0 {
			return missing(path, "block %q is required", t.GetName())
		}
		return nil
	}
	switch t.GetNesting() {
	case pluginv1.Nesting_NESTING_LIST:
		l, err := elements(data)
		if err != nil {
			return problem(path, "%w", err)
		}
		problems := checkCount(t, len(l), path)
		for i, x := range l {
			problems = append(problems, checkBlock(t.GetBlock(), x, at(path, i))...)
		}
		return problems
	case pluginv1.Nesting_NESTING_LABELLED:
		m, err := members(data)
		if err != nil {
			return problem(path, "%w", err)
		}
		problems := checkCount(t, len(m), path)
		for label, x := range m {
			problems = append(problems, checkBlock(t.GetBlock(), x, at(path, label))...)
		}
		return problems
	default:
		return checkBlock(t.GetBlock(), data, path)
	}
}

func checkCount(t *pluginv1.BlockType, n int, path []any) []Problem {
	switch {
	case n < int(t.GetMinItems()):
		return problem(path, "there are %d blocks %q, and have to be at least %d", n, t.GetName(), t.GetMinItems())
	case t.GetMaxItems() > 0 && n > int(t.GetMaxItems()):
		return problem(path, "there are %d blocks %q, and may be at most %d", n, t.GetName(), t.GetMaxItems())
	default:
		return nil
	}
}

func checkAttribute(a *pluginv1.Attribute, data []byte, path []any) []Problem {
	if problems := checkValue(a.GetType(), data, path); len(problems) > 0 {
		return problems
	}
	if err := checkBounds(a, data); err != nil {
		return problem(path, "%w", err)
	}
	return nil
}

func checkValue(t *pluginv1.Type, data []byte, path []any) []Problem {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return problem(path, "null is no value")
	}
	switch t.GetKind() {
	case pluginv1.Kind_KIND_LIST:
		l, err := elements(data)
		if err != nil {
			return problem(path, "%w", err)
		}
		var problems []Problem
		for i, x := range l {
			problems = append(problems, checkValue(t.GetElement(), x, at(path, i))...)
		}
		return problems
	case pluginv1.Kind_KIND_MAP:
		m, err := members(data)
		if err != nil {
			return problem(path, "%w", err)
		}
		var problems []Problem
		for key, x := range m {
			problems = append(problems, checkValue(t.GetElement(), x, at(path, key))...)
		}
		return problems
	case pluginv1.Kind_KIND_OBJECT:
		m, err := members(data)
		if err != nil {
			return problem(path, "%w", err)
		}
		problems := checkAttributes(t.GetAttributes(), m, path)
		return append(problems, unknown(m, path)...)
	default:
		if err := checkScalar(t, data); err != nil {
			return problem(path, "%w", err)
		}
		return nil
	}
}

func checkScalar(t *pluginv1.Type, data []byte) error {
	switch t.GetKind() {
	case pluginv1.Kind_KIND_STRING:
		_, err := stringOf(data)
		return err
	case pluginv1.Kind_KIND_ENUM:
		text, err := stringOf(data)
		if err == nil && !slices.Contains(t.GetValues(), text) {
			err = fmt.Errorf("%q is none of %s", text, strings.Join(t.GetValues(), ", "))
		}
		return err
	case pluginv1.Kind_KIND_BOOL:
		var v bool
		if json.Unmarshal(data, &v) != nil {
			return errors.New("expected true or false")
		}
		return nil
	case pluginv1.Kind_KIND_INT, pluginv1.Kind_KIND_DURATION, pluginv1.Kind_KIND_BYTES:
		text, err := stringOf(data)
		if err == nil {
			_, err = parseInt(text)
		}
		return err
	case pluginv1.Kind_KIND_NUMBER:
		var v float64
		if json.Unmarshal(data, &v) != nil {
			return errors.New("expected a number")
		}
		return nil
	default:
		return fmt.Errorf("the schema has a value of unknown kind %d", t.GetKind())
	}
}

func stringOf(data []byte) (string, error) {
	var s string
	if json.Unmarshal(data, &s) != nil {
		return "", errors.New("expected a string")
	}
	return s, nil
}

// parseInt reads a whole number. One that only fits without a sign is given as its bits.
func parseInt(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number of 64 bits", text)
	}
	return n, nil
}

func checkBounds(a *pluginv1.Attribute, data []byte) error {
	if a.GetPattern() != "" {
		text, err := stringOf(data)
		if err != nil {
			return err
		}
		re, err := regexp.Compile(`\A(?:` + a.GetPattern() + `)\z`)
		if err != nil {
			return err
		}
		if !re.MatchString(text) {
			return fmt.Errorf("%q does not match %s", text, a.GetPattern())
		}
	}
	if a.GetMinJson() == "" && a.GetMaxJson() == "" {
		return nil
	}
	value, err := figure(a.GetType(), data)
	if err != nil {
		return err
	}
	if low, err := bound(a.GetMinJson()); err == nil && value < low {
		return fmt.Errorf("%s is less than the least, %s", text(data), text([]byte(a.GetMinJson())))
	}
	if high, err := bound(a.GetMaxJson()); err == nil && value > high {
		return fmt.Errorf("%s is more than the most, %s", text(data), text([]byte(a.GetMaxJson())))
	}
	return nil
}

func text(data []byte) string { return strings.Trim(string(data), `"`) }

// figure is what a bound is compared with: the number, or how many elements there are.
func figure(t *pluginv1.Type, data []byte) (float64, error) {
	switch t.GetKind() {
	case pluginv1.Kind_KIND_LIST:
		l, err := elements(data)
		return float64(len(l)), err
	case pluginv1.Kind_KIND_MAP:
		m, err := members(data)
		return float64(len(m)), err
	default:
		return bound(string(data))
	}
}

func bound(text string) (float64, error) { return strconv.ParseFloat(strings.Trim(text, `"`), 64) }
