package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parse reads resources in either of the forms operators write: the text name(role):value;... and the
// JSON array of resource objects. A value is a number, ranges like [1-5,8-9], or a set like {a,b}; the
// role may be left out. Resources that name no role become static reservations for defaultRole, unless
// that is "*" or empty. Errors name the entry and what is wrong with it.
func Parse(text, defaultRole string) (Resources, error) {
	if defaultRole != "" {
		if err := ValidateRole(defaultRole); err != nil {
			return Resources{}, fmt.Errorf("default role: %w", err)
		}
	}
	if !utf8.ValidString(text) {
		return Resources{}, errors.New("resources are not valid UTF-8")
	}
	trimmed := strings.TrimSpace(text)
	if strings.HasPrefix(trimmed, "[") {
		return parseJSON(trimmed, defaultRole)
	}
	var all []Resource
	entry := 0
	for part := range strings.SplitSeq(trimmed, ";") {
		entry++
		if strings.TrimSpace(part) == "" {
			continue
		}
		r, err := parseEntry(part, defaultRole)
		if err != nil {
			return Resources{}, fmt.Errorf("resource %d (%q): %w", entry, strings.TrimSpace(part), err)
		}
		all = append(all, r)
	}
	return New(all...)
}

// parseEntry reads name(role):value.
func parseEntry(text, defaultRole string) (Resource, error) {
	head, value, found := strings.Cut(text, ":")
	if !found {
		return Resource{}, errors.New("expected name:value or name(role):value")
	}
	name, role, err := parseHead(strings.TrimSpace(head), defaultRole)
	if err != nil {
		return Resource{}, err
	}
	r := Resource{Name: name, Reservations: staticFor(role)}
	if err := r.parseValue(strings.TrimSpace(value)); err != nil {
		return Resource{}, err
	}
	return r, r.normalise()
}

// parseHead reads name or name(role).
func parseHead(head, defaultRole string) (name, role string, err error) {
	name, role = head, defaultRole
	if open := strings.IndexByte(head, '('); open >= 0 {
		if !strings.HasSuffix(head, ")") {
			return "", "", errors.New("the role's ')' is missing before ':'")
		}
		name, role = strings.TrimSpace(head[:open]), strings.TrimSpace(head[open+1:len(head)-1])
		if err := ValidateRole(role); err != nil {
			return "", "", err
		}
	}
	switch {
	case name == "":
		return "", "", errors.New("the name is missing")
	case strings.ContainsAny(name, "()[]{}, \t\r\n"):
		return "", "", fmt.Errorf("name %q contains brackets, commas or white space", name)
	}
	return name, role, nil
}

// staticFor is the reservations of a resource that configuration assigns to a role.
func staticFor(role string) []Reservation {
	if role == "" || role == DefaultRole {
		return nil
	}
	return []Reservation{{Type: Static, Role: role}}
}

func (r *Resource) parseValue(text string) error {
	var err error
	switch {
	case text == "":
		return errors.New("the value is missing")
	case text[0] == '[':
		r.Kind = KindRanges
		r.Ranges, err = parseRanges(text)
	case text[0] == '{':
		r.Kind = KindSet
		r.Set, err = parseSet(text)
	default:
		r.Kind = KindScalar
		r.Scalar, err = parseScalarText(text)
	}
	return err
}

// parseRanges reads [1-5,8-9].
func parseRanges(text string) (Ranges, error) {
	inner, err := between(text, '[', ']')
	if err != nil {
		return nil, err
	}
	var ranges []Range
	for part := range strings.SplitSeq(inner, ",") {
		if strings.TrimSpace(inner) == "" {
			break
		}
		begin, end, found := strings.Cut(part, "-")
		if !found {
			return nil, fmt.Errorf("range %q: expected begin-end", strings.TrimSpace(part))
		}
		b, err := strconv.ParseUint(strings.TrimSpace(begin), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("range %q: begin: %w", strings.TrimSpace(part), errors.Unwrap(err))
		}
		e, err := strconv.ParseUint(strings.TrimSpace(end), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("range %q: end: %w", strings.TrimSpace(part), errors.Unwrap(err))
		}
		ranges = append(ranges, Range{b, e})
	}
	return NewRanges(ranges...)
}

// parseSet reads {a,b}.
func parseSet(text string) (Set, error) {
	inner, err := between(text, '{', '}')
	if err != nil {
		return nil, err
	}
	var items []string
	for part := range strings.SplitSeq(inner, ",") {
		if strings.TrimSpace(inner) == "" {
			break
		}
		name := strings.TrimSpace(part)
		if name == "" || strings.ContainsAny(name, "{}") {
			return nil, fmt.Errorf("%q is no name for an item of a set", name)
		}
		items = append(items, name)
	}
	return NewSet(items...)
}

func between(text string, first, last byte) (string, error) {
	if len(text) < 2 || text[0] != first || text[len(text)-1] != last {
		return "", fmt.Errorf("the value %q does not end with '%c'", text, last)
	}
	return text[1 : len(text)-1], nil
}

// parseJSON reads an array of resource objects.
func parseJSON(text, defaultRole string) (Resources, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return Resources{}, fmt.Errorf("resources in JSON: %w", place(text, err))
	}
	all := make([]Resource, 0, len(raw))
	for i, one := range raw {
		var object jsonResource
		if err := json.Unmarshal(one, &object); err != nil {
			return Resources{}, fmt.Errorf("resource %d: %w", i+1, err)
		}
		r, err := object.resource(defaultRole)
		if err != nil {
			return Resources{}, fmt.Errorf("resource %d (%q): %w", i+1, object.Name, err)
		}
		all = append(all, r)
	}
	return New(all...)
}

// place adds line and column to a syntax error.
func place(text string, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	before := text[:min(int(syntax.Offset), len(text))]
	line := strings.Count(before, "\n") + 1
	column := len(before) - strings.LastIndexByte(before, '\n') - 1
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}
