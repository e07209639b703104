package serve

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/authorizerconv"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
)

// authorizerServer is the wire's end of an Authorizer.
type authorizerServer struct {
	authorizerv1.UnimplementedAuthorizerServiceServer
	authorizer authorizer.Authorizer
}

// Authorize decides on objects.
func (s *authorizerServer) Authorize(ctx context.Context, r *authorizerv1.AuthorizeRequest) (*authorizerv1.AuthorizeResponse, error) {
	request := authorizerconv.RequestFromProto(r)
	a, err := s.authorizer.Authorize(ctx, request)
	if err != nil {
		return nil, err
	}
	if err := checkDecisions(request, a); err != nil {
		return nil, err
	}
	return authorizerconv.AnswerToProto(a), nil
}

// checkDecisions keeps a plugin from deciding on fewer or more objects than it was asked about.
func checkDecisions(r authorizer.Request, a authorizer.Answer) error {
	if want := max(len(r.Objects), 1); len(a.Decisions) != want {
		return fmt.Errorf("the plugin made %d decisions, and was asked for %d", len(a.Decisions), want)
	}
	return nil
}

// Filter answers with a predicate.
func (s *authorizerServer) Filter(ctx context.Context, r *authorizerv1.FilterRequest) (*authorizerv1.FilterResponse, error) {
	f, err := s.authorizer.Filter(ctx, authorizerconv.SubjectFromProto(r.GetSubject()), authorizer.Action(r.GetAction()))
	if err != nil {
		return nil, err
	}
	return authorizerconv.FilterToProto(f)
}

// Revisions tells of policies.
func (s *authorizerServer) Revisions(
	_ *authorizerv1.RevisionsRequest, stream grpc.ServerStreamingServer[authorizerv1.RevisionsResponse],
) error {
	return s.authorizer.Revisions(stream.Context(), func(r authorizer.Revision) error {
		return stream.Send(authorizerconv.RevisionToProto(r))
	})
}

// policyToolsServer is the wire's end of PolicyTools.
type policyToolsServer struct {
	authorizerv1.UnimplementedPolicyToolsServiceServer
	tools authorizer.PolicyTools
}

// Test runs tests.
func (s *policyToolsServer) Test(ctx context.Context, r *authorizerv1.TestRequest) (*authorizerv1.TestResponse, error) {
	report, err := s.tools.Test(ctx, authorizer.TestOptions{Paths: r.GetPaths(), Run: r.GetRun()})
	if err != nil {
		return nil, err
	}
	return authorizerconv.TestReportToProto(report), nil
}

// Check compiles policies.
func (s *policyToolsServer) Check(ctx context.Context, r *authorizerv1.CheckRequest) (*authorizerv1.CheckResponse, error) {
	findings, err := s.tools.Check(ctx, r.GetPaths())
	if err != nil {
		return nil, err
	}
	return authorizerconv.FindingsToProto(findings), nil
}

// Explain answers a question with its reasons.
func (s *policyToolsServer) Explain(ctx context.Context, r *authorizerv1.ExplainRequest) (*authorizerv1.ExplainResponse, error) {
	request := authorizerconv.RequestFromProto(r.GetRequest())
	e, err := s.tools.Explain(ctx, authorizer.ExplainOptions{Request: request, Paths: r.GetPaths()})
	if err != nil {
		return nil, err
	}
	if err := checkDecisions(request, e.Answer); err != nil {
		return nil, err
	}
	return authorizerconv.ExplanationToProto(e), nil
}

// Coverage runs tests and says what they reach.
func (s *policyToolsServer) Coverage(ctx context.Context, r *authorizerv1.CoverageRequest) (*authorizerv1.CoverageResponse, error) {
	report, err := s.tools.Coverage(ctx, authorizer.TestOptions{Paths: r.GetPaths(), Run: r.GetRun()})
	if err != nil {
		return nil, err
	}
	return authorizerconv.CoverageToProto(report), nil
}
