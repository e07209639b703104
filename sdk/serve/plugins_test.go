package serve_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/serve"
)

// servePlugin makes this process a plugin. It does not return.
func servePlugin(kind string) {
	switch kind {
	case "cycler":
		serve.Allocator("cycler", "1.2.3", newCycler, serve.Doc("Offers everything."))
	case "follower":
		serve.EventAllocator("follower", "1.0.0", newFollower)
	case "authorizer":
		serve.Authorizer("users", "1.0.0", newUsers)
	case "isolator":
		serve.Isolator("cells", "2.0.0", newCells)
	default:
		fmt.Fprintf(os.Stderr, "there is no test plugin %q\n", kind)
		os.Exit(2)
	}
}

type rule struct {
	Match string        `config:"match,required" doc:"What to match."`
	Every time.Duration `config:"every" default:"1m30s"`
}

type cyclerConfig struct {
	Mode   string            `config:"mode" enum:"all,none" default:"all" doc:"What to offer."`
	Limit  sdk.Bytes         `config:"limit" default:"64MiB" min:"1KiB"`
	Count  int               `config:"count" default:"3" min:"1" max:"10"`
	Labels map[string]string `config:"labels"`
	Rules  []rule            `config:"rule" doc:"A rule."`
	Token  string            `config:"token,sensitive"`
}

type cycler struct{ config cyclerConfig }

func newCycler(_ context.Context, h sdk.Host, c cyclerConfig) (*cycler, error) {
	h.Logger.Info("made", "instance", h.Instance, "data_dir", h.DataDir, "every", fmt.Sprint(c.Rules))
	var errs []error
	for i, r := range c.Rules {
		if r.Match == "bad" {
			errs = append(errs, sdk.ConfigError(errors.New("bad matches nothing"), "rule", i, "match"))
		}
	}
	if c.Labels["bad"] != "" {
		errs = append(errs, sdk.ConfigError(errors.New("a label is bad"), "labels", "bad"))
	}
	for i, r := range c.Rules {
		if r.Match == "odd" {
			h.Warn(errors.New("odd matches little"), "rule", i, "match")
		}
	}
	if c.Mode == "none" {
		h.Warn(errors.New("nothing is offered"))
		time.AfterFunc(10*time.Millisecond, func() { h.Warn(errors.New("still nothing"), "mode") })
	}
	return &cycler{c}, errors.Join(errs...)
}

func (c *cycler) Allocate(_ context.Context, in allocator.Cycle) ([]allocator.Offer, error) {
	if c.config.Mode == "none" {
		return nil, nil
	}
	return in.OfferAll(in.Agents), nil
}

// follower proposes one cpu of an agent each time one is added, and does what the names it sees say.
type follower struct {
	id      uint64
	agents  []string
	seen    []string
	running atomic.Int32
}

func newFollower(context.Context, sdk.Host, struct{}) (*follower, error) { return &follower{}, nil }

// alone makes sure that calls do not overlap.
func (f *follower) alone() func() {
	if f.running.Add(1) != 1 {
		panic("two calls at once")
	}
	return func() { f.running.Add(-1) }
}

func (f *follower) Reset() {
	defer f.alone()()
	f.seen, f.agents = append(f.seen, "reset"), nil
}

func (f *follower) Update(_ time.Time, us []allocator.Update) error {
	defer f.alone()()
	for _, u := range us {
		switch u := u.(type) {
		case allocator.AgentAdded:
			f.agents = append(f.agents, u.Agent.ID)
		case allocator.AgentRemoved:
			switch u.ID {
			case "lose":
				return errors.New("an agent is lost")
			case "panic":
				panic("an agent is a panic")
			}
		case allocator.Allocated:
			f.seen = append(f.seen, fmt.Sprintf("allocated %s %s %s", u.Framework, u.Agent, u.Resources))
		}
	}
	return nil
}

func (f *follower) Answer(_ time.Time, as []allocator.Answer) error {
	defer f.alone()()
	for _, a := range as {
		f.seen = append(f.seen, fmt.Sprintf("answer %d %q %q", a.ID, a.OfferID, a.Refused))
	}
	return nil
}

func (f *follower) Allocate(_ context.Context, _ time.Time, limit int) ([]allocator.Allocation, time.Time, error) {
	defer f.alone()()
	r, err := resource.Parse("cpus:1", "*")
	n := min(limit, len(f.agents))
	var out []allocator.Allocation
	for _, agent := range f.agents[:n] {
		f.id++
		out = append(out, allocator.Allocation{ID: f.id, Framework: "f", Role: "dev", Agent: agent, Resources: r})
	}
	f.agents = f.agents[n:]
	return out, time.Time{}, err
}

func (f *follower) Explain(_ time.Time, framework string) (allocator.Explanation, error) {
	defer f.alone()()
	e := allocator.Explanation{Framework: framework}
	for _, s := range f.seen {
		e.Reasons = append(e.Reasons, allocator.Reason{Code: "seen", Text: s})
	}
	return e, nil
}

// users allows principals what bears their name.
type users struct{ host sdk.Host }

func newUsers(_ context.Context, h sdk.Host, _ struct{}) (*users, error) { return &users{h}, nil }

func (u *users) Authorize(ctx context.Context, r authorizer.Request) (authorizer.Answer, error) {
	var a authorizer.Answer
	for _, o := range r.Objects {
		if o.Fields["user"] == "hang" {
			u.host.Logger.Warn("hanging")
			<-ctx.Done()
			return a, ctx.Err()
		}
		if o.Fields["user"] == "miscount" {
			return a, nil
		}
		allowed := o.Fields["user"] == r.Subject.Principal
		a.Decisions = append(a.Decisions, authorizer.Decision{Allowed: allowed, Reason: fmt.Sprint(r.Action, " ", o.Fields["labels"])})
	}
	a.Revision = "r1"
	return a, nil
}

func (*users) Filter(_ context.Context, s authorizer.Subject, a authorizer.Action) (authorizer.FilterAnswer, error) {
	switch a {
	case authorizer.ViewTask:
		own := authorizer.Compare(authorizer.Eq, authorizer.Field("framework", "principal"),
			authorizer.Const(authorizer.StringValue(s.Principal)))
		return authorizer.FilterAnswer{Predicate: own, Revision: "r1", ValidUntil: time.Unix(100, 0)}, nil
	case authorizer.ViewRole:
		return authorizer.FilterAnswer{NeedsBatch: true, Why: "roles.rego:3", Revision: "r1"}, nil
	default:
		return authorizer.FilterAnswer{}, nil // a bug: no predicate
	}
}

func (*users) Revisions(ctx context.Context, emit func(authorizer.Revision) error) error {
	if err := emit(authorizer.Revision{ID: "r1", Loaded: time.Unix(1, 0)}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// cells records calls about containers.
type cells struct {
	mu    sync.Mutex
	calls []string
	busy  map[string]bool
}

func newCells(context.Context, sdk.Host, struct{}) (*cells, error) {
	return &cells{busy: map[string]bool{}}, nil
}

func (c *cells) record(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, fmt.Sprintf(format, args...))
}

func (c *cells) Recover(_ context.Context, instance string, known []isolator.Container) ([]isolator.Container, error) {
	c.record("recover %s %d", instance, len(known))
	return []isolator.Container{{ID: "stray", Instance: instance}}, nil
}

func (c *cells) Prepare(ctx context.Context, s isolator.Spec) (isolator.Plan, error) {
	c.record("prepare %s", s.Container.ID)
	switch s.Container.ID {
	case "panic":
		panic("cannot prepare")
	case "slow":
		c.overlap(s.Container.ID)
		<-ctx.Done()
		c.done(s.Container.ID)
		return isolator.Plan{}, sdk.Errorf(sdk.Unavailable, "too slow")
	case "refused":
		return isolator.Plan{}, sdk.Errorf(sdk.FailedPrecondition, "cgroups are not mounted")
	}
	fmt.Println("printed by the vendor")
	return isolator.Plan{
		Handle:      isolator.Handle{HandleVersion: 3, Data: []byte(s.Container.ID)},
		CgroupPaths: []string{"/sys/fs/cgroup/" + s.Container.ID},
		Rlimits:     []isolator.Rlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: 2}},
	}, nil
}

func (c *cells) overlap(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[id] {
		panic("two calls about " + id)
	}
	c.busy[id] = true
}

func (c *cells) done(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy[id] = false
}

func (c *cells) Isolate(_ context.Context, x isolator.Container, pid int) error {
	c.record("isolate %s %d %s", x.ID, pid, x.Handle.Data)
	return nil
}

func (c *cells) Watch(ctx context.Context, x isolator.Container, emit func(isolator.Limitation) error) error {
	r, err := resource.Parse("mem:32", "*")
	if err != nil {
		return err
	}
	if err := emit(isolator.Limitation{Reason: isolator.LimitationMemory, Message: "oom " + x.ID, Resources: r, Used: 33, Limit: 32}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (c *cells) Update(_ context.Context, x isolator.Container, r resource.Resources, limits map[string]resource.Limit) error {
	c.record("update %s %s %v", x.ID, r, limits)
	return nil
}

func (c *cells) Usage(_ context.Context, cs []isolator.Container) (map[string]isolator.Usage, error) {
	bytes := uint64(77)
	return map[string]isolator.Usage{cs[0].ID: {Timestamp: time.Unix(5, 0), MemRSSBytes: &bytes}}, nil
}

// Status tells the calls that were made, in the place of a path.
func (c *cells) Status(context.Context, []isolator.Container) (map[string]isolator.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return map[string]isolator.Status{"calls": {CgroupPaths: c.calls}}, nil
}

func (c *cells) Cleanup(_ context.Context, x isolator.Container) error {
	c.record("cleanup %s", x.ID)
	c.overlap(x.ID)
	defer c.done(x.ID)
	if x.ID == "unknown" {
		return sdk.Errorf(sdk.NotFound, "no such container")
	}
	return nil
}
