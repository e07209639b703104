package authorizer

import (
	"context"
	"time"
)

// PolicyTools is what an Authorizer may offer to those who write policies. Paths
// are policy files or folders on the plugin's machine; none means the configured ones.
type PolicyTools interface {
	// Test runs the policies' own tests.
	Test(ctx context.Context, o TestOptions) (TestReport, error)
	// Check compiles policies and reports what is wrong or unwise with them, such as a rule that keeps
	// Filter from answering with a predicate.
	Check(ctx context.Context, paths []string) ([]Finding, error)
	// Explain answers a request and says how the answer came about.
	Explain(ctx context.Context, r Request) (Explanation, error)
	// Coverage runs the tests and says which lines they did not reach.
	Coverage(ctx context.Context, o TestOptions) (CoverageReport, error)
}

// TestOptions selects tests.
type TestOptions struct {
	Paths []string
	// Run is a regular expression that the names of the tests to run match; empty for all.
	Run string
}

// TestReport is what became of the tests.
type TestReport struct{ Results []TestResult }

// TestResult is what became of one test.
type TestResult struct {
	Name     string
	Location Location
	Passed   bool
	Skipped  bool
	Duration time.Duration
	// Output is what the test printed, and why it failed.
	Output string
}

// Location is a place in a policy file. Lines and columns count from 1; 0 is unknown.
type Location struct {
	File   string
	Line   int
	Column int
}

// Severity is how bad a Finding is.
type Severity string

const (
	// SeverityError is a policy that cannot be used.
	SeverityError Severity = "error"
	// SeverityWarning is a policy that works, but worse than it could.
	SeverityWarning Severity = "warning"
)

// Finding is one thing that Check has to say.
type Finding struct {
	Severity Severity
	Location Location
	// Code names the kind of finding, for programs.
	Code    string
	Message string
}

// Explanation is how decisions came about.
type Explanation struct {
	Answer Answer
	// Trace is lines for people: rules tried, what they found.
	Trace []string
}

// CoverageReport is how much of the policies their tests reach.
type CoverageReport struct {
	// Percent is from 0 to 100, of all files together.
	Percent float64
	Files   []FileCoverage
}

// FileCoverage is how much of one file is reached.
type FileCoverage struct {
	File       string
	Percent    float64
	NotCovered []LineRange
}

// LineRange is lines from First to Last, both included.
type LineRange struct{ First, Last int }
