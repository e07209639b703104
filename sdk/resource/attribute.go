package resource

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// AttributeKind says which of an Attribute's values counts.
type AttributeKind uint8

const (
	// AttributeText is any words.
	AttributeText AttributeKind = iota
	// AttributeScalar is a number.
	AttributeScalar
	// AttributeRanges is a set of integers.
	AttributeRanges
)

// Attribute is something an agent tells about itself, like the rack it stands in. Frameworks see it in
// offers.
type Attribute struct {
	Name   string
	Kind   AttributeKind
	Text   string
	Scalar Scalar
	Ranges Ranges
}

// ParseAttributes reads name:value;name:value. What is a number that a Scalar can hold is one, [1-3] is
// ranges, a set like {a} is an error, and everything else is text. A name may occur more than once, and the order is kept,
// as in Mesos.
func ParseAttributes(text string) ([]Attribute, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("attributes are not valid UTF-8")
	}
	var all []Attribute
	entry := 0
	for part := range strings.SplitSeq(text, ";") {
		entry++
		if strings.TrimSpace(part) == "" {
			continue
		}
		a, err := parseAttribute(part)
		if err != nil {
			return nil, fmt.Errorf("attribute %d (%q): %w", entry, strings.TrimSpace(part), err)
		}
		all = append(all, a)
	}
	return all, nil
}

func parseAttribute(text string) (Attribute, error) {
	name, value, found := strings.Cut(text, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case !found:
		return Attribute{}, errors.New("expected name:value")
	case name == "":
		return Attribute{}, errors.New("the name is missing")
	}
	return NewAttribute(name, value)
}

// NewAttribute makes an attribute of the value's text, as ParseAttributes does.
func NewAttribute(name, value string) (Attribute, error) {
	a := Attribute{Name: name}
	var err error
	switch {
	case value == "":
		return Attribute{}, errors.New("the value is missing")
	case value[0] == '{':
		return Attribute{}, errors.New("an attribute cannot be a set")
	case value[0] == '[':
		a.Kind = AttributeRanges
		a.Ranges, err = parseRanges(value)
		return a, err
	}
	if a.Scalar, err = parseScalarText(value); err == nil {
		a.Kind = AttributeScalar
		return a, nil
	}
	a.Scalar, a.Text = 0, value
	return a, nil
}

// Value writes the attribute's value as ParseAttributes reads it.
func (a Attribute) Value() string {
	switch a.Kind {
	case AttributeScalar:
		return a.Scalar.String()
	case AttributeRanges:
		return a.Ranges.String()
	default:
		return a.Text
	}
}

// String writes name:value.
func (a Attribute) String() string { return a.Name + ":" + a.Value() }
