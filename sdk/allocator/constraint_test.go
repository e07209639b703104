package allocator_test

import (
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

func TestConstraint(t *testing.T) {
	t.Parallel()
	a := &allocator.Agent{Hostname: "h1", Region: "eu", Attributes: []resource.Attribute{
		{Name: "rack", Text: "r7"}, {Name: "rack", Text: "r8"}, {Name: "n", Kind: resource.AttributeScalar, Scalar: 5000},
	}}
	const attribute = allocator.SelectAttribute
	for _, c := range []struct {
		s    allocator.Selector
		name string
		p    allocator.Predicate
		text string
		want bool
	}{
		{attribute, "rack", allocator.Exists, "", true},
		{attribute, "none", allocator.Exists, "", false},
		{attribute, "none", allocator.NotExists, "", true},
		{attribute, "rack", allocator.NotExists, "", false},
		{attribute, "rack", allocator.TextEquals, "r7", true},
		{attribute, "rack", allocator.TextEquals, "r8", false}, // the first of a name counts
		{attribute, "none", allocator.TextEquals, "r7", false},
		{attribute, "rack", allocator.TextNotEquals, "r7", false},
		{attribute, "rack", allocator.TextNotEquals, "r8", true},
		{attribute, "none", allocator.TextNotEquals, "r7", true},
		{attribute, "rack", allocator.TextMatches, "r[0-9]", true},
		{attribute, "rack", allocator.TextMatches, "r|7", false}, // the whole value
		{attribute, "none", allocator.TextMatches, ".*", false},
		{attribute, "rack", allocator.TextNotMatches, "r[0-9]", false},
		{attribute, "none", allocator.TextNotMatches, ".*", true},
		// What is no text satisfies all that is said of texts.
		{attribute, "n", allocator.TextEquals, "x", true},
		{attribute, "n", allocator.TextNotEquals, "5", true},
		{attribute, "n", allocator.TextMatches, "x", true},
		{attribute, "n", allocator.TextNotMatches, ".*", true},
		{attribute, "n", allocator.Exists, "", true},
		{allocator.SelectHostname, "", allocator.TextEquals, "h1", true},
		{allocator.SelectRegion, "", allocator.TextEquals, "eu", true},
		{allocator.SelectZone, "", allocator.Exists, "", false},
	} {
		constraint, err := allocator.NewConstraint(c.s, c.name, c.p, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := constraint.Match(a); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestRoleConstraints(t *testing.T) {
	t.Parallel()
	host := func(name string) allocator.Constraint {
		c, err := allocator.NewConstraint(allocator.SelectHostname, "", allocator.TextEquals, name)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	group := func(cs ...allocator.Constraint) allocator.ConstraintGroup {
		return allocator.ConstraintGroup{Constraints: cs}
	}
	a := &allocator.Agent{Hostname: "h1"}
	for _, c := range []struct {
		groups []allocator.ConstraintGroup
		want   bool
	}{
		{[]allocator.ConstraintGroup{group(host("h1"))}, true},
		{[]allocator.ConstraintGroup{group(host("h2")), group(host("h1"))}, true},
		{[]allocator.ConstraintGroup{group(host("h1"), host("h2"))}, false},
		{nil, false},
	} {
		if got := (allocator.RoleConstraints{Groups: c.groups}).Match(a); got != c.want {
			t.Errorf("%+v: %v", c.groups, got)
		}
	}
}

func TestNewConstraintRefuses(t *testing.T) {
	t.Parallel()
	if _, err := allocator.NewConstraint(allocator.SelectHostname, "", allocator.TextMatches, "("); err == nil {
		t.Error("a bad expression")
	}
	if _, err := allocator.NewConstraint(9, "", allocator.Exists, ""); err == nil {
		t.Error("a bad selector")
	}
	if _, err := allocator.NewConstraint(allocator.SelectZone, "", 9, ""); err == nil {
		t.Error("a bad predicate")
	}
}
