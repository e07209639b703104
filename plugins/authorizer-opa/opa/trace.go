package opa

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Bounds of what is told of an evaluation.
const (
	maxTraceLines = 2000
	maxTried      = 20 // rules that one rule tried
	maxShown      = 120
)

// trace gathers which rules an evaluation tried and what each found, for people.
type trace struct {
	policy *policy
	roots  []*attempt
	// of are the attempts that queries belong to, by the queries' ids: a rule's own body, and what is nested in it.
	of map[uint64]*attempt
}

// attempt is one evaluation of a rule.
type attempt struct {
	rule  *ast.Rule
	tried []*attempt
	// found are the values that it gave; none when it does not hold.
	found []string
	// failed is the condition that got furthest and did not hold, and values those in it.
	failed *ast.Expr
	values []string
}

func (p *policy) newTrace() *trace { return &trace{policy: p, of: map[uint64]*attempt{}} }

// options have an evaluation traced, with every rule tried: those too that OPA would know not to apply.
func (t *trace) options() []rego.EvalOption {
	return []rego.EvalOption{rego.EvalQueryTracer(t), rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false)}
}

// Enabled implements topdown.QueryTracer.
func (t *trace) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (t *trace) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

// TraceEvent implements topdown.QueryTracer.
func (t *trace) TraceEvent(e topdown.Event) {
	switch node := e.Node.(type) {
	case *ast.Rule:
		switch e.Op {
		case topdown.EnterOp:
			t.enter(e, node)
		case topdown.ExitOp:
			if a := t.of[e.QueryID]; a != nil {
				a.found = append(a.found, foundBy(e, node))
			}
		}
	case *ast.Expr:
		a := t.of[e.QueryID]
		// Of what is nested in a condition, the condition itself is told.
		if a != nil && e.Op == topdown.FailOp && slices.ContainsFunc(a.rule.Body, func(x *ast.Expr) bool { return x == node }) {
			if a.failed == nil || node.Index >= a.failed.Index {
				a.failed, a.values = node, t.valuesIn(e, source(node))
			}
		}
	default:
		if e.Op == topdown.EnterOp {
			t.of[e.QueryID] = t.of[e.ParentID]
		}
	}
}

func (t *trace) enter(e topdown.Event, rule *ast.Rule) {
	a := &attempt{rule: rule}
	if parent := t.of[e.ParentID]; parent != nil {
		parent.tried = append(parent.tried, a)
	} else {
		t.roots = append(t.roots, a)
	}
	t.of[e.QueryID] = a
}

// foundBy is the value that a rule gave.
func foundBy(e topdown.Event, rule *ast.Rule) string {
	switch {
	case rule.Head.Key != nil:
		return shown(e.Plug(rule.Head.Key))
	case rule.Head.Value != nil:
		return shown(e.Plug(rule.Head.Value))
	}
	return "true"
}

// source is a condition as it was written.
func source(e *ast.Expr) string {
	if l := e.BaseCogeneratedExpr().Location; l != nil && len(l.Text) > 0 {
		return string(l.Text)
	}
	return e.String()
}

// valuesIn says what the input, the data and the variables of a condition were.
func (t *trace) valuesIn(e topdown.Event, text string) []string {
	body, err := ast.ParseBodyWithOpts(text, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil
	}
	var out []string
	say := func(name, value string) {
		if line := name + " is " + value; !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	ast.WalkRefs(body, func(ref ast.Ref) bool {
		if known := ref.ConstantPrefix(); len(known) > 1 {
			if value := t.lookUp(e, known); value != "" {
				say(known.String(), value)
			}
		}
		return false
	})
	ast.WalkVars(body, func(v ast.Var) bool {
		for rewritten, meta := range e.LocalMetadata {
			if value := e.Locals.Get(rewritten); meta.Name == v && value != nil {
				say(string(v), shown(ast.NewTerm(value)))
			}
		}
		return false
	})
	return out
}

// lookUp gives the value of a reference to the input or to data, or nothing for what rules make.
func (t *trace) lookUp(e topdown.Event, ref ast.Ref) string {
	switch {
	case ref[0].Equal(ast.InputRootDocument) && e.Input() != nil:
		v, err := e.Input().Value.Find(ref[1:])
		if err != nil {
			return "absent"
		}
		return shown(ast.NewTerm(v))
	case ref[0].Equal(ast.DefaultRootDocument):
		path, err := storage.NewPathForRef(ref)
		if err != nil {
			return ""
		}
		plain, err := storage.ReadOne(context.Background(), t.policy.store, path)
		if err != nil {
			return ""
		}
		if v, err := ast.InterfaceToValue(plain); err == nil {
			return shown(ast.NewTerm(v))
		}
	}
	return ""
}

// shown is a value, as much of it as a line holds.
func shown(t *ast.Term) string {
	text := []rune(t.String())
	if len(text) > maxShown {
		return string(text[:maxShown]) + "…"
	}
	return string(text)
}

// lines are the rules tried, in order, each with what it found or why it does not hold.
func (t *trace) lines() []string {
	var out []string
	for _, a := range t.roots {
		out = t.attemptLines(out, a, "")
	}
	if len(out) > maxTraceLines {
		out = append(out[:maxTraceLines], fmt.Sprintf("… and %d lines more", len(out)-maxTraceLines))
	}
	return out
}

func (t *trace) attemptLines(out []string, a *attempt, indent string) []string {
	head := fmt.Sprintf("%s%s at %s: ", indent, t.name(a.rule), a.rule.Location)
	switch {
	case a.rule.Default:
		return append(out, head+"is "+strings.Join(a.found, ", ")+" by default")
	case len(a.found) == 0:
		out = append(out, head+"does not hold")
	case slices.Equal(a.found, []string{"true"}):
		out = append(out, head+"holds")
	default:
		out = append(out, head+"gives "+strings.Join(slices.Compact(a.found), ", "))
	}
	if a.failed != nil && len(a.found) == 0 {
		text, _, more := strings.Cut(source(a.failed), "\n")
		if more {
			text += " …"
		}
		out = append(out, fmt.Sprintf("%s    line %d: %s", indent, a.failed.Loc().Row, text))
		for _, v := range a.values {
			out = append(out, indent+"        "+v)
		}
	}
	for i, tried := range a.tried {
		if i == maxTried {
			out = append(out, fmt.Sprintf("%s    … and %d rules more", indent, len(a.tried)-i))
			break
		}
		out = t.attemptLines(out, tried, indent+"    ")
	}
	return out
}

// name is how the rule is called in the package that decides.
func (t *trace) name(r *ast.Rule) string {
	name := r.Head.Ref().GroundPrefix().String()
	if r.Module == nil {
		return name
	}
	if pkg := strings.TrimPrefix(r.Module.Package.Path.String(), "data."); pkg != t.policy.entry {
		return "data." + pkg + "." + name
	}
	return name
}
