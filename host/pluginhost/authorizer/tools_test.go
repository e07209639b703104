//go:build unix

package authorizer

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/internal/testbinary"
	"github.com/mezzo-cluster/mezzo/sdk"
	contract "github.com/mezzo-cluster/mezzo/sdk/authorizer"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
)

func toolsSpec(t *testing.T, mode string) pluginhost.Spec {
	t.Helper()
	return pluginhost.Spec{Kind: "authorizer", Name: "test", Binary: testbinary.As(t, testPlugin, "authorizer", mode), Config: config(`{"marker":"r1"}`),
		Timeout: time.Nanosecond} // of calls that a cluster waits for, which these are not
}

func TestTools(t *testing.T) {
	t.Parallel()
	err := WithTools(t.Context(), toolsSpec(t, "good"), func(tools *Tools) error {
		report, err := tools.Test(t.Context(), contract.TestOptions{})
		if err != nil || len(report.Results) != 1 || !report.Results[0].Passed || report.Results[0].Name != "test_names" {
			t.Errorf("Test: %+v, %v", report, err)
		}
		findings, err := tools.Check(t.Context(), []string{os.TempDir()})
		if err != nil || len(findings) != 1 || findings[0].Severity != contract.SeverityWarning {
			t.Errorf("Check: %+v, %v", findings, err)
		}
		coverage, err := tools.Coverage(t.Context(), contract.TestOptions{})
		if err != nil || coverage.Percent != 75 || len(coverage.Files) != 1 {
			t.Errorf("Coverage: %+v, %v", coverage, err)
		}
		e, err := tools.Explain(t.Context(), contract.ExplainOptions{Request: request("nobody", 2)})
		if err != nil || len(e.Answer.Decisions) != 2 || e.Answer.Decisions[0].Allowed || e.Answer.Revision != "r1" || !strings.Contains(e.Trace[0], `"nobody"`) {
			t.Errorf("Explain: %+v, %v", e, err)
		}
		_, err = tools.Test(t.Context(), contract.TestOptions{Run: "("})
		if sdk.CodeOf(err) != sdk.InvalidArgument || !strings.HasPrefix(err.Error(), `authorizer "test": the tests to run`) {
			t.Errorf("a bad expression: %v", err)
		}
		return errors.New("what the caller says")
	})
	if err == nil || err.Error() != "what the caller says" {
		t.Errorf("WithTools: %v", err)
	}
}

// TestToolsOfNone: the error names the plugin, and what it lacks.
func TestToolsOfNone(t *testing.T) {
	t.Parallel()
	s := toolsSpec(t, "toolless")
	err := WithTools(t.Context(), s, func(*Tools) error { t.Error("it was called"); return nil })
	if err == nil || !strings.HasPrefix(err.Error(), `authorizer "test": `+s.Binary) || !strings.Contains(err.Error(), "has no tools") {
		t.Errorf("got %v", err)
	}
}

// TestToolsGivenUp: who asked may stop waiting, and the plugin is ended.
func TestToolsGivenUp(t *testing.T) {
	t.Parallel()
	s := toolsSpec(t, "good")
	s.Config = config(`{"pause":"3600000000000"}`)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := WithTools(ctx, s, func(tools *Tools) error {
		_, err := tools.Test(ctx, contract.TestOptions{})
		return err
	})
	if sdk.CodeOf(err) != sdk.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
}

// TestToolsLie: answers that break the contract are errors, over the whole wire.
func TestToolsLie(t *testing.T) {
	t.Parallel()
	err := WithTools(t.Context(), toolsSpec(t, "fibs"), func(tools *Tools) error {
		_, test := tools.Test(t.Context(), contract.TestOptions{})
		_, check := tools.Check(t.Context(), nil)
		_, explain := tools.Explain(t.Context(), contract.ExplainOptions{Request: request("alice", 1)})
		_, coverage := tools.Coverage(t.Context(), contract.TestOptions{})
		for i, err := range []error{test, check, explain, coverage} {
			if err == nil || !strings.HasPrefix(err.Error(), `authorizer "test": the plugin breaks its contract: `) {
				t.Errorf("%d: %v", i, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// said is a client that gives one answer.
type said struct {
	authorizerv1.PolicyToolsServiceClient
	test     *authorizerv1.TestResponse
	check    *authorizerv1.CheckResponse
	explain  *authorizerv1.ExplainResponse
	coverage *authorizerv1.CoverageResponse
}

func (s said) Test(context.Context, *authorizerv1.TestRequest, ...grpc.CallOption) (*authorizerv1.TestResponse, error) {
	return s.test, nil
}

func (s said) Check(context.Context, *authorizerv1.CheckRequest, ...grpc.CallOption) (*authorizerv1.CheckResponse, error) {
	return s.check, nil
}

func (s said) Explain(context.Context, *authorizerv1.ExplainRequest, ...grpc.CallOption) (*authorizerv1.ExplainResponse, error) {
	return s.explain, nil
}

func (s said) Coverage(context.Context, *authorizerv1.CoverageRequest, ...grpc.CallOption) (*authorizerv1.CoverageResponse, error) {
	return s.coverage, nil
}

// TestToolsAreChecked: each answer that cannot be.
func TestToolsAreChecked(t *testing.T) {
	t.Parallel()
	_, p, _ := start(t, "good", `{}`)
	long := strings.Repeat("x", 100_000)
	test := func(r *authorizerv1.TestResult) said {
		return said{test: &authorizerv1.TestResponse{Results: []*authorizerv1.TestResult{r}}}
	}
	check := func(f *authorizerv1.Finding) said {
		return said{check: &authorizerv1.CheckResponse{Findings: []*authorizerv1.Finding{f}}}
	}
	lines := func(ls ...*authorizerv1.LineRange) said {
		return said{coverage: &authorizerv1.CoverageResponse{Files: []*authorizerv1.FileCoverage{{File: "f", NotCovered: ls}}}}
	}
	warning := authorizerv1.FindingSeverity_FINDING_SEVERITY_WARNING
	for want, s := range map[string]said{
		`the name "" of a test`:   test(&authorizerv1.TestResult{}),
		`the name "xxxxxxxxxx`:    test(&authorizerv1.TestResult{Name: long}),
		"passed and was skipped":  test(&authorizerv1.TestResult{Name: "n", Passed: true, Skipped: true}),
		`the place "":7`:          test(&authorizerv1.TestResult{Name: "n", Location: &authorizerv1.Location{Line: 7}}),
		"the severity 0":          check(&authorizerv1.Finding{Message: "m", Code: "c"}),
		"the severity 9":          check(&authorizerv1.Finding{Message: "m", Code: "c", Severity: 9}),
		"no message":              check(&authorizerv1.Finding{Code: "c", Severity: warning}),
		`the place "":3`:          check(&authorizerv1.Finding{Message: "m", Code: "c", Severity: warning, Location: &authorizerv1.Location{Line: 3}}),
		"0 decisions":             {explain: &authorizerv1.ExplainResponse{}},
		`the revision ""`:         {explain: &authorizerv1.ExplainResponse{Answer: &authorizerv1.AuthorizeResponse{Decisions: []*authorizerv1.Decision{{}}}}},
		"NaN":                     {coverage: &authorizerv1.CoverageResponse{Percent: math.NaN()}},
		"100.5":                   {coverage: &authorizerv1.CoverageResponse{Percent: 100.5}},
		`the name "" of a file`:   {coverage: &authorizerv1.CoverageResponse{Files: []*authorizerv1.FileCoverage{{}}}},
		"the lines 0 to 4":        lines(&authorizerv1.LineRange{Last: 4}),
		"the lines 4 to 3":        lines(&authorizerv1.LineRange{First: 4, Last: 3}),
		"2 to 9 of f come after":  lines(&authorizerv1.LineRange{First: 1, Last: 3}, &authorizerv1.LineRange{First: 2, Last: 9}),
		"it gives 100001 files":   {coverage: &authorizerv1.CoverageResponse{Files: make([]*authorizerv1.FileCoverage, maxResults+1)}},
		"100001 lines of a trace": {explain: &authorizerv1.ExplainResponse{Answer: &authorizerv1.AuthorizeResponse{Decisions: []*authorizerv1.Decision{{}}, Revision: "r"}, Trace: make([]string, maxResults+1)}},
	} {
		tools := &Tools{plugin: p, client: s}
		var err error
		switch {
		case s.test != nil:
			_, err = tools.Test(t.Context(), contract.TestOptions{})
		case s.check != nil:
			_, err = tools.Check(t.Context(), nil)
		case s.explain != nil:
			_, err = tools.Explain(t.Context(), contract.ExplainOptions{Request: request("alice", 1)})
		default:
			_, err = tools.Coverage(t.Context(), contract.TestOptions{})
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `authorizer "test": the plugin breaks its contract: `) {
			t.Errorf("%s: %v", want, err)
		}
	}
	tools := &Tools{plugin: p, client: test(&authorizerv1.TestResult{Name: "n", Output: long})}
	if r, err := tools.Test(t.Context(), contract.TestOptions{}); err != nil || len(r.Results[0].Output) > maxText+3 {
		t.Errorf("a long output: %d bytes, %v", len(r.Results[0].Output), err)
	}
}
