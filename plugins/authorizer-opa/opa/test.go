package opa

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// maxOutput bounds what is told of one test, in bytes.
const maxOutput = 4 << 10

// Test implements authorizer.PolicyTools.
func (a *Authorizer) Test(ctx context.Context, o authorizer.TestOptions) (authorizer.TestReport, error) {
	s, err := a.suite(o)
	if err != nil {
		return authorizer.TestReport{}, err
	}
	s.runner.EnableTracing(true)
	var report authorizer.TestReport
	err = s.run(ctx, func(r *tester.Result) {
		report.Results = append(report.Results, authorizer.TestResult{
			Name: r.Package + "." + r.Name, Location: location(r.Location),
			Passed: r.Pass(), Skipped: r.Skip, Duration: r.Duration, Output: output(r),
		})
	})
	slices.SortFunc(report.Results, func(a, b authorizer.TestResult) int {
		return cmp.Or(cmp.Compare(a.Location.File, b.Location.File), cmp.Compare(a.Location.Line, b.Location.Line), cmp.Compare(a.Name, b.Name))
	})
	return report, err
}

// Coverage implements authorizer.PolicyTools. Tests themselves are not counted.
func (a *Authorizer) Coverage(ctx context.Context, o authorizer.TestOptions) (authorizer.CoverageReport, error) {
	s, err := a.suite(o)
	if err != nil {
		return authorizer.CoverageReport{}, err
	}
	lines := cover.New()
	s.runner.SetCoverageQueryTracer(lines)
	var failed []string
	err = s.run(ctx, func(r *tester.Result) {
		if !r.Pass() && !r.Skip {
			failed = append(failed, fmt.Sprintf("%s.%s (%s)", r.Package, r.Name, r.Location))
		}
	})
	if err != nil {
		return authorizer.CoverageReport{}, err
	}
	if len(failed) > 0 {
		slices.Sort(failed)
		return authorizer.CoverageReport{}, sdk.Errorf(sdk.FailedPrecondition,
			"%d of the tests fail, so that what they reach means little: %s", len(failed), strings.Join(failed[:min(len(failed), 3)], ", "))
	}
	return coverage(lines, s.policies()), nil
}

func coverage(lines *cover.Cover, policies map[string]*ast.Module) authorizer.CoverageReport {
	report := lines.Report(policies)
	var out authorizer.CoverageReport
	covered, all := 0, 0
	for name := range policies {
		f := report.Files[name]
		if n := f.CoveredLines + f.NotCoveredLines; n > 0 {
			covered, all = covered+f.CoveredLines, all+n
			out.Files = append(out.Files, authorizer.FileCoverage{File: name, Percent: f.Coverage, NotCovered: ranges(f.NotCovered)})
		}
	}
	if all > 0 {
		out.Percent = 100 * float64(covered) / float64(all)
	}
	slices.SortFunc(out.Files, func(a, b authorizer.FileCoverage) int { return cmp.Compare(a.File, b.File) })
	return out
}

// ranges are lines in order, those that touch put together.
func ranges(from []cover.Range) []authorizer.LineRange {
	slices.SortFunc(from, func(a, b cover.Range) int { return cmp.Compare(a.Start.Row, b.Start.Row) })
	var out []authorizer.LineRange
	for _, r := range from {
		if last := len(out) - 1; last >= 0 && r.Start.Row <= out[last].Last+1 {
			out[last].Last = max(out[last].Last, r.End.Row)
			continue
		}
		out = append(out, authorizer.LineRange{First: r.Start.Row, Last: r.End.Row})
	}
	return out
}

// suite is policies with their tests.
type suite struct {
	modules map[string]*ast.Module
	runner  *tester.Runner
}

func (a *Authorizer) suite(o authorizer.TestOptions) (*suite, error) {
	if _, err := regexp.Compile(o.Run); err != nil {
		return nil, sdk.Errorf(sdk.InvalidArgument, "the tests to run: %w", err)
	}
	paths, err := a.paths(o.Paths)
	if err != nil {
		return nil, err
	}
	files, err := read(withTests(paths), ignoredByTests)
	if err != nil {
		return nil, toPutRight(err)
	}
	store, err := files.Store()
	if err != nil {
		return nil, toPutRight(fmt.Errorf("read policy data: %w", err))
	}
	s := &suite{modules: files.ParsedModules(), runner: tester.NewRunner()}
	s.runner.SetStore(store).SetModules(s.modules).Filter(o.Run).CapturePrintOutput(true)
	return s, nil
}

// policies are the modules that hold no tests.
func (s *suite) policies() map[string]*ast.Module {
	out := map[string]*ast.Module{}
	for name, m := range s.modules {
		if !strings.HasSuffix(name, testSuffix) {
			out[name] = m
		}
	}
	return out
}

// run runs the tests, in no order. Its error is about the policies, or ctx's.
func (s *suite) run(ctx context.Context, each func(*tester.Result)) error {
	results, err := s.runner.RunTests(ctx, nil)
	if err != nil {
		return toPutRight(fmt.Errorf("compile policies: %w", err))
	}
	for r := range results {
		each(r)
	}
	return ctx.Err()
}

// output is what a test printed, and why it failed.
func output(r *tester.Result) string {
	var b strings.Builder
	b.Write(r.Output)
	switch {
	case r.Error != nil:
		fmt.Fprintln(&b, r.Error)
	case r.Fail:
		for name, sub := range r.SubResults.Iter {
			if sub.Fail && len(sub.SubResults) == 0 {
				fmt.Fprintf(&b, "case %s fails\n", strings.Join(name, ", "))
			}
		}
		fails(&b, r.Trace)
	}
	return strings.ToValidUTF8(strings.TrimSpace(b.String()[:min(b.Len(), maxOutput)]), "?")
}

// fails writes which condition of a test did not hold, with the values in it: the last that failed.
func fails(b *strings.Builder, trace []*topdown.Event) {
	for _, e := range slices.Backward(trace) {
		expr, ok := e.Node.(*ast.Expr)
		if e.Op != topdown.FailOp || !ok || e.Location == nil || e.QueryID == 0 {
			continue
		}
		if _, every := expr.Terms.(*ast.Every); every {
			continue // the condition in its body says more
		}
		var text bytes.Buffer
		if err := topdown.PrettyEvent(&text, e, topdown.PrettyEventOpts{PrettyVars: true}); err != nil {
			return
		}
		fmt.Fprintf(b, "%s:%d: does not hold:\n%s", e.Location.File, e.Location.Row, moved(text.String()))
		return
	}
}

// moved gives the lines of paragraphs with as little white space before them as keeps them in line.
func moved(text string) string {
	var out []string
	for paragraph := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		lines := strings.Split(paragraph, "\n")
		least := len(paragraph)
		for _, l := range lines {
			least = min(least, len(l)-len(strings.TrimLeft(l, " \t")))
		}
		for _, l := range lines {
			out = append(out, "    "+l[least:])
		}
	}
	return strings.Join(out, "\n")
}
