package authorizer

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	contract "github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/authorizerconv"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
)

// Bounds of what an authorizer may say.
const (
	maxReason   = 4 << 10 // bytes; what is beyond it is cut off
	maxRevision = 1 << 10 // bytes
	maxProblem  = 64 << 10
)

// Authorizer asks a plugin. It is safe for concurrent use.
type Authorizer struct {
	plugin *pluginhost.Plugin
	client authorizerv1.AuthorizerServiceClient
	watch  authorizerv1.AuthorizerServiceClient
}

var _ contract.Authorizer = (*Authorizer)(nil)

// New is for a plugin of the kind authorizer.
func New(p *pluginhost.Plugin) *Authorizer {
	return &Authorizer{
		plugin: p,
		client: authorizerv1.NewAuthorizerServiceClient(p.Conn()),
		watch:  authorizerv1.NewAuthorizerServiceClient(p.WaitingConn()),
	}
}

// Authorize asks about the objects of a request.
func (a *Authorizer) Authorize(ctx context.Context, r contract.Request) (contract.Answer, error) {
	request, err := authorizerconv.RequestToProto(r)
	if err != nil {
		return contract.Answer{}, err
	}
	response, err := a.client.Authorize(ctx, request)
	if err != nil {
		return contract.Answer{}, a.plugin.Wrap(err)
	}
	answer := authorizerconv.AnswerFromProto(response)
	if err := checkAnswer(a.plugin, r, &answer); err != nil {
		return contract.Answer{}, err
	}
	return answer, nil
}

// checkAnswer holds an answer against its question, and shortens reasons that are too long.
func checkAnswer(p *pluginhost.Plugin, r contract.Request, answer *contract.Answer) error {
	if want := max(1, len(r.Objects)); len(answer.Decisions) != want {
		return p.Bug("%d decisions about %d objects", len(answer.Decisions), want)
	}
	for i := range answer.Decisions {
		answer.Decisions[i].Reason = cut(answer.Decisions[i].Reason, maxReason)
	}
	return checkRevision(p, answer.Revision)
}

// Filter asks which objects are allowed.
func (a *Authorizer) Filter(ctx context.Context, s contract.Subject, action contract.Action) (contract.FilterAnswer, error) {
	response, err := a.client.Filter(ctx, &authorizerv1.FilterRequest{Subject: authorizerconv.SubjectToProto(s), Action: string(action)})
	if err != nil {
		return contract.FilterAnswer{}, a.plugin.Wrap(err)
	}
	answer, err := authorizerconv.FilterFromProto(response)
	if err != nil {
		return contract.FilterAnswer{}, a.plugin.Bug("the answer to a filter question: %w", err)
	}
	if err := checkRevision(a.plugin, answer.Revision); err != nil {
		return contract.FilterAnswer{}, err
	}
	answer.Why = cut(answer.Why, maxReason)
	return answer, nil
}

// Revisions follows the policy's revisions over all restarts of the plugin, until ctx ends, whose error it
// then returns, or emit fails. Each time the plugin comes back its revision is emitted again.
func (a *Authorizer) Revisions(ctx context.Context, emit func(contract.Revision) error) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		stream, err := a.watch.Revisions(ctx, &authorizerv1.RevisionsRequest{})
		if err == nil {
			var got bool
			if got, err = a.follow(stream, emit); err != nil {
				return err
			}
			if got {
				pause = 50 * time.Millisecond
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// follow emits what one stream brings. Its error is emit's.
func (a *Authorizer) follow(stream grpc.ServerStreamingClient[authorizerv1.RevisionsResponse], emit func(contract.Revision) error) (got bool, err error) {
	for {
		response, err := stream.Recv()
		if err != nil {
			return got, nil // the stream is opened again
		}
		revision := authorizerconv.RevisionFromProto(response)
		if checkRevision(a.plugin, revision.ID) != nil {
			continue
		}
		got = true
		revision.Problem = cut(revision.Problem, maxProblem)
		a.report(revision)
		if err := emit(revision); err != nil {
			return got, err
		}
	}
}

// report tells of a policy that was not taken, or that there is none any more.
func (a *Authorizer) report(r contract.Revision) {
	if r.Problem == "" {
		a.plugin.Report("")
		return
	}
	a.plugin.Report(fmt.Sprintf("the changed policy is not taken, revision %s stays in force: %s", r.ID, r.Problem))
}

func checkRevision(p *pluginhost.Plugin, id string) error {
	if id == "" || len(id) > maxRevision {
		return p.Bug("the revision %.40q is empty or too long", id)
	}
	return nil
}

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}
