package opa

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// lint finds names in policies that no question has, and what keeps answers from being remembered.
func lint(policies map[string]*ast.Module) []authorizer.Finding {
	var out []authorizer.Finding
	for _, m := range policies {
		l := &linter{module: m}
		ast.WalkExprs(m, func(e *ast.Expr) bool {
			if e.IsCall() {
				l.call(e.Operator(), e.Operands())
			}
			return false
		})
		ast.WalkTerms(m, func(t *ast.Term) bool {
			if c, ok := t.Value.(ast.Call); ok {
				if operator, ok := c[0].Value.(ast.Ref); ok {
					l.call(operator, c[1:])
				}
			}
			return false
		})
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			l.fields(ref)
			return false
		})
		out = append(out, l.findings...)
	}
	for _, t := range unsteady(policies) {
		out = append(out, warning("not_steady", t.Location,
			"%s may give another result each time, so no answer of these policies is remembered", t))
	}
	return out
}

// maxMisnamed bounds what is told of a policy that is loaded; Check tells it all.
const maxMisnamed = 20

// misnamed says where names stand that no question has: an allow that never allows, or, worse, a deny that never denies.
func misnamed(policies map[string]*ast.Module) []string {
	var out []string
	for _, f := range sorted(lint(policies)) {
		if strings.HasPrefix(f.Code, "unknown_") && len(out) < maxMisnamed {
			out = append(out, fmt.Sprintf("%s:%d: %s", f.Location.File, f.Location.Line, f.Message))
		}
	}
	return out
}

func warning(code string, at *ast.Location, format string, args ...any) authorizer.Finding {
	return authorizer.Finding{Severity: authorizer.SeverityWarning, Code: code, Location: location(at), Message: fmt.Sprintf(format, args...)}
}

// linter gathers what is odd about one module.
type linter struct {
	module   *ast.Module
	findings []authorizer.Finding
}

var comparisons = []string{ast.Equality.Name, ast.Equal.Name, ast.Assign.Name, ast.NotEqual.Name, ast.Member.Name}

// call looks for names of actions and kinds that do not exist, in what input.action and input.kind are compared with.
func (l *linter) call(operator ast.Ref, operands []*ast.Term) {
	if len(operands) != 2 || !slices.Contains(comparisons, operator.String()) {
		return
	}
	for i, t := range operands {
		ref, ok := t.Value.(ast.Ref)
		if !ok {
			continue
		}
		switch other := operands[1-i]; ref.String() {
		case "input.action":
			l.names("action", other, actionNames())
		case "input.kind":
			l.names("kind", other, kindNames())
		}
	}
}

// names looks at a text, at the texts in a list or a set, or at those of a constant of the module.
func (l *linter) names(what string, t *ast.Term, known []string) {
	switch v := t.Value.(type) {
	case ast.String:
		if !slices.Contains(known, string(v)) {
			l.findings = append(l.findings, warning("unknown_"+what, t.Location, "there is no %s %q%s", what, string(v), meant(string(v), known)))
		}
	case ast.Set:
		v.Foreach(func(x *ast.Term) { l.names(what, x, known) })
	case *ast.Array:
		v.Foreach(func(x *ast.Term) { l.names(what, x, known) })
	case ast.Var:
		for _, r := range l.module.Rules {
			if r.Head.Name == v && len(r.Head.Args) == 0 && r.Head.Value != nil && r.Head.Value.IsGround() {
				l.names(what, r.Head.Value, known)
			}
		}
	}
}

// fields looks for members of the input that it never has.
func (l *linter) fields(ref ast.Ref) {
	if !ref.HasPrefix(ast.InputRootRef) || len(ref) < 2 {
		return
	}
	name, members := "input", inputFields()
	for _, step := range ref[1:] {
		key, ok := step.Value.(ast.String)
		if !ok || members == nil {
			return
		}
		next, ok := members[string(key)]
		if !ok {
			known := make([]string, 0, len(members))
			for k := range members {
				known = append(known, k)
			}
			slices.Sort(known)
			l.findings = append(l.findings, warning("unknown_field", step.Location, "%s never has a field %q%s", name, string(key), meant(string(key), known)))
			return
		}
		name, members = name+"."+string(key), next.members()
	}
}

// member is what the input may have under a name.
type member struct {
	// kinds are the kinds of object that it may be; none for what is no object.
	kinds []authorizer.Kind
	// fixed are its members where it is none of the kinds.
	fixed map[string]member
}

// members are those that may be in it, nil when they are not known.
func (m member) members() map[string]member {
	if len(m.kinds) == 0 {
		return m.fixed
	}
	out := map[string]member{}
	for _, k := range m.kinds {
		info, _ := authorizer.KindByName(k)
		for _, f := range info.Fields {
			x := out[f.Name]
			if f.Type == authorizer.FieldObject {
				x.kinds = append(x.kinds, f.Kind)
			}
			out[f.Name] = x
		}
	}
	return out
}

func inputFields() map[string]member {
	var kinds []authorizer.Kind
	for _, k := range authorizer.Kinds() {
		kinds = append(kinds, k.Kind)
	}
	return map[string]member{
		"subject": {fixed: map[string]member{"principal": {}, "authenticated": {}, "claims": {}}},
		"action":  {}, "kind": {}, "object": {kinds: kinds},
	}
}

func actionNames() []string {
	var out []string
	for _, a := range authorizer.Actions() {
		out = append(out, string(a.Action))
	}
	return out
}

func kindNames() []string {
	var out []string
	for _, k := range authorizer.Kinds() {
		out = append(out, string(k.Kind))
	}
	return out
}

// meant gives `; did you mean "x"?` for the known name nearest to a wrong one, or nothing.
func meant(wrong string, known []string) string {
	best, distance := "", 4
	for _, k := range known {
		if d := levenshtein.Distance(strings.ToLower(wrong), k, nil); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
