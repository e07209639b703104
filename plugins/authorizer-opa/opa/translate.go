package opa

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// translation turns what partial evaluation leaves of a policy into a predicate on the object. What it cannot
// express exactly it refuses, with the place in the policy.
type translation struct {
	// support are the rules that the queries refer to, by reference.
	support map[string][]*ast.Rule
	// depth bounds how far rules refer to rules.
	depth int
	// gather has the translation go on after a misfit, to find them all in misfits.
	gather  bool
	misfits []*misfit
}

const maxDepth = 16

func newTranslation(modules []*ast.Module) *translation {
	t := &translation{support: map[string][]*ast.Rule{}}
	for _, m := range modules {
		for _, r := range m.Rules {
			ref := m.Package.Path.Extend(r.Head.Ref())
			t.support[ref.String()] = append(t.support[ref.String()], r)
		}
	}
	return t
}

// queries is true where one of the queries is. A query of no expressions is always true.
func (t *translation) queries(qs []ast.Body) (authorizer.Predicate, error) {
	var alternatives []authorizer.Predicate
	for _, q := range qs {
		p, err := t.body(q)
		var m *misfit
		if t.gather && errors.As(err, &m) {
			t.misfits = append(t.misfits, m)
			continue
		}
		if err != nil {
			return p, err
		}
		if p.Op == authorizer.True {
			return p, nil
		}
		alternatives = append(alternatives, p)
	}
	switch len(alternatives) {
	case 0:
		return authorizer.Never(), nil
	case 1:
		return alternatives[0], nil
	}
	return authorizer.OneOf(alternatives...), nil
}

func (t *translation) body(b ast.Body) (authorizer.Predicate, error) {
	var all []authorizer.Predicate
	seen := map[ast.Var]int{}
	for i, e := range b {
		if implied(b, i) {
			continue
		}
		if err := sharesVariables(e, i, seen); err != nil {
			return authorizer.Predicate{}, err
		}
		p, err := t.expression(e)
		if err != nil {
			return p, err
		}
		if p.Op != authorizer.True {
			all = append(all, p)
		}
	}
	switch len(all) {
	case 0:
		return authorizer.Always(), nil
	case 1:
		return all[0], nil
	}
	return authorizer.All(all...), nil
}

// sharesVariables refuses a variable that two expressions have in common: each expression becomes a condition of
// its own, so nothing would tie them to the same element.
func sharesVariables(e *ast.Expr, i int, seen map[ast.Var]int) error {
	var err error
	ast.WalkVars(e, func(v ast.Var) bool {
		if v.Equal(ast.InputRootDocument.Value) || v.Equal(ast.DefaultRootDocument.Value) || isOperator(v) {
			return false
		}
		if j, ok := seen[v]; ok && j != i {
			err = refuse(e, "a variable stands for the same element in several conditions")
		}
		seen[v] = i
		return false
	})
	return err
}

func isOperator(v ast.Var) bool {
	_, ok := ast.BuiltinMap[string(v)]
	return ok || v == "internal" || v == "data"
}

// misfit is why an expression that partial evaluation leaves is no predicate.
type misfit struct {
	// at is the place in the policies; nil when it is not known.
	at   *ast.Location
	why  string
	expr fmt.Stringer
}

// Error gives the place, the reason and the expression.
func (m *misfit) Error() string {
	if m.at != nil {
		return fmt.Sprintf("%s:%d: %s: %s", m.at.File, m.at.Row, m.why, m.expr)
	}
	return fmt.Sprintf("%s: %s", m.why, m.expr)
}

func refuse(e *ast.Expr, why string) error { return &misfit{at: place(e), why: why, expr: e} }

// place is where in the policies an expression comes from. Partial evaluation makes expressions of its own, whose
// terms still know.
func place(e *ast.Expr) *ast.Location {
	if e.Location != nil && e.Location.File != "" {
		return e.Location
	}
	var at *ast.Location
	ast.WalkTerms(e, func(t *ast.Term) bool {
		if at == nil && t.Location != nil && t.Location.File != "" {
			at = t.Location
		}
		return at != nil
	})
	return at
}

func (t *translation) expression(e *ast.Expr) (authorizer.Predicate, error) {
	if len(e.With) > 0 {
		return authorizer.Predicate{}, refuse(e, "`with` has no place in a predicate")
	}
	p, err := t.positive(e)
	if err != nil || !e.Negated {
		return p, err
	}
	switch p.Op {
	case authorizer.True:
		return authorizer.Never(), nil
	case authorizer.False:
		return authorizer.Always(), nil
	}
	return authorizer.Negate(p), nil
}

func (t *translation) positive(e *ast.Expr) (authorizer.Predicate, error) {
	if e.IsCall() {
		return t.call(e)
	}
	term, ok := e.Terms.(*ast.Term)
	if !ok {
		return authorizer.Predicate{}, refuse(e, "this form has no predicate")
	}
	switch v := term.Value.(type) {
	case ast.Boolean:
		if v {
			return authorizer.Always(), nil
		}
		return authorizer.Never(), nil
	case ast.Ref:
		if rules, ok := t.support[v.String()]; ok {
			return t.rules(e, rules)
		}
		// A reference holds when it has a value other than false.
		return truthy(e, term)
	}
	return authorizer.Predicate{}, refuse(e, "this form has no predicate")
}

// rules is true where one of a supporting rule's bodies is.
func (t *translation) rules(e *ast.Expr, rules []*ast.Rule) (authorizer.Predicate, error) {
	if t.depth++; t.depth > maxDepth {
		return authorizer.Predicate{}, refuse(e, "rules refer to rules too deeply")
	}
	defer func() { t.depth-- }()
	var bodies []ast.Body
	for _, r := range rules {
		if len(r.Head.Args) > 0 || r.Head.Key != nil || r.Else != nil || r.Default || r.Head.Value == nil || !r.Head.Value.Equal(ast.BooleanTerm(true)) {
			return authorizer.Predicate{}, refuse(e, "only rules that are true or undefined have a predicate")
		}
		bodies = append(bodies, r.Body)
	}
	return t.queries(bodies)
}

// operators are the calls of two arguments that have a counterpart.
var operators = map[string]authorizer.Op{
	ast.Equality.Name: authorizer.Eq, ast.Equal.Name: authorizer.Eq, ast.Assign.Name: authorizer.Eq,
	ast.NotEqual.Name: authorizer.Ne, ast.LessThan.Name: authorizer.Lt, ast.LessThanEq.Name: authorizer.Le,
	ast.GreaterThan.Name: authorizer.Gt, ast.GreaterThanEq.Name: authorizer.Ge,
	ast.StartsWith.Name: authorizer.Prefix, ast.EndsWith.Name: authorizer.Suffix, ast.Contains.Name: authorizer.Contains,
	ast.Member.Name: authorizer.In,
}

func (t *translation) call(e *ast.Expr) (authorizer.Predicate, error) {
	if isDefined(e) {
		return exists(e)
	}
	op, ok := operators[e.Operator().String()]
	if !ok || len(e.Operands()) != 2 {
		return authorizer.Predicate{}, refuse(e, "this call has no predicate")
	}
	left, err := newOperand(e, e.Operand(0), false)
	if err != nil {
		return authorizer.Predicate{}, err
	}
	right, err := newOperand(e, e.Operand(1), op == authorizer.In)
	if err != nil {
		return authorizer.Predicate{}, err
	}
	if left.shares(right) {
		return authorizer.Predicate{}, refuse(e, "a variable stands for the same element on both sides")
	}
	n, m := left.lists(), right.lists()
	p := authorizer.Compare(op, left.term(m, n+m), right.term(0, n+m))
	return left.within(0, right.within(n, p)), nil
}

// truthy holds where the reference has a value other than false.
func truthy(e *ast.Expr, t *ast.Term) (authorizer.Predicate, error) {
	x, err := newOperand(e, t, false)
	if err != nil {
		return authorizer.Predicate{}, err
	}
	p := authorizer.Compare(authorizer.Ne, x.term(0, x.lists()), authorizer.Const(authorizer.BoolValue(false)))
	return x.within(0, p), nil
}
