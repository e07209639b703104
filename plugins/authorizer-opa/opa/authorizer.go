package opa

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// Config is the plugin's config block.
type Config struct {
	Policies string `config:"policies,required" doc:"Folder of .rego policies and .json or .yaml data files, or one .rego file. Read again when a file changes."`
	Package  string `config:"package" default:"mezzo.authz" doc:"The Rego package that defines allow, deny and reason."`
}

// remember is how long the host may keep an answer of a policy that gives the same one every time.
const remember = 5 * time.Minute

// Authorizer decides by the policy in force.
type Authorizer struct {
	config  Config
	log     *slog.Logger
	current atomic.Pointer[policy]
	stop    context.CancelFunc
	done    chan struct{}

	mu sync.Mutex
	// problem is why the newest state of the folder is not in force.
	problem string
	// changed is closed, and replaced, when the policy or the problem has changed.
	changed chan struct{}
}

// New compiles the policies and begins to watch the folder, until Close. Its errors are about the attribute
// policies. For the tools alone nothing is read or watched: they read what they are asked about.
func New(ctx context.Context, h sdk.Host, c Config) (*Authorizer, error) {
	path := c.Policies
	if path != "" || !h.ToolsOnly {
		var err error
		if path, err = filepath.Abs(path); err != nil {
			return nil, sdk.ConfigError(err, "policies")
		}
	}
	c.Policies = path
	a := &Authorizer{config: c, log: h.Logger, done: make(chan struct{}), changed: make(chan struct{})}
	if h.ToolsOnly {
		a.stop = sync.OnceFunc(func() { close(a.done) })
		return a, nil
	}
	p, err := load(ctx, []string{path}, c.Package, time.Now())
	if err != nil {
		return nil, sdk.ConfigError(err, "policies")
	}
	a.current.Store(p)
	watching, stop := context.WithCancel(context.Background())
	a.stop = stop
	w, err := newWatcher(path)
	if err != nil {
		stop()
		return nil, sdk.ConfigError(err, "policies")
	}
	go func() {
		defer close(a.done)
		defer w.close()
		w.run(watching, a.reload)
	}()
	for _, w := range p.warnings {
		h.Warn(errors.New(w), "policies")
	}
	a.log.Info("policies loaded", "policies", path, "revision", p.revision)
	return a, nil
}

// Close ends the watching.
func (a *Authorizer) Close() error {
	a.stop()
	<-a.done
	return nil
}

// reload takes what the folder holds now, if it compiles.
func (a *Authorizer) reload(ctx context.Context) {
	p, err := load(ctx, []string{a.config.Policies}, a.config.Package, time.Now())
	switch {
	case err != nil && ctx.Err() != nil:
		return
	case err != nil:
		if a.tell(err.Error()) {
			a.log.Error("new policies are not taken; the old ones stay in force", "error", err, "revision", a.current.Load().revision)
		}
	case p.revision == a.current.Load().revision:
		a.tell("")
	default:
		a.current.Store(p)
		a.problemIs("")
		for _, w := range p.warnings {
			a.log.Warn("warning about the policies", "warning", w)
		}
		a.log.Info("policies reloaded", "revision", p.revision)
	}
}

// tell records the problem and reports whether it is another one than before.
func (a *Authorizer) tell(problem string) bool {
	a.mu.Lock()
	same := a.problem == problem
	a.mu.Unlock()
	if !same {
		a.problemIs(problem)
	}
	return !same
}

func (a *Authorizer) problemIs(problem string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.problem = problem
	close(a.changed)
	a.changed = make(chan struct{})
}

// Revisions implements authorizer.Authorizer.
func (a *Authorizer) Revisions(ctx context.Context, emit func(authorizer.Revision) error) error {
	if _, err := a.inForce(); err != nil {
		return err
	}
	for {
		a.mu.Lock()
		p, problem, changed := a.current.Load(), a.problem, a.changed
		a.mu.Unlock()
		if err := emit(authorizer.Revision{ID: p.revision, Loaded: p.loaded, Problem: problem}); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-a.done:
			return errors.New("the authorizer has been closed")
		}
	}
}

// Authorize implements authorizer.Authorizer.
func (a *Authorizer) Authorize(ctx context.Context, r authorizer.Request) (authorizer.Answer, error) {
	p, err := a.inForce()
	if err != nil {
		return authorizer.Answer{}, err
	}
	answer, _, err := p.answer(ctx, r)
	return answer, err
}

// inForce is the policy that decides; there is none where only the tools are wanted.
func (a *Authorizer) inForce() (*policy, error) {
	if p := a.current.Load(); p != nil {
		return p, nil
	}
	return nil, sdk.Errorf(sdk.FailedPrecondition, "the plugin was configured for its tools alone, and decides nothing")
}

func (p *policy) validUntil() time.Time {
	if !p.steady {
		return time.Time{}
	}
	return time.Now().Add(remember)
}
