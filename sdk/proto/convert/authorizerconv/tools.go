package authorizerconv

import (
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
)

// TestReportToProto encodes a test report.
func TestReportToProto(r authorizer.TestReport) *authorizerv1.TestResponse {
	out := &authorizerv1.TestResponse{}
	for _, x := range r.Results {
		out.Results = append(out.Results, &authorizerv1.TestResult{
			Name: x.Name, Location: locationToProto(x.Location), Passed: x.Passed, Skipped: x.Skipped,
			Duration: durationpb.New(x.Duration), Output: x.Output,
		})
	}
	return out
}

// TestReportFromProto decodes a test report.
func TestReportFromProto(p *authorizerv1.TestResponse) authorizer.TestReport {
	var out authorizer.TestReport
	for _, x := range p.GetResults() {
		out.Results = append(out.Results, authorizer.TestResult{
			Name: x.GetName(), Location: locationFromProto(x.GetLocation()), Passed: x.GetPassed(), Skipped: x.GetSkipped(),
			Duration: x.GetDuration().AsDuration(), Output: x.GetOutput(),
		})
	}
	return out
}

var severities = map[authorizer.Severity]authorizerv1.FindingSeverity{
	authorizer.SeverityError:   authorizerv1.FindingSeverity_FINDING_SEVERITY_ERROR,
	authorizer.SeverityWarning: authorizerv1.FindingSeverity_FINDING_SEVERITY_WARNING,
}

// FindingsToProto encodes findings.
func FindingsToProto(fs []authorizer.Finding) *authorizerv1.CheckResponse {
	out := &authorizerv1.CheckResponse{}
	for _, f := range fs {
		out.Findings = append(out.Findings, &authorizerv1.Finding{
			Severity: severities[f.Severity], Location: locationToProto(f.Location), Code: f.Code, Message: f.Message,
		})
	}
	return out
}

// FindingsFromProto decodes findings. One whose severity is unknown is an error.
func FindingsFromProto(p *authorizerv1.CheckResponse) []authorizer.Finding {
	var out []authorizer.Finding
	for _, f := range p.GetFindings() {
		severity := authorizer.SeverityError
		if f.GetSeverity() == authorizerv1.FindingSeverity_FINDING_SEVERITY_WARNING {
			severity = authorizer.SeverityWarning
		}
		out = append(out, authorizer.Finding{
			Severity: severity, Location: locationFromProto(f.GetLocation()), Code: f.GetCode(), Message: f.GetMessage(),
		})
	}
	return out
}

// ExplanationToProto encodes an explanation.
func ExplanationToProto(e authorizer.Explanation) *authorizerv1.ExplainResponse {
	return &authorizerv1.ExplainResponse{Answer: AnswerToProto(e.Answer), Trace: e.Trace}
}

// ExplanationFromProto decodes an explanation.
func ExplanationFromProto(p *authorizerv1.ExplainResponse) authorizer.Explanation {
	return authorizer.Explanation{Answer: AnswerFromProto(p.GetAnswer()), Trace: p.GetTrace()}
}

// CoverageToProto encodes a coverage report.
func CoverageToProto(r authorizer.CoverageReport) *authorizerv1.CoverageResponse {
	out := &authorizerv1.CoverageResponse{Percent: r.Percent}
	for _, f := range r.Files {
		file := &authorizerv1.FileCoverage{File: f.File, Percent: f.Percent}
		for _, l := range f.NotCovered {
			file.NotCovered = append(file.NotCovered, &authorizerv1.LineRange{First: count(l.First), Last: count(l.Last)})
		}
		out.Files = append(out.Files, file)
	}
	return out
}

// CoverageFromProto decodes a coverage report.
func CoverageFromProto(p *authorizerv1.CoverageResponse) authorizer.CoverageReport {
	out := authorizer.CoverageReport{Percent: p.GetPercent()}
	for _, f := range p.GetFiles() {
		file := authorizer.FileCoverage{File: f.GetFile(), Percent: f.GetPercent()}
		for _, l := range f.GetNotCovered() {
			file.NotCovered = append(file.NotCovered, authorizer.LineRange{First: int(l.GetFirst()), Last: int(l.GetLast())})
		}
		out.Files = append(out.Files, file)
	}
	return out
}

func locationToProto(l authorizer.Location) *authorizerv1.Location {
	return &authorizerv1.Location{File: l.File, Line: count(l.Line), Column: count(l.Column)}
}

func locationFromProto(p *authorizerv1.Location) authorizer.Location {
	return authorizer.Location{File: p.GetFile(), Line: int(p.GetLine()), Column: int(p.GetColumn())}
}

// count is a number of lines or columns, which fits.
func count(n int) uint32 { return uint32(max(n, 0)) } //nolint:gosec // files are shorter
