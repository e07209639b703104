package drf

import (
	"maps"
	"slices"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// framework returns what is kept of a framework, made when it is new.
func (a *Allocator) framework(id string) *framework {
	f := a.frameworks[id]
	if f == nil {
		f = &framework{Framework: allocator.Framework{ID: id}}
		a.frameworks[id] = f
	}
	return f
}

// client returns a framework's client in a role, made when it is new.
func (a *Allocator) client(id, role string) *client {
	f := a.framework(id)
	if c := f.find(role); c != nil {
		return c
	}
	c := &client{framework: f, role: role}
	c.node = a.tree.add(role, id, c)
	f.clients = append(f.clients, c)
	return c
}

// drop forgets a client that has nothing and is not subscribed, and its framework when nothing of it is
// left.
func (a *Allocator) drop(c *client) {
	f := c.framework
	if c.uses > 0 || c.subscribed {
		return
	}
	i := slices.Index(f.clients, c)
	if i < 0 {
		return
	}
	c.node.activate(false)
	a.tree.remove(c.role, c.node)
	f.clients = slices.Delete(f.clients, i, i+1)
	if !f.known && len(f.clients) == 0 {
		delete(a.frameworks, f.ID)
	}
}

// setFramework puts in what is now known of a framework. If it may be offered more than before, all
// agents are looked at.
func (a *Allocator) setFramework(in allocator.Framework) {
	f := a.framework(in.ID)
	wider := !f.known || !sameDemands(&f.Framework, &in)
	f.Framework, f.known = in, true
	for _, c := range slices.Clone(f.clients) {
		if c.subscribed && !slices.Contains(in.Roles, c.role) {
			c.subscribed = false
			c.generation++ // the role's filters go with it
		}
	}
	for _, role := range in.Roles {
		c := a.client(in.ID, role)
		suppressed := slices.Contains(in.Suppressed, role)
		if c.suppressed && !suppressed {
			c.generation++
		}
		c.subscribed, c.suppressed = true, suppressed
	}
	if a.settle(f) || wider {
		a.markAll()
	}
}

// sameDemands tells whether nothing changed that decides what a framework can be offered, its roles and
// suppression aside.
func sameDemands(a, b *allocator.Framework) bool {
	return a.Capabilities == b.Capabilities &&
		maps.EqualFunc(a.MinAllocatable, b.MinAllocatable, sameMinimum) &&
		maps.EqualFunc(a.Constraints, b.Constraints, sameConstraints)
}

func sameMinimum(a, b []resource.Quantities) bool {
	return slices.EqualFunc(a, b, resource.Quantities.Equal)
}

func sameConstraints(a, b allocator.RoleConstraints) bool {
	return slices.EqualFunc(a.Groups, b.Groups, func(x, y allocator.ConstraintGroup) bool {
		return slices.EqualFunc(x.Constraints, y.Constraints, func(c, d allocator.Constraint) bool {
			return c.Selector() == d.Selector() && c.Attribute() == d.Attribute() &&
				c.Predicate() == d.Predicate() && c.Text() == d.Text()
		})
	})
}

// settle brings the order up to date with who wants offers, forgets clients that are no more, and tells
// whether some client wants offers that did not before.
func (a *Allocator) settle(f *framework) bool {
	more := false
	for _, c := range slices.Clone(f.clients) {
		wants := c.wants()
		more = more || (wants && !c.node.active)
		c.node.activate(wants)
		a.drop(c)
	}
	return more
}

func (a *Allocator) removeFramework(id string) {
	f := a.frameworks[id]
	if f == nil {
		return
	}
	f.known = false
	for _, c := range slices.Clone(f.clients) {
		c.subscribed = false
		c.generation++
	}
	a.settle(f)
	if len(f.clients) == 0 && a.frameworks[id] == f {
		delete(a.frameworks, id)
	}
}

// revive drops the filters of a framework's roles and no longer suppresses them.
func (a *Allocator) revive(u allocator.Revived) {
	f := a.frameworks[u.Framework]
	if f == nil || !f.known {
		return
	}
	for _, c := range f.clients {
		if c.subscribed && (len(u.Roles) == 0 || slices.Contains(u.Roles, c.role)) {
			c.suppressed = false
			c.generation++
		}
	}
	f.Suppressed = slices.DeleteFunc(slices.Clone(f.Suppressed), func(role string) bool {
		c := f.find(role)
		return c == nil || !c.suppressed
	})
	a.settle(f)
	a.markAll()
}
