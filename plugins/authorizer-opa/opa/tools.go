package opa

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

var _ authorizer.PolicyTools = (*Authorizer)(nil)

// paths are the policies that a call of the tools is about: those given, or the configured ones.
func (a *Authorizer) paths(given []string) ([]string, error) {
	if len(given) == 0 {
		if a.config.Policies == "" {
			return nil, sdk.Errorf(sdk.InvalidArgument, "neither paths of policies are given, nor is the attribute policies configured")
		}
		given = []string{a.config.Policies}
	}
	return given, checkPaths(given)
}

// policyAt is the policy to ask: the one in force, or what the paths hold.
func (a *Authorizer) policyAt(ctx context.Context, given []string) (*policy, error) {
	if p := a.current.Load(); p != nil && len(given) == 0 {
		return p, nil
	}
	paths, err := a.paths(given)
	if err != nil {
		return nil, err
	}
	p, err := load(ctx, paths, a.config.Package, time.Now())
	return p, toPutRight(err)
}

// toPutRight gives an error about policies the code that says so.
func toPutRight(err error) error {
	if err == nil || sdk.CodeOf(err) != sdk.Unknown {
		return err
	}
	return &sdk.Error{Code: sdk.FailedPrecondition, Err: err}
}

// Explain implements authorizer.PolicyTools.
func (a *Authorizer) Explain(ctx context.Context, o authorizer.ExplainOptions) (authorizer.Explanation, error) {
	p, err := a.policyAt(ctx, o.Paths)
	if err != nil {
		return authorizer.Explanation{}, err
	}
	answer, objects, err := p.answer(ctx, o.Request)
	if err != nil {
		return authorizer.Explanation{}, err
	}
	e := authorizer.Explanation{Answer: answer}
	for i, object := range objects {
		if len(objects) > 1 {
			e.Trace = append(e.Trace, fmt.Sprintf("object %d, %s:", i+1, object.Kind))
		}
		t := p.newTrace()
		if _, err := p.decideOn(ctx, subjectTerm(o.Request.Subject), o.Request.Action, object, t.options()...); err != nil {
			return e, fmt.Errorf("explain %s: %w", o.Request.Action, err)
		}
		e.Trace = append(e.Trace, t.lines()...)
	}
	return e, nil
}

// errorsIn takes an error of OPA's loader or compiler apart.
func errorsIn(err error) []error {
	var many loader.Errors
	var compile ast.Errors
	switch {
	case errors.As(err, &many):
		var out []error
		for _, e := range many {
			out = append(out, errorsIn(e)...)
		}
		return out
	case errors.As(err, &compile):
		out := make([]error, 0, len(compile))
		for _, e := range compile {
			out = append(out, e)
		}
		return out
	}
	return []error{err}
}

// finding is what an error of OPA's says.
func finding(err error) authorizer.Finding {
	f := authorizer.Finding{Severity: authorizer.SeverityError, Code: "policy_error", Message: err.Error()}
	var e *ast.Error
	var m *mistake
	switch {
	case errors.As(err, &m):
		f.Code, f.Message, f.Location = m.code, m.text, location(m.at)
	case errors.As(err, &e):
		f.Code, f.Message, f.Location = e.Code, e.Message, location(e.Location)
		if e.Details != nil && e.Code != ast.ParseErr { // of a parse error they are the source line
			f.Message = strings.Join(append([]string{f.Message}, e.Details.Lines()...), "\n")
		}
	}
	return f
}

func location(l *ast.Location) authorizer.Location {
	if l == nil {
		return authorizer.Location{}
	}
	return authorizer.Location{File: l.File, Line: l.Row, Column: l.Col}
}
