package authorizer

import (
	"context"
	"time"
)

// Authorizer decides. Its methods are called by any number of goroutines at once.
type Authorizer interface {
	// Authorize decides on each object of the request, in order. The decisions are of one revision of the
	// policy. An error refuses them all.
	Authorize(ctx context.Context, r Request) (Answer, error)
	// Filter says which objects of the action's kind the subject may see or act upon.
	Filter(ctx context.Context, s Subject, a Action) (FilterAnswer, error)
	// Revisions calls emit with the policy's present revision, and again each time it changes, until ctx
	// ends or emit returns an error. The host drops what it has remembered of another revision.
	Revisions(ctx context.Context, emit func(Revision) error) error
}

// Subject is who is asking.
type Subject struct {
	// Principal is the name that authentication gave; empty for nobody, or for claims alone.
	Principal string
	// Claims are what an authenticator said beyond the name, such as an executor token's container id.
	Claims map[string]string
	// Authenticated is false for anonymous callers where authentication is not required.
	Authenticated bool
}

// Object is what a question is about. Kind is the action's (see ActionInfo) and Fields are those of the
// kind, as in JSON: string, bool, float64, []any or map[string]any. A field without value is absent.
type Object struct {
	Kind   Kind
	Fields map[string]any
}

// Request is one question about at most 1,000 objects. No objects at all asks about one of which nothing is
// known; there is one decision then.
type Request struct {
	Subject Subject
	Action  Action
	Objects []Object
}

// Decision is the answer about one object.
type Decision struct {
	Allowed bool
	// Reason is for people: which rule decided, and why. It may be shown to who asked.
	Reason string
}

// Answer is the decisions about a request's objects, in their order.
type Answer struct {
	Decisions []Decision
	// Revision names the policy that decided.
	Revision string
	// ValidUntil is how long the host may remember the answer under this revision; zero for not at all,
	// as when the policy looks at the time, at a remote service or at a random number.
	ValidUntil time.Time
}

// FilterAnswer is which objects are allowed.
type FilterAnswer struct {
	// Predicate holds for the allowed objects. It means nothing when NeedsBatch is set.
	Predicate Predicate
	// NeedsBatch says that the policy's answer is no Predicate: Authorize has to be asked about the objects.
	NeedsBatch bool
	// Why says what in the policy prevents a predicate, with file and line, when NeedsBatch is set.
	Why        string
	Revision   string
	ValidUntil time.Time
}

// Revision is one state of the policy.
type Revision struct {
	// ID differs between any two policies, and is the same after a restart with the same policy.
	ID string
	// Loaded is when it came into force.
	Loaded time.Time
	// Problem says why a newer policy was not taken, empty when there is none.
	Problem string
}
