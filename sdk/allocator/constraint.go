package allocator

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// RoleConstraints says which agents a role's offers may come from: those for which one of the groups
// holds. It has at least one group.
type RoleConstraints struct{ Groups []ConstraintGroup }

// ConstraintGroup holds when all of its constraints do. It has at least one.
type ConstraintGroup struct{ Constraints []Constraint }

// Selector says what of an agent a constraint looks at.
type Selector uint8

const (
	// SelectAttribute is the first attribute of the constraint's name.
	SelectAttribute Selector = iota
	// SelectHostname is the agent's hostname.
	SelectHostname
	// SelectRegion is the region of its fault domain.
	SelectRegion
	// SelectZone is the zone of its fault domain.
	SelectZone
)

// Predicate is what a constraint demands of the value.
type Predicate uint8

const (
	// Exists holds when there is a value.
	Exists Predicate = iota
	// NotExists holds when there is none.
	NotExists
	// TextEquals holds when the value is the constraint's text, or is no text at all.
	TextEquals
	// TextNotEquals holds when it is not, also when there is no value.
	TextNotEquals
	// TextMatches holds when the whole value matches the constraint's regular expression (RE2), or is no
	// text.
	TextMatches
	// TextNotMatches holds when it does not, also when there is no value.
	TextNotMatches
)

// Constraint is one demand on an agent. Make it with NewConstraint.
type Constraint struct {
	selector  Selector
	name      string
	predicate Predicate
	text      string
	re        *regexp.Regexp
}

// NewConstraint checks and compiles a constraint. attribute is for SelectAttribute; text is the value or
// the regular expression of those predicates that have one.
func NewConstraint(s Selector, attribute string, p Predicate, text string) (Constraint, error) {
	c := Constraint{selector: s, name: attribute, predicate: p, text: text}
	switch {
	case s > SelectZone:
		return Constraint{}, fmt.Errorf("unknown selector %d", s)
	case p > TextNotMatches:
		return Constraint{}, fmt.Errorf("unknown predicate %d", p)
	case p == TextMatches || p == TextNotMatches:
		re, err := regexp.Compile(`\A(?:` + text + `)\z`)
		if err != nil {
			return Constraint{}, fmt.Errorf("compile constraint %q: %w", text, err)
		}
		c.re = re
	}
	return c, nil
}

// Selector is what the constraint looks at.
func (c Constraint) Selector() Selector { return c.selector }

// Attribute is the name of the attribute it looks at, for SelectAttribute.
func (c Constraint) Attribute() string { return c.name }

// Predicate is what it demands.
func (c Constraint) Predicate() Predicate { return c.predicate }

// Text is the value or the regular expression it demands.
func (c Constraint) Text() string { return c.text }

// Match tells whether the agent satisfies the constraints.
func (r RoleConstraints) Match(a *Agent) bool {
	return slices.ContainsFunc(r.Groups, func(g ConstraintGroup) bool { return g.match(a) })
}

func (g ConstraintGroup) match(a *Agent) bool {
	for i := range g.Constraints {
		if !g.Constraints[i].Match(a) {
			return false
		}
	}
	return true
}

// Match tells whether the agent satisfies the constraint. A value that is not text satisfies all four
// predicates about text, as in Mesos.
func (c *Constraint) Match(a *Agent) bool {
	value, isText, found := c.value(a)
	switch c.predicate {
	case Exists:
		return found
	case NotExists:
		return !found
	}
	negative := c.predicate == TextNotEquals || c.predicate == TextNotMatches
	switch {
	case !found:
		return negative
	case !isText:
		return true
	case c.re != nil:
		return c.re.MatchString(value) != negative
	default:
		return (value == c.text) != negative
	}
}

// value is what the constraint looks at, whether it is text, and whether there is one.
func (c *Constraint) value(a *Agent) (text string, isText, found bool) {
	switch c.selector {
	case SelectHostname:
		return a.Hostname, true, true
	case SelectRegion:
		return a.Region, true, a.Region != ""
	case SelectZone:
		return a.Zone, true, a.Zone != ""
	}
	for i := range a.Attributes {
		if a.Attributes[i].Name == c.name {
			return attributeText(&a.Attributes[i])
		}
	}
	return "", false, false
}

func attributeText(a *resource.Attribute) (text string, isText, found bool) {
	return a.Text, a.Kind == resource.AttributeText, true
}
