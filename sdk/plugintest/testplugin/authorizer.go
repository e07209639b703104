package main

import (
	"context"
	"strings"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// testAuthorizer allows what is asked by principals whose name does not begin with "no".
type testAuthorizer struct {
	mode   string
	config Config
}

func newAuthorizer(mode string) func(context.Context, sdk.Host, Config) (*testAuthorizer, error) {
	return func(_ context.Context, h sdk.Host, c Config) (*testAuthorizer, error) {
		if err := c.check(h, mode); err != nil {
			return nil, err
		}
		return &testAuthorizer{mode: mode, config: c}, start(mode)
	}
}

func (a *testAuthorizer) Authorize(ctx context.Context, r authorizer.Request) (authorizer.Answer, error) {
	misbehave(a.mode)
	if r.Subject.Principal == "die" {
		misbehave("dies")
	}
	if err := pause(ctx, a.config.Pause); err != nil {
		return authorizer.Answer{}, err
	}
	answer := authorizer.Answer{Revision: a.config.Marker}
	for range max(1, len(r.Objects)) {
		answer.Decisions = append(answer.Decisions, authorizer.Decision{
			Allowed: !strings.HasPrefix(r.Subject.Principal, "no"), Reason: "because of the name",
		})
	}
	return answer, nil
}

func (a *testAuthorizer) Filter(ctx context.Context, s authorizer.Subject, _ authorizer.Action) (authorizer.FilterAnswer, error) {
	misbehave(a.mode)
	if err := pause(ctx, a.config.Pause); err != nil {
		return authorizer.FilterAnswer{}, err
	}
	answer := authorizer.FilterAnswer{Predicate: authorizer.Always(), Revision: a.config.Marker}
	if strings.HasPrefix(s.Principal, "no") {
		answer.Predicate = authorizer.Never()
	}
	return answer, nil
}

func (a *testAuthorizer) Revisions(ctx context.Context, emit func(authorizer.Revision) error) error {
	if a.mode == "hangs" {
		misbehave(a.mode)
	}
	if err := emit(authorizer.Revision{ID: a.config.Marker, Loaded: time.Now()}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
