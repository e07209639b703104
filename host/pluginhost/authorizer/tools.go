package authorizer

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	contract "github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/authorizerconv"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
)

// Bounds of what an authorizer's tools may say.
const (
	maxResults = 100_000 // tests, findings, files, lines of a trace, ranges of lines
	maxText    = 64 << 10
	maxName    = 4 << 10
)

// toolsTimeout bounds a call to the tools. People wait for it and can interrupt it, so it is longer than that of
// the calls that a cluster waits for.
const toolsTimeout = 10 * time.Minute

// Tools asks a plugin for its PolicyTools. It is safe for concurrent use.
type Tools struct {
	plugin *pluginhost.Plugin
	client authorizerv1.PolicyToolsServiceClient
}

var _ contract.PolicyTools = (*Tools)(nil)

// WithTools starts an authorizer for its tools alone, calls f with them, and ends it. The authorizer's own policies need
// not be there. Without tools it is an error that names the plugin.
func WithTools(ctx context.Context, s pluginhost.Spec, f func(*Tools) error) error {
	s.ToolsOnly, s.Timeout = true, toolsTimeout
	return pluginhost.With(ctx, pluginhost.Options{Logger: slog.New(slog.DiscardHandler)}, s, func(p *pluginhost.Plugin) error {
		return f(&Tools{plugin: p, client: authorizerv1.NewPolicyToolsServiceClient(p.Conn())})
	})
}

// Test runs the policies' tests.
func (t *Tools) Test(ctx context.Context, o contract.TestOptions) (contract.TestReport, error) {
	response, err := t.client.Test(ctx, &authorizerv1.TestRequest{Paths: o.Paths, Run: o.Run})
	if err != nil {
		return contract.TestReport{}, t.plugin.Wrap(err)
	}
	report := authorizerconv.TestReportFromProto(response)
	if err := t.checkCount("tests", len(report.Results)); err != nil {
		return contract.TestReport{}, err
	}
	for i := range report.Results {
		r := &report.Results[i]
		switch {
		case r.Name == "" || len(r.Name) > maxName:
			return contract.TestReport{}, t.plugin.Bug("the name %.40q of a test is empty or too long", r.Name)
		case r.Passed && r.Skipped:
			return contract.TestReport{}, t.plugin.Bug("the test %s has passed and was skipped", r.Name)
		case r.Duration < 0:
			return contract.TestReport{}, t.plugin.Bug("the test %s took %v", r.Name, r.Duration)
		}
		if err := t.checkLocation(r.Location); err != nil {
			return contract.TestReport{}, err
		}
		r.Output = cut(r.Output, maxText)
	}
	return report, nil
}

// Check compiles policies and says what is wrong with them.
func (t *Tools) Check(ctx context.Context, paths []string) ([]contract.Finding, error) {
	response, err := t.client.Check(ctx, &authorizerv1.CheckRequest{Paths: paths})
	if err != nil {
		return nil, t.plugin.Wrap(err)
	}
	if err := t.checkCount("findings", len(response.GetFindings())); err != nil {
		return nil, err
	}
	for _, f := range response.GetFindings() {
		if _, ok := authorizerv1.FindingSeverity_name[int32(f.GetSeverity())]; !ok || f.GetSeverity() == authorizerv1.FindingSeverity_FINDING_SEVERITY_UNSPECIFIED {
			return nil, t.plugin.Bug("a finding has the severity %d", f.GetSeverity())
		}
		if f.GetMessage() == "" || f.GetCode() == "" || len(f.GetCode()) > maxName {
			return nil, t.plugin.Bug("a finding has no message, or a code that is empty or too long")
		}
	}
	findings := authorizerconv.FindingsFromProto(response)
	for i := range findings {
		if err := t.checkLocation(findings[i].Location); err != nil {
			return nil, err
		}
		findings[i].Message = cut(findings[i].Message, maxText)
	}
	return findings, nil
}

// Explain answers a question and says how the answer came about.
func (t *Tools) Explain(ctx context.Context, o contract.ExplainOptions) (contract.Explanation, error) {
	request, err := authorizerconv.RequestToProto(o.Request)
	if err != nil {
		return contract.Explanation{}, err
	}
	response, err := t.client.Explain(ctx, &authorizerv1.ExplainRequest{Request: request, Paths: o.Paths})
	if err != nil {
		return contract.Explanation{}, t.plugin.Wrap(err)
	}
	e := authorizerconv.ExplanationFromProto(response)
	if err := checkAnswer(t.plugin, o.Request, &e.Answer); err != nil {
		return contract.Explanation{}, err
	}
	if err := t.checkCount("lines of a trace", len(e.Trace)); err != nil {
		return contract.Explanation{}, err
	}
	for i := range e.Trace {
		e.Trace[i] = cut(e.Trace[i], maxName)
	}
	return e, nil
}

// Coverage runs the tests and says what they do not reach.
func (t *Tools) Coverage(ctx context.Context, o contract.TestOptions) (contract.CoverageReport, error) {
	response, err := t.client.Coverage(ctx, &authorizerv1.CoverageRequest{Paths: o.Paths, Run: o.Run})
	if err != nil {
		return contract.CoverageReport{}, t.plugin.Wrap(err)
	}
	report := authorizerconv.CoverageFromProto(response)
	if err := t.checkCount("files", len(report.Files)); err != nil {
		return contract.CoverageReport{}, err
	}
	if err := t.checkPercent(report.Percent); err != nil {
		return contract.CoverageReport{}, err
	}
	for _, f := range report.Files {
		if err := t.checkFile(f); err != nil {
			return contract.CoverageReport{}, err
		}
	}
	return report, nil
}

func (t *Tools) checkFile(f contract.FileCoverage) error {
	if f.File == "" || len(f.File) > maxName {
		return t.plugin.Bug("the name %.40q of a file is empty or too long", f.File)
	}
	if err := t.checkCount("ranges of lines", len(f.NotCovered)); err != nil {
		return err
	}
	last := 0
	for _, l := range f.NotCovered {
		if l.First <= last || l.Last < l.First {
			return t.plugin.Bug("the lines %d to %d of %s come after the line %d", l.First, l.Last, f.File, last)
		}
		last = l.Last
	}
	return t.checkPercent(f.Percent)
}

func (t *Tools) checkPercent(p float64) error {
	if math.IsNaN(p) || p < 0 || p > 100 {
		return t.plugin.Bug("the coverage %v is no percentage", p)
	}
	return nil
}

func (t *Tools) checkCount(what string, n int) error {
	if n > maxResults {
		return t.plugin.Bug("it gives %d %s", n, what)
	}
	return nil
}

func (t *Tools) checkLocation(l contract.Location) error {
	if len(l.File) > maxName || l.File == "" && l.Line > 0 {
		return t.plugin.Bug("the place %.40q:%d has no file, or one whose name is too long", l.File, l.Line)
	}
	return nil
}
