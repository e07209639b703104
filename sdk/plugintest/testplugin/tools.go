package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"regexp"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// toolless has the methods of an authorizer and no others.
type toolless struct{ authorizer.Authorizer }

func newToolless(ctx context.Context, h sdk.Host, c Config) (toolless, error) {
	a, err := newAuthorizer("good")(ctx, h, c)
	return toolless{a}, err
}

// policyFiles says which of the paths is not there. The policy itself is in the program.
func policyFiles(paths []string) error {
	for _, p := range paths {
		if _, err := os.Stat(p); err != nil {
			return sdk.Errorf(sdk.InvalidArgument, "read policies: %w", err)
		}
	}
	return nil
}

// Test has one test, of each path.
func (a *testAuthorizer) Test(ctx context.Context, o authorizer.TestOptions) (authorizer.TestReport, error) {
	misbehave(a.mode)
	run, err := regexp.Compile(o.Run)
	if err != nil {
		return authorizer.TestReport{}, sdk.Errorf(sdk.InvalidArgument, "the tests to run: %w", err)
	}
	if err := policyFiles(o.Paths); err != nil {
		return authorizer.TestReport{}, err
	}
	if err := pause(ctx, a.config.Pause); err != nil {
		return authorizer.TestReport{}, err
	}
	r := authorizer.TestResult{Name: "test_names", Passed: true, Duration: time.Millisecond, Location: authorizer.Location{File: "policy", Line: 1, Column: 1}}
	if a.mode == "fibs" {
		r = authorizer.TestResult{Passed: true, Skipped: true, Duration: -time.Second}
	}
	if !run.MatchString(r.Name) {
		return authorizer.TestReport{}, nil
	}
	return authorizer.TestReport{Results: []authorizer.TestResult{r}}, nil
}

// Check warns of each path: it is not read.
func (a *testAuthorizer) Check(_ context.Context, paths []string) ([]authorizer.Finding, error) {
	misbehave(a.mode)
	if a.mode == "fibs" {
		return []authorizer.Finding{{}}, nil
	}
	var out []authorizer.Finding
	for _, p := range paths {
		out = append(out, authorizer.Finding{
			Severity: authorizer.SeverityWarning, Code: "unread", Message: "is not read", Location: authorizer.Location{File: p},
		})
	}
	return out, policyFiles(paths)
}

// Explain answers as Authorize does.
func (a *testAuthorizer) Explain(ctx context.Context, o authorizer.ExplainOptions) (authorizer.Explanation, error) {
	answer, err := a.Authorize(ctx, o.Request)
	if err == nil {
		err = policyFiles(o.Paths)
	}
	e := authorizer.Explanation{Answer: answer, Trace: []string{fmt.Sprintf("the name %q was looked at", o.Request.Subject.Principal)}}
	if a.mode == "fibs" {
		for i := range e.Answer.Decisions {
			e.Answer.Decisions[i].Allowed = !e.Answer.Decisions[i].Allowed
		}
		e.Answer.Revision = ""
	}
	return e, err
}

// Coverage says that all is reached but a line.
func (a *testAuthorizer) Coverage(_ context.Context, o authorizer.TestOptions) (authorizer.CoverageReport, error) {
	misbehave(a.mode)
	if a.mode == "fibs" {
		return authorizer.CoverageReport{Percent: math.NaN(), Files: []authorizer.FileCoverage{{NotCovered: []authorizer.LineRange{{First: 5, Last: 2}}}}}, nil
	}
	file := authorizer.FileCoverage{File: "policy", Percent: 75, NotCovered: []authorizer.LineRange{{First: 2, Last: 2}}}
	return authorizer.CoverageReport{Percent: 75, Files: []authorizer.FileCoverage{file}}, policyFiles(o.Paths)
}
