package opa

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// defined is a call that holds for any value. In `not startswith(input.object.name, "a")` Rego looks the name up first,
// so that the rule fails for an object without one. What partial evaluation leaves has lost this: it puts
// input.object.name back into the negation, which holds then. So the policies that are compiled for filtering have this
// call after each such look-up, and it stays.
const defined = "internal.defined"

var definedType = types.NewFunction(types.Args(types.A), types.B)

// definedFunction is the call for evaluation.
func definedFunction() func(*rego.Rego) {
	return rego.Function1(&rego.Function{Name: defined, Decl: definedType},
		func(rego.BuiltinContext, *ast.Term) (*ast.Term, error) { return ast.BooleanTerm(true), nil })
}

// filterCompiler compiles policies so that partial evaluation keeps what they need to be defined.
func filterCompiler() *ast.Compiler {
	capabilities := ast.CapabilitiesForThisVersion()
	capabilities.Builtins = append(capabilities.Builtins, &ast.Builtin{Name: defined, Decl: definedType})
	return ast.NewCompiler().WithCapabilities(capabilities).WithStageAfterID(ast.StageRewriteDynamicTerms,
		ast.CompilerStageDefinition{Name: "Defined", MetricName: "compile_stage_defined", Stage: keepDefined})
}

// keepDefined puts the call after each look-up of each body of the policies.
func keepDefined(c *ast.Compiler) *ast.Error {
	bodies := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Rule:
			x.Body = withDefined(x.Body)
		case *ast.Every:
			x.Body = withDefined(x.Body)
		case *ast.Not:
			x.Body = withDefined(x.Body)
		case *ast.ArrayComprehension:
			x.Body = withDefined(x.Body)
		case *ast.SetComprehension:
			x.Body = withDefined(x.Body)
		case *ast.ObjectComprehension:
			x.Body = withDefined(x.Body)
		}
		return false
	})
	for name, m := range c.Modules {
		if name != verdictFile {
			bodies.Walk(m)
		}
	}
	return nil
}

func withDefined(b ast.Body) ast.Body {
	out := make(ast.Body, 0, len(b))
	for _, e := range b {
		out.Append(e)
		if v := lookedUp(e); v != nil {
			call := ast.NewExpr([]*ast.Term{ast.NewTerm(ast.MustParseRef(defined)), v})
			call.Location, call.Generated = e.Location, true
			out.Append(call)
		}
	}
	return out
}

// lookedUp is the variable that an expression gives the value of a reference; nil for another expression.
func lookedUp(e *ast.Expr) *ast.Term {
	if e.Negated || !e.IsEquality() || len(e.Operands()) != 2 {
		return nil
	}
	for i := range 2 {
		_, isVar := e.Operand(i).Value.(ast.Var)
		_, isRef := e.Operand(1 - i).Value.(ast.Ref)
		if isVar && isRef {
			return e.Operand(i)
		}
	}
	return nil
}

// isDefined tells whether an expression is the call.
func isDefined(e *ast.Expr) bool { return e.IsCall() && e.Operator().String() == defined }

// implied tells whether an expression is the call about what another one of the body, or the same one before it, is
// false without.
func implied(b ast.Body, i int) bool {
	if !isDefined(b[i]) || b[i].Negated {
		return false
	}
	ref, ok := b[i].Operand(0).Value.(ast.Ref)
	for j, e := range b {
		if !ok || j == i || e.Negated || len(e.With) > 0 || isDefined(e) && j > i {
			continue
		}
		operands := e.Operands()
		if t, one := e.Terms.(*ast.Term); one {
			operands = []*ast.Term{t}
		}
		for _, o := range operands {
			if longer, isRef := o.Value.(ast.Ref); isRef && longer.HasPrefix(ref) {
				return true
			}
		}
	}
	return false
}

// exists is the predicate for the call.
func exists(e *ast.Expr) (authorizer.Predicate, error) {
	x, err := newOperand(e, e.Operand(0), false)
	if err != nil || x.constant != nil {
		return authorizer.Always(), err
	}
	return x.within(0, authorizer.HasField(x.term(0, x.lists()))), nil
}
