package api_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// policy is an authorizer that a test can steer. It allows what nothing below refuses.
type policy struct {
	// deny refuses an object, with a reason.
	deny func(s authorizer.Subject, a authorizer.Action, fields map[string]any) string
	// filter is the predicate for a view; nil shows all.
	filter func(s authorizer.Subject, a authorizer.Action) *authorizer.FilterAnswer
	// delay holds back a decision about a role.
	delay func(role string) time.Duration

	mu       sync.Mutex
	down     bool
	roles    []string
	requests int
}

var errDown = errors.New("authorizer \"opa\": it has died")

// slowPolicy allows everything, and takes its time about the role slow.
func slowPolicy() *policy {
	return &policy{delay: func(role string) time.Duration {
		if role == "slow" {
			return 100 * time.Millisecond
		}
		return 0
	}}
}

func (p *policy) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

func (p *policy) isDown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down
}

func (p *policy) asked(role string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.roles, role)
}

func (p *policy) note(r authorizer.Request) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	for _, o := range r.Objects {
		role, _ := o.Fields["name"].(string)
		p.roles = append(p.roles, role)
		if p.delay != nil {
			wait = max(wait, p.delay(role))
		}
	}
	return wait
}

func (p *policy) Authorize(ctx context.Context, r authorizer.Request) (authorizer.Answer, error) {
	if p.isDown() {
		return authorizer.Answer{}, errDown
	}
	select {
	case <-time.After(p.note(r)):
	case <-ctx.Done():
		return authorizer.Answer{}, ctx.Err()
	}
	answer := authorizer.Answer{Revision: "r1"}
	for _, o := range r.Objects {
		reason := ""
		if p.deny != nil {
			reason = p.deny(r.Subject, r.Action, o.Fields)
		}
		answer.Decisions = append(answer.Decisions, authorizer.Decision{Allowed: reason == "", Reason: reason})
	}
	return answer, nil
}

func (p *policy) Filter(_ context.Context, s authorizer.Subject, a authorizer.Action) (authorizer.FilterAnswer, error) {
	if p.isDown() {
		return authorizer.FilterAnswer{}, errDown
	}
	if p.filter != nil {
		if answer := p.filter(s, a); answer != nil {
			return *answer, nil
		}
	}
	return authorizer.FilterAnswer{Predicate: authorizer.Always(), Revision: "r1"}, nil
}

func (p *policy) Revisions(ctx context.Context, emit func(authorizer.Revision) error) error {
	if err := emit(authorizer.Revision{ID: "r1"}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}
