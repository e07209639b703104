package authorizer

import (
	"errors"
	"fmt"
)

// Bounds of a predicate that Validate accepts.
const (
	MaxPredicateNodes = 10_000
	MaxPredicateDepth = 100
	MaxPathSteps      = 32
)

// Validate says why the predicate cannot be evaluated: an unknown operation, a part that is missing or too
// much, a path that steps out of more Any than there are, or more than the bounds allow.
func (p *Predicate) Validate() error {
	nodes := 0
	return p.validate(&nodes, 0, 0)
}

func (p *Predicate) validate(nodes *int, depth, anys int) error {
	*nodes++
	switch {
	case *nodes > MaxPredicateNodes:
		return fmt.Errorf("predicate has more than %d nodes", MaxPredicateNodes)
	case depth >= MaxPredicateDepth:
		return fmt.Errorf("predicate is more than %d levels deep", MaxPredicateDepth)
	}
	if err := p.validateShape(); err != nil {
		return fmt.Errorf("predicate %q: %w", p.Op, err)
	}
	for _, t := range []*Term{p.Left, p.Right} {
		if err := t.validate(anys); err != nil {
			return fmt.Errorf("predicate %q: %w", p.Op, err)
		}
	}
	if p.Op == Any {
		anys++
	}
	for i := range p.Of {
		if err := p.Of[i].validate(nodes, depth+1, anys); err != nil {
			return err
		}
	}
	return nil
}

// validateShape checks that the operation has the parts it takes and no other.
func (p *Predicate) validateShape() error {
	left, right, of := p.Left != nil, p.Right != nil, len(p.Of)
	switch p.Op {
	case True, False:
		return need(!left && !right && of == 0, "takes nothing")
	case And, Or:
		return need(!left && !right, "takes predicates alone")
	case Not:
		return need(!left && !right && of == 1, "takes one predicate")
	case Exists:
		return need(left && !right && of == 0, "takes a left term alone")
	case Any:
		return need(left && !right && of == 1, "takes a left term and one predicate")
	case Eq, Ne, Lt, Le, Gt, Ge, Prefix, Suffix, Contains, In:
		return need(left && right && of == 0, "takes a left and a right term")
	default:
		return errors.New("is not an operation")
	}
}

func need(ok bool, text string) error {
	if ok {
		return nil
	}
	return errors.New(text)
}

func (t *Term) validate(anys int) error {
	switch {
	case t == nil:
		return nil
	case t.Const.Present():
		return need(len(t.Path) == 0 && t.Up == 0, "a term is a constant or a path, not both")
	case len(t.Path) > MaxPathSteps:
		return fmt.Errorf("a path has more than %d steps", MaxPathSteps)
	case t.Up < 0 || t.Up > anys:
		return fmt.Errorf("a path steps out of %d any, within %d", t.Up, anys)
	default:
		return nil
	}
}
