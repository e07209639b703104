package opa

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// answer decides on a request's objects, and says which those are.
func (p *policy) answer(ctx context.Context, r authorizer.Request) (authorizer.Answer, []authorizer.Object, error) {
	info, err := action(r.Action)
	if err != nil {
		return authorizer.Answer{}, nil, err
	}
	objects := r.Objects
	if len(objects) == 0 {
		objects = []authorizer.Object{{Kind: info.Object}}
	}
	answer := authorizer.Answer{Revision: p.revision, ValidUntil: p.validUntil(), Decisions: make([]authorizer.Decision, len(objects))}
	subject := subjectTerm(r.Subject)
	for i, o := range objects {
		if answer.Decisions[i], err = p.decideOn(ctx, subject, r.Action, o); err != nil {
			return authorizer.Answer{}, nil, fmt.Errorf("decide %s: %w", r.Action, err)
		}
	}
	return answer, objects, nil
}

// action is what is known of an action.
func action(name authorizer.Action) (authorizer.ActionInfo, error) {
	info, ok := authorizer.ActionByName(string(name))
	if !ok {
		return info, sdk.Errorf(sdk.InvalidArgument, "unknown action %q%s", name, meant(string(name), actionNames()))
	}
	return info, nil
}

// decideOn evaluates the policy for one object.
func (p *policy) decideOn(ctx context.Context, subject *ast.Term, action authorizer.Action, o authorizer.Object, opts ...rego.EvalOption) (authorizer.Decision, error) {
	object, err := fieldsTerm(o.Fields)
	if err != nil {
		return authorizer.Decision{}, err
	}
	opts = append(opts, rego.EvalParsedInput(input(subject, action, o.Kind, object)))
	results, err := p.decide.Eval(ctx, opts...)
	if err != nil {
		return authorizer.Decision{}, err
	}
	if len(results) != 1 {
		return authorizer.Decision{}, fmt.Errorf("the policy has %d answers", len(results))
	}
	b := results[0].Bindings
	allowed := false
	if values, ok := b["allow"].([]any); ok && len(values) == 1 {
		allowed = values[0] == true
	}
	if denied := texts(b["deny"]); len(denied) > 0 {
		return authorizer.Decision{Reason: strings.Join(denied, "; ")}, nil
	}
	if !allowed {
		return authorizer.Decision{Reason: fmt.Sprintf("no rule of package %s allows %s", p.entry, action)}, nil
	}
	return authorizer.Decision{Allowed: true, Reason: strings.Join(texts(b["reason"]), "; ")}, nil
}

// input is the document that policies see. object is nil where it is not known.
func input(subject *ast.Term, action authorizer.Action, kind authorizer.Kind, object *ast.Term) ast.Value {
	items := [][2]*ast.Term{
		{ast.StringTerm("subject"), subject},
		{ast.StringTerm("action"), ast.StringTerm(string(action))},
		{ast.StringTerm("kind"), ast.StringTerm(string(kind))},
	}
	if object != nil {
		items = append(items, [2]*ast.Term{ast.StringTerm("object"), object})
	}
	return ast.NewObject(items...)
}

func subjectTerm(s authorizer.Subject) *ast.Term {
	claims := ast.NewObject()
	for k, v := range s.Claims {
		claims.Insert(ast.StringTerm(k), ast.StringTerm(v))
	}
	o := ast.NewObject(
		[2]*ast.Term{ast.StringTerm("authenticated"), ast.BooleanTerm(s.Authenticated)},
		[2]*ast.Term{ast.StringTerm("claims"), ast.NewTerm(claims)},
	)
	if s.Principal != "" {
		o.Insert(ast.StringTerm("principal"), ast.StringTerm(s.Principal))
	}
	return ast.NewTerm(o)
}

func fieldsTerm(fields map[string]any) (*ast.Term, error) {
	if fields == nil {
		return ast.ObjectTerm(), nil
	}
	v, err := ast.InterfaceToValue(fields)
	if err != nil {
		return nil, fmt.Errorf("read the object's fields: %w", err)
	}
	return ast.NewTerm(v), nil
}

// texts are the strings of a set, sorted; what is no string is shown as it is.
func texts(v any) []string {
	values, _ := v.([]any)
	out := make([]string, 0, len(values))
	for _, x := range values {
		if s, ok := x.(string); ok {
			out = append(out, s)
		} else {
			out = append(out, fmt.Sprint(x))
		}
	}
	slices.Sort(out)
	return out
}
