package opa

import (
	"context"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// Filter implements authorizer.Authorizer: the policy is evaluated for the subject and the action alone, and what
// is left to be known of the object becomes a predicate.
func (a *Authorizer) Filter(ctx context.Context, s authorizer.Subject, name authorizer.Action) (authorizer.FilterAnswer, error) {
	p, err := a.inForce()
	if err != nil {
		return authorizer.FilterAnswer{}, err
	}
	info, err := action(name)
	if err != nil {
		return authorizer.FilterAnswer{}, err
	}
	answer := authorizer.FilterAnswer{Revision: p.revision, ValidUntil: p.validUntil()}
	left, err := p.partial(ctx, s, name, info.Object)
	var panicked *panicError
	if err != nil && !errors.As(err, &panicked) {
		return answer, fmt.Errorf("filter %s: %w", name, err)
	}
	if err == nil {
		err = p.ambiguous
	}
	if err == nil {
		answer.Predicate, err = newTranslation(left.Support).queries(left.Queries)
	}
	if err == nil {
		err = answer.Predicate.Validate()
	}
	if err != nil {
		answer.NeedsBatch, answer.Why = true, err.Error()
		answer.Predicate = authorizer.Predicate{}
	}
	return answer, nil
}

// partial evaluates the policy for a subject and an action alone.
func (p *policy) partial(ctx context.Context, s authorizer.Subject, name authorizer.Action, kind authorizer.Kind) (left *rego.PartialQueries, err error) {
	defer func() {
		if x := recover(); x != nil {
			left, err = nil, &panicError{x}
		}
	}()
	return p.filter.Partial(ctx, rego.EvalParsedInput(input(subjectTerm(s), name, kind, nil)))
}

// panicError is a panic of OPA's: there are policies that it evaluates for an object and not in part, such as one that
// looks for a list made of the object in a list.
type panicError struct{ value any }

// Error says what does not work.
func (e *panicError) Error() string {
	return fmt.Sprintf("OPA cannot evaluate the policies in part: %v", e.value)
}
