package opa

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// Check implements authorizer.PolicyTools: what OPA's compiler says, strict rules included as warnings; whether the
// rules that the host asks for are there; names that no question has; and what keeps Filter from a predicate.
func (a *Authorizer) Check(ctx context.Context, given []string) ([]authorizer.Finding, error) {
	paths, err := a.paths(given)
	if err != nil {
		return nil, err
	}
	files, err := read(withTests(paths), ignoredByTests)
	if err != nil {
		return findings(err), nil
	}
	modules := files.ParsedModules()
	out := compile(modules)
	policies := maps.Clone(modules)
	maps.DeleteFunc(policies, func(name string, _ *ast.Module) bool { return strings.HasSuffix(name, testSuffix) })
	out = append(out, lint(policies)...)
	if !slices.ContainsFunc(out, isError) {
		p, err := load(ctx, paths, a.config.Package, time.Now())
		if err != nil {
			out = append(out, findings(err)...)
		} else {
			out = append(out, p.residuals(ctx, principals(policies, files.Documents))...)
		}
	}
	return sorted(out), ctx.Err()
}

func isError(f authorizer.Finding) bool { return f.Severity == authorizer.SeverityError }

// compile says what the compiler says, and, where it has no errors, what it says when it is strict.
func compile(modules map[string]*ast.Module) []authorizer.Finding {
	c := ast.NewCompiler().SetErrorLimit(0)
	if c.Compile(modules); c.Failed() {
		return findings(c.Errors)
	}
	c = ast.NewCompiler().SetErrorLimit(0).WithStrict(true)
	if c.Compile(modules); !c.Failed() {
		return nil
	}
	out := findings(c.Errors)
	for i := range out {
		out[i].Severity, out[i].Code = authorizer.SeverityWarning, "strict"
	}
	return out
}

func findings(err error) []authorizer.Finding {
	var out []authorizer.Finding
	for _, e := range errorsIn(err) {
		out = append(out, finding(e))
	}
	return out
}

func sorted(fs []authorizer.Finding) []authorizer.Finding {
	slices.SortFunc(fs, func(a, b authorizer.Finding) int {
		return cmp.Or(cmp.Compare(a.Location.File, b.Location.File), cmp.Compare(a.Location.Line, b.Location.Line),
			cmp.Compare(a.Location.Column, b.Location.Column), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(fs)
}

// maxPrincipals bounds for how many subjects what is left of the policies is looked at.
const maxPrincipals = 50

// principals are names that the policies or their data may know: what is left of a policy depends on who asks.
func principals(policies map[string]*ast.Module, data map[string]any) []string {
	names := map[string]bool{}
	for _, m := range policies {
		ast.WalkNodes(m, func(n ast.Node) bool {
			if t, ok := n.(*ast.Term); ok {
				if s, ok := t.Value.(ast.String); ok {
					names[string(s)] = true
				}
			}
			e, ok := n.(*ast.Expr)
			return ok && e.IsCall() && mentions(e, objectRef) && !mentions(e, subjectRef)
		})
	}
	textsOf(data, names)
	maps.DeleteFunc(names, func(name string, _ bool) bool {
		_, isAction := authorizer.ActionByName(name)
		return isAction || name == "" || len(name) > 128 || strings.ContainsAny(name, " \t\n")
	})
	out := slices.Sorted(maps.Keys(names))
	return out[:min(len(out), maxPrincipals)]
}

var subjectRef = ast.InputRootRef.Append(ast.StringTerm("subject"))

func mentions(e *ast.Expr, what ast.Ref) bool {
	found := false
	ast.WalkRefs(e, func(ref ast.Ref) bool {
		found = found || ref.HasPrefix(what)
		return found
	})
	return found
}

// textsOf gathers the keys and the texts of a document.
func textsOf(v any, into map[string]bool) {
	switch v := v.(type) {
	case string:
		into[v] = true
	case []any:
		for _, x := range v {
			textsOf(x, into)
		}
	case map[string]any:
		for k, x := range v {
			into[k] = true
			textsOf(x, into)
		}
	}
}

// reads are the actions that Filter is for: they are asked about everything that somebody lists.
func reads() []authorizer.ActionInfo {
	return slices.DeleteFunc(authorizer.Actions(), func(a authorizer.ActionInfo) bool {
		return !strings.HasPrefix(string(a.Action), "view_") && !strings.HasPrefix(string(a.Action), "get_") && a.Action != authorizer.AccessSandbox
	})
}

// residuals says what keeps Filter from answering with a predicate, for each action that is filtered by and for
// somebody nobody knows, nobody at all, and the principals given.
func (p *policy) residuals(ctx context.Context, principals []string) []authorizer.Finding {
	subjects := []authorizer.Subject{{}, {Principal: "somebody-nobody-knows", Authenticated: true}}
	for _, name := range principals {
		subjects = append(subjects, authorizer.Subject{Principal: name, Authenticated: true})
	}
	kept := map[authorizer.Finding][]string{} // the actions by what keeps them
	for _, action := range reads() {
		for _, s := range subjects {
			for _, f := range p.residual(ctx, s, action) {
				if !slices.Contains(kept[f], string(action.Action)) {
					kept[f] = append(kept[f], string(action.Action))
				}
			}
		}
	}
	var out []authorizer.Finding
	for f, actions := range kept {
		if f.Severity == authorizer.SeverityWarning {
			if most := 3; len(actions) > most {
				actions = append(actions[:most], fmt.Sprintf("%d more actions", len(actions)-most))
			}
			f.Message += fmt.Sprintf(" (%s): what is listed is not filtered by one condition, but by evaluating the policies for every batch of objects", strings.Join(actions, ", "))
		}
		out = append(out, f)
	}
	return out
}

func (p *policy) residual(ctx context.Context, s authorizer.Subject, action authorizer.ActionInfo) []authorizer.Finding {
	left, err := p.partial(ctx, s, action.Action, action.Object)
	var failed *topdown.Error
	var panicked *panicError
	switch {
	case errors.As(err, &panicked):
		return []authorizer.Finding{{Severity: authorizer.SeverityWarning, Code: "no_predicate", Message: err.Error()}}
	case ctx.Err() != nil:
		return nil
	case errors.As(err, &failed):
		return []authorizer.Finding{{Severity: authorizer.SeverityError, Code: failed.Code, Location: location(failed.Location), Message: failed.Message}}
	case err != nil:
		return []authorizer.Finding{finding(err)}
	}
	t := newTranslation(left.Support)
	t.gather = true
	predicate, err := t.queries(left.Queries)
	var m *misfit
	if errors.As(p.ambiguous, &m) {
		t.misfits = append(t.misfits, m)
	}
	if err == nil && len(t.misfits) == 0 {
		err = predicate.Validate()
	}
	warning := authorizer.Finding{Severity: authorizer.SeverityWarning, Code: "no_predicate"}
	if err != nil {
		warning.Message = err.Error()
		return []authorizer.Finding{warning}
	}
	var out []authorizer.Finding
	for _, m := range t.misfits {
		warning.Location, warning.Message = location(m.at), m.why
		out = append(out, warning)
	}
	return out
}
