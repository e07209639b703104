package access

import (
	"context"
	"iter"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// View tells which objects of an action's kind one principal may see. It is for one request, on one goroutine.
type View struct {
	control   *Control
	who       Principal
	action    authorizer.Action
	all       bool
	predicate *authorizer.Predicate // nil if the authorizer must be asked about each object
	err       error
}

// View asks which objects of an action's kind a principal may see. The error is an *UnavailableError, or ctx's.
func (c *Control) View(ctx context.Context, who Principal, action authorizer.Action) (*View, error) {
	v := &View{control: c, who: who, action: action}
	if c.auth == nil {
		v.all = true
		return v, nil
	}
	answer, ok := c.cache.filter(who, action)
	if !ok {
		var err error
		if answer, err = c.auth.Filter(ctx, subject(who), action); err != nil {
			return nil, unavailable(ctx, err)
		}
		c.cache.put(who, action, answer)
	}
	if !answer.NeedsBatch {
		v.predicate = &answer.Predicate
		v.all = answer.Predicate.Op == authorizer.True
	}
	return v, nil
}

// All tells whether everything may be seen, so that there is no need to ask.
func (v *View) All() bool { return v.all }

// Err is what went wrong while objects were selected, an *UnavailableError; nil if nothing did.
func (v *View) Err() error { return v.err }

// Allows tells whether an object may be seen. If the authorizer does not answer, it may not, and Err says so.
func (v *View) Allows(ctx context.Context, object Object) bool {
	if v.all {
		return true
	}
	if v.predicate != nil {
		return v.predicate.Eval(object)
	}
	answer, err := v.control.ask(ctx, v.who, v.action, []Object{object})
	if err != nil {
		v.err = err
		return false
	}
	return answer.Decisions[0].Allowed
}

// Select yields those of the values that may be seen, in their order. If the authorizer stops answering, it
// ends early, and Err says so.
func Select[T any](ctx context.Context, v *View, values iter.Seq[T], object func(T) Object) iter.Seq[T] {
	if v.all {
		return values
	}
	if v.predicate != nil {
		return func(yield func(T) bool) {
			for x := range values {
				if v.predicate.Eval(object(x)) && !yield(x) {
					return
				}
			}
		}
	}
	return func(yield func(T) bool) { selectBatches(ctx, v, values, object, yield) }
}

// selectBatches asks the authorizer about many values at once.
func selectBatches[T any](ctx context.Context, v *View, values iter.Seq[T], object func(T) Object, yield func(T) bool) {
	held := make([]T, 0, batch)
	objects := make([]Object, 0, batch)
	flush := func() bool {
		if len(held) == 0 {
			return true
		}
		answer, err := v.control.ask(ctx, v.who, v.action, objects)
		if err != nil {
			v.err = err
			return false
		}
		for i, x := range held {
			if answer.Decisions[i].Allowed && !yield(x) {
				return false
			}
		}
		held, objects = held[:0], objects[:0]
		return true
	}
	for x := range values {
		held, objects = append(held, x), append(objects, object(x))
		if len(held) == batch && !flush() {
			return
		}
	}
	flush()
}
