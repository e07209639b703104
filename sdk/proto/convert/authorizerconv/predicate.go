package authorizerconv

import (
	"errors"
	"fmt"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
)

// ops are in the order of their numbers on the wire.
var ops = [...]authorizer.Op{
	authorizerv1.Op_OP_TRUE: authorizer.True, authorizerv1.Op_OP_FALSE: authorizer.False,
	authorizerv1.Op_OP_AND: authorizer.And, authorizerv1.Op_OP_OR: authorizer.Or, authorizerv1.Op_OP_NOT: authorizer.Not,
	authorizerv1.Op_OP_EQ: authorizer.Eq, authorizerv1.Op_OP_NE: authorizer.Ne,
	authorizerv1.Op_OP_LT: authorizer.Lt, authorizerv1.Op_OP_LE: authorizer.Le,
	authorizerv1.Op_OP_GT: authorizer.Gt, authorizerv1.Op_OP_GE: authorizer.Ge,
	authorizerv1.Op_OP_PREFIX: authorizer.Prefix, authorizerv1.Op_OP_SUFFIX: authorizer.Suffix,
	authorizerv1.Op_OP_CONTAINS: authorizer.Contains, authorizerv1.Op_OP_IN: authorizer.In,
	authorizerv1.Op_OP_EXISTS: authorizer.Exists, authorizerv1.Op_OP_ANY: authorizer.Any,
}

// FilterToProto encodes the answer to a filter question.
func FilterToProto(f authorizer.FilterAnswer) (*authorizerv1.FilterResponse, error) {
	out := &authorizerv1.FilterResponse{Revision: f.Revision, ValidUntil: timeToProto(f.ValidUntil)}
	if f.NeedsBatch {
		out.Answer = &authorizerv1.FilterResponse_NeedsBatch{NeedsBatch: f.Why}
		return out, nil
	}
	if err := f.Predicate.Validate(); err != nil {
		return nil, err
	}
	p, err := predicateToProto(&f.Predicate)
	if err != nil {
		return nil, err
	}
	out.Answer = &authorizerv1.FilterResponse_Predicate{Predicate: p}
	return out, nil
}

// FilterFromProto decodes the answer to a filter question and validates its predicate.
func FilterFromProto(p *authorizerv1.FilterResponse) (authorizer.FilterAnswer, error) {
	out := authorizer.FilterAnswer{Revision: p.GetRevision(), ValidUntil: timeFromProto(p.GetValidUntil())}
	switch a := p.GetAnswer().(type) {
	case *authorizerv1.FilterResponse_NeedsBatch:
		out.NeedsBatch, out.Why = true, a.NeedsBatch
		return out, nil
	case *authorizerv1.FilterResponse_Predicate:
		predicate, err := predicateFromProto(a.Predicate, 0)
		if err == nil {
			err = predicate.Validate()
		}
		out.Predicate = predicate
		return out, err
	default:
		return authorizer.FilterAnswer{}, errors.New("filter answer has neither a predicate nor needs_batch")
	}
}

func predicateToProto(p *authorizer.Predicate) (*authorizerv1.Predicate, error) {
	out := &authorizerv1.Predicate{}
	for number, op := range ops {
		if op == p.Op {
			out.Op = authorizerv1.Op(number) //nolint:gosec // an index of a short array
		}
	}
	for i := range p.Of {
		x, err := predicateToProto(&p.Of[i])
		if err != nil {
			return nil, err
		}
		out.Of = append(out.Of, x)
	}
	var err error
	if out.Left, err = termToProto(p.Left); err != nil {
		return nil, err
	}
	out.Right, err = termToProto(p.Right)
	return out, err
}

// predicateFromProto stops where Validate would, so that a deep tree costs no more than its bytes.
func predicateFromProto(p *authorizerv1.Predicate, depth int) (authorizer.Predicate, error) {
	switch {
	case depth > authorizer.MaxPredicateDepth:
		return authorizer.Predicate{}, fmt.Errorf("predicate is more than %d levels deep", authorizer.MaxPredicateDepth)
	case p.GetOp() <= 0 || int(p.GetOp()) >= len(ops):
		return authorizer.Predicate{}, fmt.Errorf("unknown predicate operation %d", p.GetOp())
	}
	out := authorizer.Predicate{Op: ops[p.GetOp()], Left: termFromProto(p.GetLeft()), Right: termFromProto(p.GetRight())}
	for _, x := range p.GetOf() {
		of, err := predicateFromProto(x, depth+1)
		if err != nil {
			return authorizer.Predicate{}, err
		}
		out.Of = append(out.Of, of)
	}
	return out, nil
}

func termToProto(t *authorizer.Term) (*authorizerv1.Term, error) {
	switch {
	case t == nil:
		return nil, nil //nolint:nilnil // no term is a term that is not there
	case t.Const.Present():
		v, err := valueToProto(t.Const)
		return &authorizerv1.Term{Term: &authorizerv1.Term_Const{Const: v}}, err
	default:
		path := &authorizerv1.Path{Steps: t.Path, Up: uint32(max(t.Up, 0))} //nolint:gosec // Validate bounds it
		return &authorizerv1.Term{Term: &authorizerv1.Term_Path{Path: path}}, nil
	}
}

func termFromProto(p *authorizerv1.Term) *authorizer.Term {
	switch t := p.GetTerm().(type) {
	case *authorizerv1.Term_Const:
		return authorizer.Const(authorizer.ValueOf(t.Const.AsInterface()))
	case *authorizerv1.Term_Path:
		return &authorizer.Term{Path: t.Path.GetSteps(), Up: int(t.Path.GetUp())}
	default:
		return nil
	}
}
