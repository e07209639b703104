package plugintest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Options say what to test, and how.
type Options struct {
	// Kind is what the plugin is tested as: "allocator", "authorizer" or "isolator".
	Kind string
	// Binary is the path of the plugin's program.
	Binary string
	// Config is a configuration that is good: the JSON of a config {} block. Empty means {}.
	Config string
	// BadConfigs are configurations that pass the schema and that the plugin has to refuse.
	BadConfigs []string
	// Env is NAME=VALUE for the plugin's environment, which is empty otherwise.
	Env []string
	// Timeout is how long a call or a step of starting and stopping may take; zero is 10 s.
	Timeout time.Duration
	// FailFast leaves out what comes after the first check that fails.
	FailFast bool
}

// Result is what came of one check.
type Result struct {
	Check string `json:"check"`
	// Problems are what does not hold; none when the check passed.
	Problems []string `json:"problems,omitempty"`
	// Skipped says why the check does not apply; empty when it does.
	Skipped string        `json:"skipped,omitempty"`
	Took    time.Duration `json:"took"`
}

// Passed says that nothing is wrong.
func (r Result) Passed() bool { return len(r.Problems) == 0 }

// Reporter hears of the checks as they are run, one after the other.
type Reporter interface {
	// Begin is called before a check.
	Begin(check string)
	// End is called after it.
	End(r Result)
}

// TB is what Test needs of a *testing.T.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Test runs all checks and fails the test for each problem.
func Test(t TB, o Options) {
	t.Helper()
	results, err := Verify(context.Background(), o, nil)
	if err != nil {
		t.Errorf("%v", err)
	}
	for _, r := range results {
		switch {
		case r.Skipped != "":
			t.Logf("%s: skipped: %s", r.Check, r.Skipped)
		case r.Passed():
			t.Logf("%s: passed in %v", r.Check, r.Took.Round(time.Millisecond))
		}
		for _, p := range r.Problems {
			t.Errorf("%s: %s", r.Check, p)
		}
	}
}

// Verify runs all checks and returns their results in order. reporter may be nil. The error is about the
// options; what is wrong with the plugin is in the results.
func Verify(ctx context.Context, o Options, reporter Reporter) ([]Result, error) {
	checks, err := checksOf(o.Kind)
	if err != nil {
		return nil, err
	}
	if o.Binary == "" {
		return nil, errors.New("no binary is given")
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Config == "" {
		o.Config = "{}"
	}
	var results []Result
	for _, c := range checks {
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		if reporter != nil {
			reporter.Begin(c.name)
		}
		r := runCheck(ctx, o, c)
		if reporter != nil {
			reporter.End(r)
		}
		results = append(results, r)
		if (c.vital || o.FailFast) && !r.Passed() {
			break // of a plugin that fails a vital check nothing else can be said
		}
	}
	return results, nil
}

// check is one thing that has to hold.
type check struct {
	name string
	run  func(*bench)
	// vital says that the others mean nothing when it fails.
	vital bool
}

func checksOf(kind string) ([]check, error) {
	var own []check
	switch kind {
	case "allocator":
		own = allocatorChecks()
	case "authorizer":
		own = authorizerChecks()
	case "isolator":
		own = append(isolatorChecks(), launcherChecks()...)
	default:
		return nil, fmt.Errorf("%q is no kind of plugin that this kit knows", kind)
	}
	return append(append(startChecks(), own...), endChecks()...), nil
}

// bench is where one check is run: it gathers problems, and ends what was started.
type bench struct {
	Options
	ctx      context.Context
	mu       sync.Mutex
	problems []string
	skipped  string
	cleanups []func()
}

// stop ends a check early; it never leaves runCheck.
type stop struct{}

// maxCheck bounds a check.
const maxCheck = 2 * time.Minute

func runCheck(ctx context.Context, o Options, c check) (r Result) {
	ctx, cancel := context.WithTimeout(ctx, maxCheck)
	defer cancel()
	b := &bench{Options: o, ctx: ctx}
	began := time.Now()
	func() {
		defer b.cleanup()
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(stop); !ok {
					panic(p)
				}
			}
		}()
		c.run(b)
	}()
	b.mu.Lock()
	defer b.mu.Unlock()
	return Result{Check: c.name, Problems: b.problems, Skipped: b.skipped, Took: time.Since(began)}
}

func (b *bench) cleanup() {
	for i := len(b.cleanups) - 1; i >= 0; i-- {
		b.cleanups[i]()
	}
}

func (b *bench) onEnd(f func()) { b.cleanups = append(b.cleanups, f) }

// errorf notes a problem.
func (b *bench) errorf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.problems) < 20 {
		b.problems = append(b.problems, fmt.Sprintf(format, args...))
	}
}

// fatalf notes a problem and ends the check. Only the check's own goroutine may call it.
func (b *bench) fatalf(format string, args ...any) {
	b.errorf(format, args...)
	panic(stop{})
}

// skip ends a check that does not apply.
func (b *bench) skip(why string) {
	b.skipped = why
	panic(stop{})
}

// call gives a context for one call.
func (b *bench) call() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, b.Timeout)
}

// eventually waits until a condition holds.
func (b *bench) eventually(what string, condition func() bool) bool {
	for deadline := time.Now().Add(b.Timeout); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.errorf("%s: not within %v", what, b.Timeout)
			return false
		}
	}
	return true
}
