package opa

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/agext/levenshtein"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// maxMisnamed bounds what is told of a policy.
const maxMisnamed = 20

// finding is something about a place in a policy.
type finding struct {
	at   *ast.Location
	text string
}

// vocabularies are the fields of the input that have one of a few names.
func vocabularies() map[string][]string {
	var actions, kinds []string
	for _, a := range authorizer.Actions() {
		actions = append(actions, string(a.Action))
	}
	for _, k := range authorizer.Kinds() {
		kinds = append(kinds, string(k.Kind))
	}
	return map[string][]string{"action": actions, "kind": kinds}
}

// misnamed tells where modules compare input.action or input.kind with a name that does not exist: an allow that never
// allows, or, worse, a deny that never denies.
func misnamed(modules map[string]*ast.Module) []string {
	known := vocabularies()
	var found []finding
	look := func(terms []*ast.Term) {
		for _, field := range slices.Sorted(maps.Keys(known)) {
			for _, name := range comparedWith(terms, field) {
				if text := string(name.Value.(ast.String)); !slices.Contains(known[field], text) {
					found = append(found, finding{name.Location, fmt.Sprintf("input.%s is never %q%s", field, text, meant(text, known[field]))})
				}
			}
		}
	}
	visitor := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if terms, ok := x.Terms.([]*ast.Term); ok {
				look(terms)
			}
		case ast.Call:
			look(x)
		}
		return false
	})
	for _, m := range modules {
		visitor.Walk(m)
	}
	slices.SortFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.at.File, b.at.File), cmp.Compare(a.at.Row, b.at.Row), cmp.Compare(a.at.Col, b.at.Col))
	})
	var out []string
	for _, f := range found[:min(len(found), maxMisnamed)] {
		out = append(out, fmt.Sprintf("%s:%d: %s", f.at.File, f.at.Row, f.text))
	}
	return out
}

// comparedWith are the texts that a call, an operator with two operands, compares a field of the input with.
func comparedWith(call []*ast.Term, field string) []*ast.Term {
	if len(call) != 3 {
		return nil
	}
	left, right := call[1], call[2]
	switch call[0].String() {
	case ast.Equal.Name, ast.Equality.Name, ast.NotEqual.Name:
		if isInput(right, field) {
			left, right = right, left
		}
		if _, text := right.Value.(ast.String); text && isInput(left, field) {
			return []*ast.Term{right}
		}
	case ast.Member.Name:
		if isInput(left, field) {
			return elements(right)
		}
	}
	return nil
}

func isInput(t *ast.Term, field string) bool {
	ref, ok := t.Value.(ast.Ref)
	return ok && ref.String() == "input."+field
}

// elements are the texts in a set or an array that is written out.
func elements(t *ast.Term) []*ast.Term {
	var out []*ast.Term
	take := func(e *ast.Term) {
		if _, text := e.Value.(ast.String); text {
			out = append(out, e)
		}
	}
	switch v := t.Value.(type) {
	case ast.Set:
		v.Foreach(take)
	case *ast.Array:
		v.Foreach(take)
	}
	return out
}

// meant gives `; did you mean "x"?` for the name nearest to a wrong one, or nothing.
func meant(wrong string, known []string) string {
	best, distance := "", 4
	for _, k := range known {
		if d := levenshtein.Distance(wrong, k, nil); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
