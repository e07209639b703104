package plugintest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/authorizerconv"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
)

func probeAuthorizer(ctx context.Context, conn grpc.ClientConnInterface) error {
	_, err := authorizerv1.NewAuthorizerServiceClient(conn).Filter(ctx, &authorizerv1.FilterRequest{
		Subject: &authorizerv1.Subject{}, Action: string(authorizer.ViewTask),
	})
	return err
}

// authorizerPlugin is a configured plugin that is asked.
type authorizerPlugin struct {
	*plugin
	client authorizerv1.AuthorizerServiceClient
}

func (b *bench) authorizer(dataDir string) *authorizerPlugin {
	p := b.ready(dataDir)
	return &authorizerPlugin{plugin: p, client: authorizerv1.NewAuthorizerServiceClient(p.conn)}
}

// ask asks a question, holds the answer against the contract, and ends the check if there is none.
func (p *authorizerPlugin) ask(r authorizer.Request) authorizer.Answer {
	b := p.bench
	request, err := authorizerconv.RequestToProto(r)
	if err != nil {
		b.fatalf("%v", err)
	}
	ctx, cancel := b.call()
	defer cancel()
	response, err := p.client.Authorize(ctx, request)
	if err != nil {
		b.fatalf("Authorize %s on %d objects: %v", r.Action, len(r.Objects), err)
	}
	answer := authorizerconv.AnswerFromProto(response)
	if want := max(1, len(r.Objects)); len(answer.Decisions) != want {
		b.fatalf("Authorize %s on %d objects gives %d decisions, and there should be %d", r.Action, len(r.Objects), len(answer.Decisions), want)
	}
	if answer.Revision == "" {
		b.errorf("the answer to Authorize %s names no revision of the policy", r.Action)
	}
	return answer
}

func (p *authorizerPlugin) filter(s authorizer.Subject, a authorizer.Action) authorizer.FilterAnswer {
	b := p.bench
	ctx, cancel := b.call()
	defer cancel()
	response, err := p.client.Filter(ctx, &authorizerv1.FilterRequest{Subject: authorizerconv.SubjectToProto(s), Action: string(a)})
	if err != nil {
		b.fatalf("Filter %s: %v", a, err)
	}
	answer, err := authorizerconv.FilterFromProto(response)
	if err != nil {
		b.fatalf("the answer to Filter %s: %v", a, err)
	}
	if answer.NeedsBatch && answer.Why == "" {
		b.errorf("the answer to Filter %s needs a batch and does not say why", a)
	}
	if answer.Revision == "" {
		b.errorf("the answer to Filter %s names no revision of the policy", a)
	}
	return answer
}

func subjects() []authorizer.Subject {
	return []authorizer.Subject{
		{},
		{Principal: "alice", Authenticated: true},
		{Principal: "nobody-of-this-name", Authenticated: true},
		{Claims: map[string]string{"cid": "container-1"}, Authenticated: true},
	}
}

// objects makes some objects of a kind: one without fields, and two with different values in all of them.
func objects(kind authorizer.Kind) []authorizer.Object {
	out := []authorizer.Object{{Kind: kind, Fields: map[string]any{}}}
	for _, value := range []string{"alice", "kit"} {
		out = append(out, authorizer.Object{Kind: kind, Fields: fields(kind, value, 0)})
	}
	return out
}

func fields(kind authorizer.Kind, value string, depth int) map[string]any {
	out := map[string]any{}
	info, ok := authorizer.KindByName(kind)
	if !ok || depth > 3 {
		return out
	}
	for _, f := range info.Fields {
		switch f.Type {
		case authorizer.FieldString:
			out[f.Name] = value
		case authorizer.FieldNumber:
			out[f.Name] = float64(len(value))
		case authorizer.FieldBool:
			out[f.Name] = len(value)%2 == 0
		case authorizer.FieldStrings:
			out[f.Name] = []any{value, "other"}
		case authorizer.FieldMap:
			out[f.Name] = map[string]any{"key": value}
		case authorizer.FieldObject:
			out[f.Name] = fields(f.Kind, value, depth+1)
		}
	}
	return out
}

func checkDecide(b *bench) {
	p := b.authorizer(b.dataDir())
	for _, s := range subjects() {
		for n := range 4 {
			p.ask(authorizer.Request{Subject: s, Action: authorizer.RunTask, Objects: objects(authorizer.TaskKind)[:min(n, 3)]})
		}
	}
	many := make([]authorizer.Object, 1000)
	for i := range many {
		many[i] = objects(authorizer.TaskKind)[i%3]
	}
	p.ask(authorizer.Request{Subject: subjects()[1], Action: authorizer.ViewTask, Objects: many})
}

// checkLarge asks a question of more than the 4 MiB that gRPC's servers take unless they are told otherwise.
func checkLarge(b *bench) {
	p := b.authorizer(b.dataDir())
	large := objects(authorizer.TaskKind)[1]
	large.Fields["labels"] = map[string]any{"large": strings.Repeat("x", 8<<10)}
	p.ask(authorizer.Request{Subject: subjects()[1], Action: authorizer.RunTask, Objects: slices.Repeat([]authorizer.Object{large}, 1000)})
}

func checkActions(b *bench) {
	p := b.authorizer(b.dataDir())
	for _, a := range authorizer.Actions() {
		for _, s := range subjects() {
			r := authorizer.Request{Subject: s, Action: a.Action, Objects: objects(a.Object)}
			first := p.ask(r)
			again := p.ask(r)
			if first.ValidUntil.After(time.Now()) && first.Revision == again.Revision {
				for i := range first.Decisions {
					if first.Decisions[i].Allowed != again.Decisions[i].Allowed {
						b.errorf("%s by %q on %v: the answer may be remembered until %v, and is another one when asked again", a.Action, s.Principal, r.Objects[i].Fields, first.ValidUntil)
					}
				}
			}
		}
	}
}

// checkFilter compares the predicate that Filter answers with the decisions of Authorize.
func checkFilter(b *bench) {
	p := b.authorizer(b.dataDir())
	for _, a := range authorizer.Actions() {
		for _, s := range subjects() {
			filter := p.filter(s, a.Action)
			if filter.NeedsBatch {
				continue
			}
			os := objects(a.Object)
			answer := p.ask(authorizer.Request{Subject: s, Action: a.Action, Objects: os})
			if answer.Revision != filter.Revision {
				continue // the policy has changed in between
			}
			for i, o := range os {
				if holds := filter.Predicate.Eval(authorizer.FieldsOf(o.Fields)); holds != answer.Decisions[i].Allowed {
					b.errorf("%s by %q on %v: Filter's predicate says %v and Authorize says %v", a.Action, s.Principal, o.Fields, holds, answer.Decisions[i].Allowed)
				}
			}
		}
	}
}

// revision opens a stream of revisions and waits for the first.
func (p *authorizerPlugin) revision() string {
	b := p.bench
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	timer := time.AfterFunc(b.Timeout, cancel)
	defer timer.Stop()
	stream, err := p.client.Revisions(ctx, &authorizerv1.RevisionsRequest{})
	if err != nil {
		b.fatalf("Revisions: %v", err)
	}
	first, err := stream.Recv()
	if err != nil {
		b.fatalf("Revisions tells no present revision: %v", err)
	}
	cancel()
	if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
		b.errorf("Revisions, cancelled, gives %v, and should CANCELLED", err)
	}
	return first.GetRevision()
}

func checkRevisions(b *bench) {
	p := b.authorizer(b.dataDir())
	revision := p.revision()
	if answer := p.ask(authorizer.Request{Action: authorizer.RunTask}); answer.Revision != revision {
		b.errorf("Revisions tells that %q is in force, and the answer to Authorize names %q", revision, answer.Revision)
	}
}

func checkConcurrent(b *bench) {
	p := b.authorizer(b.dataDir())
	request, err := authorizerconv.RequestToProto(authorizer.Request{
		Subject: subjects()[1], Action: authorizer.RunTask, Objects: objects(authorizer.TaskKind),
	})
	if err != nil {
		b.fatalf("%v", err)
	}
	var askers sync.WaitGroup
	for range 20 {
		askers.Go(func() {
			for range 10 {
				ctx, cancel := b.call()
				if _, err := p.client.Authorize(ctx, request); err != nil {
					b.errorf("one of 20 calls of Authorize at the same time: %v", err)
				}
				cancel()
			}
		})
	}
	askers.Wait()
}

func checkAuthorizerCancel(b *bench) {
	p := b.authorizer(b.dataDir())
	request, err := authorizerconv.RequestToProto(authorizer.Request{Action: authorizer.RunTask, Objects: objects(authorizer.TaskKind)})
	if err != nil {
		b.fatalf("%v", err)
	}
	for i := range 20 {
		ctx, cancel := context.WithTimeout(b.ctx, time.Duration(i)*100*time.Microsecond)
		_, err := p.client.Authorize(ctx, request)
		cancel()
		if !known(err) {
			b.errorf("an Authorize that was given up gives %v, whose code contracts do not know", err)
		}
	}
	p.stillAlive("calls that were given up")
	p.ask(authorizer.Request{Action: authorizer.RunTask})
}

func checkBadQuestions(b *bench) {
	p := b.authorizer(b.dataDir())
	for what, request := range map[string]*authorizerv1.AuthorizeRequest{
		"nothing":           {},
		"no subject":        {Action: "run_task"},
		"an unknown action": {Subject: &authorizerv1.Subject{}, Action: "an_action_that_does_not_exist"},
		"an unknown kind":   {Subject: &authorizerv1.Subject{}, Action: "run_task", Objects: []*authorizerv1.Object{{Kind: "unheard_of"}}},
		"an empty object":   {Subject: &authorizerv1.Subject{}, Action: "run_task", Objects: []*authorizerv1.Object{{}}},
	} {
		ctx, cancel := b.call()
		response, err := p.client.Authorize(ctx, request)
		cancel()
		switch {
		case err != nil && !known(err):
			b.errorf("a question with %s gives %v, whose code contracts do not know", what, err)
		case err == nil && len(response.GetDecisions()) != max(1, len(request.GetObjects())):
			b.errorf("a question with %s gives %d decisions, and should give %d or an error", what, len(response.GetDecisions()), max(1, len(request.GetObjects())))
		}
	}
	p.stillAlive("bad questions")
}

func checkAuthorizerRestart(b *bench) {
	dir := b.dataDir()
	first := b.authorizer(dir)
	before := first.revision()
	first.kill()
	second := b.authorizer(dir)
	if after := second.revision(); after != before {
		b.errorf("the policy is the same, and its revision is %q before a restart and %q after it", before, after)
	}
}
