package opa

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// operand is one side of a comparison: a constant, or a path into the object. A variable in the path stands for
// any element of the list before it, and cuts the path: input.object.a[i].b is the paths [a] and [b].
type operand struct {
	constant *authorizer.Value
	paths    [][]string
	vars     []ast.Var
}

// newOperand reads a term. Only a list of constants that is searched (asList) may be a set.
func newOperand(e *ast.Expr, t *ast.Term, asList bool) (operand, error) {
	ref, ok := t.Value.(ast.Ref)
	if !ok {
		v, err := constant(t.Value, asList)
		if err != nil {
			return operand{}, refuse(e, err.Error())
		}
		return operand{constant: &v}, nil
	}
	if ref.HasPrefix(ast.DefaultRootRef) {
		return operand{}, refuse(e, "a rule that looks at the object and has an `else` or a `default` has no predicate")
	}
	if !ref.HasPrefix(objectRef) {
		return operand{}, refuse(e, "only input.object may be unknown")
	}
	o := operand{paths: [][]string{{}}}
	for _, step := range ref[len(objectRef):] {
		last := len(o.paths) - 1
		switch v := step.Value.(type) {
		case ast.String:
			if _, err := strconv.Atoi(string(v)); err == nil {
				return operand{}, refuse(e, "a name that is a number has no predicate: it would stand for a list's element, too")
			}
			o.paths[last] = append(o.paths[last], string(v))
		case ast.Number:
			return operand{}, refuse(e, "an index has no predicate: it would stand for a name, too")
		case ast.Var:
			if slices.Contains(o.vars, v) {
				return operand{}, refuse(e, "a variable stands for the same element in two lists")
			}
			o.vars = append(o.vars, v)
			o.paths = append(o.paths, []string{})
		default:
			return operand{}, refuse(e, "a path is made of names and variables")
		}
	}
	return o, nil
}

var objectRef = ast.MustParseRef("input.object")

// lists is how many lists the path goes through.
func (o operand) lists() int { return len(o.vars) }

func (o operand) shares(p operand) bool {
	for _, v := range o.vars {
		for _, w := range p.vars {
			if v == w {
				return true
			}
		}
	}
	return false
}

// term is the operand inside all lists of the comparison: up is how many lists were entered after the operand's
// own, depth how many there are in all.
func (o operand) term(up, depth int) *authorizer.Term {
	switch {
	case o.constant != nil:
		return authorizer.Const(*o.constant)
	case o.lists() == 0:
		return authorizer.Outer(depth, o.paths[0]...)
	}
	return authorizer.Outer(up, o.paths[len(o.paths)-1]...)
}

// within wraps a condition on the elements in the operand's lists, the whole being inside depth lists already.
func (o operand) within(depth int, p authorizer.Predicate) authorizer.Predicate {
	for i := o.lists() - 1; i >= 0; i-- {
		up := 0
		if i == 0 {
			up = depth
		}
		p = authorizer.AnyOf(authorizer.Outer(up, o.paths[i]...), p)
	}
	return p
}

// constant turns a known value of the policy into one of the predicate.
func constant(v ast.Value, asList bool) (authorizer.Value, error) {
	switch x := v.(type) {
	case ast.Set:
		if !asList {
			break
		}
		v = ast.NewArray(x.Slice()...)
	case ast.Var:
		return authorizer.Value{}, errors.New("a variable that is made of the object has no predicate")
	case ast.Call:
		return authorizer.Value{}, errors.New("what a call gives has no predicate")
	case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
		return authorizer.Value{}, errors.New("a comprehension over the object has no predicate")
	}
	if !isPlain(v) {
		return authorizer.Value{}, errors.New("an object's fields hold nothing but JSON to compare with")
	}
	plain, err := ast.JSON(v)
	if err != nil {
		return authorizer.Value{}, errors.New("this value has no counterpart")
	}
	data, err := json.Marshal(plain)
	if err != nil {
		return authorizer.Value{}, err
	}
	var out authorizer.Value
	if err := json.Unmarshal(data, &out); err != nil {
		return authorizer.Value{}, err
	}
	return out, nil
}

// isPlain tells whether a value is one of JSON: without sets, and with texts as keys.
func isPlain(v ast.Value) bool {
	plain := true
	ast.WalkTerms(ast.NewTerm(v), func(t *ast.Term) bool {
		switch x := t.Value.(type) {
		case ast.Set:
			plain = false
		case ast.Object:
			x.Foreach(func(key, _ *ast.Term) {
				_, isText := key.Value.(ast.String)
				plain = plain && isText
			})
		}
		return !plain
	})
	return plain
}
