package plugintest

import (
	"context"
	"math"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/authorizerconv"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// tools gives the client of a plugin's PolicyTools, or skips the check when it has none.
func (p *plugin) tools() authorizerv1.PolicyToolsServiceClient {
	client := authorizerv1.NewPolicyToolsServiceClient(p.conn)
	if slices.Contains(p.describe().GetServices(), authorizerv1.PolicyToolsService_ServiceDesc.ServiceName) {
		return client
	}
	ctx, cancel := p.bench.call()
	defer cancel()
	if _, err := client.Check(ctx, &authorizerv1.CheckRequest{}); status.Code(err) != codes.Unimplemented {
		p.bench.errorf("it does not list %s, and a call to it gives %v", authorizerv1.PolicyToolsService_ServiceDesc.ServiceName, err)
	}
	p.bench.skip("it serves no PolicyTools")
	return nil
}

func checkTools(b *bench) {
	p := b.ready(b.dataDir())
	client := p.tools()
	ctx, cancel := b.call()
	defer cancel()
	tests, err := client.Test(ctx, &authorizerv1.TestRequest{})
	if err != nil {
		b.fatalf("Test of the configured policies: %v", err)
	}
	b.checkTests(tests.GetResults())
	none, err := client.Test(ctx, &authorizerv1.TestRequest{Run: "^no test has this name$"})
	if err != nil || len(none.GetResults()) > 0 {
		b.errorf("Test of none gives %d results, %v", len(none.GetResults()), err)
	}
	found, err := client.Check(ctx, &authorizerv1.CheckRequest{})
	if err != nil {
		b.fatalf("Check of the configured policies: %v", err)
	}
	b.checkFindings(found.GetFindings())
	reached, err := client.Coverage(ctx, &authorizerv1.CoverageRequest{})
	if err != nil {
		b.fatalf("Coverage of the configured policies: %v", err)
	}
	b.checkCoverage(reached)
}

func (b *bench) checkTests(results []*authorizerv1.TestResult) {
	for i, r := range results {
		switch {
		case r.GetName() == "":
			b.errorf("the result %d of Test names no test", i)
		case r.GetPassed() && r.GetSkipped():
			b.errorf("Test says of %s that it passed and was skipped", r.GetName())
		case r.GetDuration().AsDuration() < 0 || r.GetDuration().AsDuration() > time.Hour:
			b.errorf("Test says of %s that it took %v", r.GetName(), r.GetDuration().AsDuration())
		}
	}
}

func (b *bench) checkFindings(findings []*authorizerv1.Finding) {
	for i, f := range findings {
		switch {
		case f.GetSeverity() != authorizerv1.FindingSeverity_FINDING_SEVERITY_ERROR && f.GetSeverity() != authorizerv1.FindingSeverity_FINDING_SEVERITY_WARNING:
			b.errorf("the finding %d of Check has no severity", i)
		case f.GetMessage() == "" || f.GetCode() == "":
			b.errorf("the finding %d of Check has no message or no code", i)
		case f.GetLocation().GetLine() > 0 && f.GetLocation().GetFile() == "":
			b.errorf("the finding %d of Check has a line and no file", i)
		}
	}
}

func (b *bench) checkCoverage(r *authorizerv1.CoverageResponse) {
	b.checkPercent("Coverage", r.GetPercent())
	for _, f := range r.GetFiles() {
		b.checkPercent("Coverage of "+f.GetFile(), f.GetPercent())
		if f.GetFile() == "" {
			b.errorf("Coverage has a file without a name")
		}
		last := uint32(0)
		for _, l := range f.GetNotCovered() {
			if l.GetFirst() <= last || l.GetLast() < l.GetFirst() {
				b.errorf("Coverage of %s has the lines %d to %d after the line %d", f.GetFile(), l.GetFirst(), l.GetLast(), last)
			}
			last = l.GetLast()
		}
	}
}

func (b *bench) checkPercent(what string, percent float64) {
	if math.IsNaN(percent) || percent < 0 || percent > 100 {
		b.errorf("%s: %v is no percentage", what, percent)
	}
}

// checkExplanations compares what is explained with what is decided.
func checkExplanations(b *bench) {
	p := b.authorizer(b.dataDir())
	client := p.tools()
	for _, action := range []authorizer.Action{authorizer.RunTask, authorizer.ViewTask, authorizer.RegisterFramework} {
		info, _ := authorizer.ActionByName(string(action))
		for _, s := range subjects() {
			r := authorizer.Request{Subject: s, Action: action, Objects: objects(info.Object)}
			b.explains(client, r, p.ask(r))
		}
	}
}

func (b *bench) explains(client authorizerv1.PolicyToolsServiceClient, r authorizer.Request, answer authorizer.Answer) {
	request, err := authorizerconv.RequestToProto(r)
	if err != nil {
		b.fatalf("%v", err)
	}
	ctx, cancel := b.call()
	defer cancel()
	response, err := client.Explain(ctx, &authorizerv1.ExplainRequest{Request: request})
	if err != nil {
		b.fatalf("Explain %s by %q: %v", r.Action, r.Subject.Principal, err)
	}
	e := authorizerconv.ExplanationFromProto(response)
	if len(e.Trace) == 0 {
		b.errorf("Explain %s by %q has no trace", r.Action, r.Subject.Principal)
	}
	if e.Answer.Revision == "" || len(e.Answer.Decisions) != len(answer.Decisions) {
		b.fatalf("Explain %s by %q gives %d decisions by the revision %q, and there should be %d",
			r.Action, r.Subject.Principal, len(e.Answer.Decisions), e.Answer.Revision, len(answer.Decisions))
	}
	if answer.ValidUntil.IsZero() || e.Answer.Revision != answer.Revision {
		return // the answer may be another one by now
	}
	for i, d := range answer.Decisions {
		if e.Answer.Decisions[i].Allowed != d.Allowed {
			b.errorf("%s by %q: Authorize says %v and Explain says %v", r.Action, r.Subject.Principal, d.Allowed, e.Answer.Decisions[i].Allowed)
		}
	}
}

// checkToolsOnly uses the tools of a plugin that has no policy to decide by.
func checkToolsOnly(b *bench) {
	p := b.launch()
	client := p.tools()
	ctx, cancel := b.call()
	defer cancel()
	answer, err := p.Configure(ctx, &pluginv1.ConfigureRequest{ConfigJson: []byte("{}"), Instance: "kit", DataDir: b.dataDir(), ToolsOnly: true})
	if err != nil || len(answer.GetDiagnostics()) > 0 {
		b.fatalf("Configure for the tools alone, with nothing: %v, %v", answer.GetDiagnostics(), err)
	}
	found, err := client.Check(ctx, &authorizerv1.CheckRequest{Paths: []string{b.dataDir()}})
	if err != nil {
		b.errorf("Check of an empty folder gives %v; what is wrong with policies is a finding", err)
	}
	b.checkFindings(found.GetFindings())
	if err := probe(ctx, b.Kind, p.conn); !known(err) {
		b.errorf("a question to a plugin that was configured for its tools alone gives %v, whose code no contract knows", err)
	}
	p.stillAlive("the tools alone")
}

func checkBadTools(b *bench) {
	p := b.ready(b.dataDir())
	client := p.tools()
	nowhere := []string{"/surely/no/policies/of/this/name"}
	for what, call := range map[string]func(context.Context) error{
		"Test by a regular expression that is none": func(ctx context.Context) error {
			_, err := client.Test(ctx, &authorizerv1.TestRequest{Run: "("})
			return err
		},
		"Test of a path that is not there": func(ctx context.Context) error {
			_, err := client.Test(ctx, &authorizerv1.TestRequest{Paths: nowhere})
			return err
		},
		"Check of a path that is not there": func(ctx context.Context) error {
			_, err := client.Check(ctx, &authorizerv1.CheckRequest{Paths: nowhere})
			return err
		},
		"Coverage of a path that is not there": func(ctx context.Context) error {
			_, err := client.Coverage(ctx, &authorizerv1.CoverageRequest{Paths: nowhere})
			return err
		},
		"Explain of a path that is not there": func(ctx context.Context) error {
			r := &authorizerv1.AuthorizeRequest{Action: string(authorizer.RunTask)}
			_, err := client.Explain(ctx, &authorizerv1.ExplainRequest{Request: r, Paths: nowhere})
			return err
		},
	} {
		ctx, cancel := b.call()
		if err := call(ctx); status.Code(err) != codes.InvalidArgument {
			b.errorf("%s gives %v, and should give INVALID_ARGUMENT", what, err)
		}
		cancel()
	}
	ctx, cancel := b.call()
	defer cancel()
	if _, err := client.Explain(ctx, &authorizerv1.ExplainRequest{}); !known(err) {
		b.errorf("Explain of nothing gives %v, whose code no contract knows", err)
	}
	p.stillAlive("bad questions to the tools")
}
