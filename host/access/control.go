package access

import (
	"context"
	"fmt"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

const (
	// batch is the most objects that one question holds.
	batch = 1000
	// questionSize is about how many bytes a question has at most, unless a single object has more: a plugin takes 16 MiB.
	questionSize = 4 << 20
)

// RetryAfter is when a client may come again that was refused because the authorizer does not answer.
const RetryAfter = 2 * time.Second

// Control asks the configured authorizer what principals may do and see. Without an authorizer everything is
// allowed, as in Mesos. It fails closed: when the authorizer does not answer, nothing is allowed. It is safe for
// concurrent use.
type Control struct {
	auth  authorizer.Authorizer
	cache *cache
}

// NewControl returns a Control that asks an authorizer; nil allows everything.
func NewControl(auth authorizer.Authorizer) *Control {
	return &Control{auth: auth, cache: newCache()}
}

// Enabled tells whether there is an authorizer.
func (c *Control) Enabled() bool { return c.auth != nil }

// DeniedError says that a principal may not do something.
type DeniedError struct {
	// Principal is who wanted to do it.
	Principal Principal
	// Action is what was to be done.
	Action authorizer.Action
	// Reason is the authorizer's reason; it may be empty.
	Reason string
}

// Error says who may not do what, and why.
func (e *DeniedError) Error() string {
	text := fmt.Sprintf("Principal '%s' is not authorized to %s", e.Principal, e.Action)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// UnavailableError says that the authorizer does not answer, so that nothing can be allowed.
type UnavailableError struct{ Err error }

// Error says that a decision is missing.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("The authorizer does not answer, so nothing can be allowed now: %v", e.Err)
}

// Unwrap returns what went wrong.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Verdict is what an authorizer decided on some objects.
type Verdict struct {
	// Decisions are about the objects, in their order.
	Decisions []authorizer.Decision
	// Revision is the policy that decided; empty without an authorizer.
	Revision string
}

// Denied returns the index of the first object that was refused, and why; -1 if all are allowed.
func (v Verdict) Denied() (index int, reason string) {
	for i, d := range v.Decisions {
		if !d.Allowed {
			return i, d.Reason
		}
	}
	return -1, ""
}

// Decide asks about each of the objects, which are of the action's kind. It is for what changes the state of the
// cluster: answers are never remembered. The error is an *UnavailableError, or ctx's.
func (c *Control) Decide(ctx context.Context, who Principal, action authorizer.Action, objects ...Object) (Verdict, error) {
	if c.auth == nil {
		v := Verdict{Decisions: make([]authorizer.Decision, len(objects))}
		for i := range v.Decisions {
			v.Decisions[i].Allowed = true
		}
		return v, nil
	}
	return c.ask(ctx, who, action, objects)
}

// Check asks about one object. The error is a *DeniedError, an *UnavailableError, or ctx's. The revision is that
// of the policy that decided.
func (c *Control) Check(ctx context.Context, who Principal, action authorizer.Action, object Object) (revision string, err error) {
	v, err := c.Decide(ctx, who, action, object)
	if err != nil {
		return "", err
	}
	if i, reason := v.Denied(); i >= 0 {
		return v.Revision, &DeniedError{Principal: who, Action: action, Reason: reason}
	}
	return v.Revision, nil
}

// ask asks about objects, in as many questions as it takes. The revision is the latest.
func (c *Control) ask(ctx context.Context, who Principal, action authorizer.Action, objects []Object) (Verdict, error) {
	var all Verdict
	for len(objects) > 0 {
		request := question(who, action, objects)
		answer, err := c.auth.Authorize(ctx, request)
		if err != nil {
			return Verdict{}, unavailable(ctx, err)
		}
		if len(answer.Decisions) != len(request.Objects) {
			return Verdict{}, &UnavailableError{Err: fmt.Errorf("it decided on %d of %d objects", len(answer.Decisions), len(request.Objects))}
		}
		all.Decisions, all.Revision = append(all.Decisions, answer.Decisions...), answer.Revision
		objects = objects[len(request.Objects):]
	}
	return all, nil
}

// question is about as many of the objects, from the first on, as one question holds.
func question(who Principal, action authorizer.Action, objects []Object) authorizer.Request {
	objects = objects[:min(len(objects), batch)]
	request := authorizer.Request{Subject: subject(who), Action: action, Objects: make([]authorizer.Object, 0, len(objects))}
	size := 0
	for i, o := range objects {
		fields := fieldMap(o)
		if size += sizeOf(fields); i > 0 && size > questionSize {
			break
		}
		request.Objects = append(request.Objects, authorizer.Object{Kind: o.Kind(), Fields: fields})
	}
	return request
}

// sizeOf is about how many bytes a value of a question has.
func sizeOf(value any) int {
	size := 16
	switch v := value.(type) {
	case string:
		size += len(v)
	case []any:
		for _, x := range v {
			size += sizeOf(x)
		}
	case map[string]any:
		for name, x := range v {
			size += len(name) + sizeOf(x)
		}
	}
	return size
}

func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &UnavailableError{Err: err}
}

func subject(who Principal) authorizer.Subject {
	return authorizer.Subject{Principal: who.Name, Claims: who.Claims, Authenticated: !who.IsAnonymous()}
}

// fieldMap turns an object into the form in which a question carries it.
func fieldMap(fields authorizer.FieldSource) map[string]any {
	m := map[string]any{}
	fields.Each(func(name string, v authorizer.Value) bool {
		if v.Present() {
			m[name] = plain(v)
		}
		return true
	})
	return m
}

func plain(v authorizer.Value) any {
	switch v.Kind() {
	case authorizer.Bool:
		return v.Truth()
	case authorizer.Number:
		return v.Number()
	case authorizer.String:
		return v.Text()
	case authorizer.List:
		list := make([]any, v.Items().Len())
		for i := range list {
			list[i] = plain(v.Items().At(i))
		}
		return list
	case authorizer.Fields:
		return fieldMap(v.Fields())
	}
	return nil
}
