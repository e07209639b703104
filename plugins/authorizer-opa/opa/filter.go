package opa

import (
	"context"
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
	left, err := p.filter.Partial(ctx, rego.EvalParsedInput(input(subjectTerm(s), name, info.Object, nil)))
	if err != nil {
		return answer, fmt.Errorf("filter %s: %w", name, err)
	}
	if err = p.ambiguous; err == nil {
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
