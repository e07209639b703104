package serve_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/authorizerconv"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/isolatorconv"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

func question(t *testing.T, principal string, users ...string) *authorizerv1.AuthorizeRequest {
	t.Helper()
	r := authorizer.Request{Subject: authorizer.Subject{Principal: principal}, Action: authorizer.RunTask}
	for _, u := range users {
		r.Objects = append(r.Objects, authorizer.Object{Kind: authorizer.TaskKind, Fields: map[string]any{
			"user": u, "labels": map[string]string{"a": "b"},
		}})
	}
	p, err := authorizerconv.RequestToProto(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func hangRequest(t *testing.T) *authorizerv1.AuthorizeRequest { return question(t, "ann", "hang") }

func TestAuthorizer(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "authorizer", `{}`)
	client := authorizerv1.NewAuthorizerServiceClient(p)
	r, err := client.Authorize(t.Context(), question(t, "ann", "ann", "bob"))
	if err != nil {
		t.Fatal(err)
	}
	a := authorizerconv.AnswerFromProto(r)
	want := []authorizer.Decision{{Allowed: true, Reason: "run_task map[a:b]"}, {Reason: "run_task map[a:b]"}}
	if !slices.Equal(a.Decisions, want) || a.Revision != "r1" || !a.ValidUntil.IsZero() {
		t.Errorf("answer %+v", a)
	}
	if _, err := client.Authorize(t.Context(), question(t, "ann", "ann", "miscount")); status.Code(err) != codes.Unknown {
		t.Errorf("too few decisions: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Authorize(ctx, hangRequest(t)); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("past the deadline: %v", err)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "authorizer", `{}`)
	client := authorizerv1.NewAuthorizerServiceClient(p)
	filter := func(action string) (authorizer.FilterAnswer, error) {
		r, err := client.Filter(t.Context(), &authorizerv1.FilterRequest{Subject: &authorizerv1.Subject{Principal: "ann"}, Action: action})
		if err != nil {
			return authorizer.FilterAnswer{}, err
		}
		return authorizerconv.FilterFromProto(r)
	}
	f, err := filter("view_task")
	if err != nil || f.NeedsBatch || !f.ValidUntil.Equal(time.Unix(100, 0)) {
		t.Fatalf("filter %+v, %v", f, err)
	}
	task := func(principal string) authorizer.FieldSource {
		return authorizer.FieldsOf(map[string]any{"framework": map[string]any{"principal": principal}})
	}
	if !f.Predicate.Eval(task("ann")) || f.Predicate.Eval(task("bob")) {
		t.Errorf("predicate %+v", f.Predicate)
	}
	if f, err := filter("view_role"); err != nil || !f.NeedsBatch || f.Why != "roles.rego:3" {
		t.Errorf("filter %+v, %v", f, err)
	}
	if _, err := filter("view_executor"); status.Code(err) != codes.Unknown {
		t.Errorf("a predicate that is none: %v", err)
	}
}

func TestPolicyToolsAbsent(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "authorizer", `{}`)
	_, err := authorizerv1.NewPolicyToolsServiceClient(p).Check(t.Context(), &authorizerv1.CheckRequest{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("tools that are not there: %v", err)
	}
}

// calls is what the isolator was asked to do.
func calls(t *testing.T, c isolatorv1.IsolatorServiceClient) []string {
	t.Helper()
	r, err := c.Status(t.Context(), &isolatorv1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return r.GetStatuses()["calls"].GetCgroupPaths()
}

func TestIsolatorLife(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "isolator", `{}`)
	client := isolatorv1.NewIsolatorServiceClient(p)
	recovered, err := client.Recover(t.Context(), &isolatorv1.RecoverRequest{OperationId: "0", Instance: "i"})
	if err != nil || len(recovered.GetUnknown()) != 1 || recovered.GetUnknown()[0].GetId() != "stray" {
		t.Fatalf("recover: %v, %v", recovered, err)
	}
	prepare := &isolatorv1.PrepareRequest{OperationId: "1", Spec: isolatorconv.SpecToProto(isolator.Spec{
		Container: isolator.Container{ID: "c", Instance: "i"}, Sandbox: "/s",
	})}
	var plan isolator.Plan
	for range 2 { // the second is the same operation
		r, err := client.Prepare(t.Context(), prepare)
		if err != nil {
			t.Fatal(err)
		}
		plan = isolatorconv.PlanFromProto(r.GetPlan())
	}
	if string(plan.Handle.Data) != "c" || plan.Handle.HandleVersion != 3 || plan.CgroupPaths[0] != "/sys/fs/cgroup/c" || plan.Rlimits[0].Hard != 2 {
		t.Errorf("plan %+v", plan)
	}
	c := isolatorconv.ContainerToProto(isolator.Container{ID: "c", Handle: plan.Handle})
	if _, err := client.Isolate(t.Context(), &isolatorv1.IsolateRequest{OperationId: "2", Container: c, Pid: 42}); err != nil {
		t.Fatal(err)
	}
	update := &isolatorv1.UpdateRequest{OperationId: "3", Container: c, Limits: isolatorconv.LimitsToProto(map[string]resource.Limit{"mem": resource.Infinite()})}
	if _, err := client.Update(t.Context(), update); err != nil {
		t.Fatal(err)
	}
	usage, err := client.Usage(t.Context(), &isolatorv1.UsageRequest{Containers: []*isolatorv1.Container{c}})
	if err != nil || *isolatorconv.UsageFromProto(usage.GetUsages()["c"]).MemRSSBytes != 77 {
		t.Errorf("usage %v, %v", usage, err)
	}
	if _, err := client.Cleanup(t.Context(), &isolatorv1.CleanupRequest{OperationId: "4", Container: c}); err != nil {
		t.Fatal(err)
	}
	want := []string{"recover i 0", "prepare c", "isolate c 42 c", "update c {} map[mem:Infinity]", "cleanup c"}
	if got := calls(t, client); !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "isolator", `{}`)
	client := isolatorv1.NewIsolatorServiceClient(p)
	prepare := func(operation, id string) error {
		_, err := client.Prepare(t.Context(), &isolatorv1.PrepareRequest{
			OperationId: operation, Spec: &isolatorv1.Spec{Container: &isolatorv1.Container{Id: id}}})
		return err
	}
	if err := prepare("", "c"); status.Code(err) != codes.InvalidArgument {
		t.Errorf("no operation id: %v", err)
	}
	if err := prepare("x", ""); status.Code(err) != codes.InvalidArgument {
		t.Errorf("no container id: %v", err)
	}
	for _, id := range []string{"..", "../escape", "a/b", `a\b`, "a\x00b"} {
		if err := prepare("path "+id, id); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "no container id") {
			t.Errorf("the container id %q: %v", id, err)
		}
	}
	for range 2 { // a final refusal is remembered
		if err := prepare("1", "refused"); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "not mounted") {
			t.Errorf("refused: %v", err)
		}
	}
	cleanup := &isolatorv1.CleanupRequest{OperationId: "2", Container: &isolatorv1.Container{Id: "unknown"}}
	if _, err := client.Cleanup(t.Context(), cleanup); err != nil {
		t.Errorf("cleaning up what is not there: %v", err)
	}
	if got := calls(t, client); !slices.Equal(got, []string{"prepare refused", "cleanup unknown"}) {
		t.Errorf("calls %q", got)
	}
}

// A host that gave up on Prepare cleans up: the plugin sees one call after the other, and one that may pass
// is run again.
func TestLane(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "isolator", `{}`)
	client := isolatorv1.NewIsolatorServiceClient(p)
	c := &isolatorv1.Container{Id: "slow"}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := client.Prepare(ctx, &isolatorv1.PrepareRequest{OperationId: "1", Spec: &isolatorv1.Spec{Container: c}})
		failed <- err
	}()
	eventually(t, "Prepare", func() bool { return len(calls(t, client)) == 1 })
	cleaned := make(chan error, 1)
	go func() {
		_, err := client.Cleanup(t.Context(), &isolatorv1.CleanupRequest{OperationId: "2", Container: c})
		cleaned <- err
	}()
	cancel()
	if err := <-failed; status.Code(err) != codes.Canceled {
		t.Errorf("prepare: %v", err)
	}
	if err := <-cleaned; err != nil {
		t.Errorf("cleanup: %v", err)
	}
	again, cancelAgain := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancelAgain()
	_, err := client.Prepare(again, &isolatorv1.PrepareRequest{OperationId: "1", Spec: &isolatorv1.Spec{Container: c}})
	if c := status.Code(err); c != codes.DeadlineExceeded && c != codes.Unavailable {
		t.Errorf("prepare again: %v", err)
	}
	if got := calls(t, client); !slices.Equal(got, []string{"prepare slow", "cleanup slow", "prepare slow"}) {
		t.Errorf("calls %q", got)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "isolator", `{}`)
	client := isolatorv1.NewIsolatorServiceClient(p)
	c := &isolatorv1.Container{Id: "c"}
	stream, err := client.Watch(t.Context(), &isolatorv1.WatchRequest{Container: c})
	if err != nil {
		t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	l, err := isolatorconv.LimitationFromProto(r)
	if err != nil || l.Reason != isolator.LimitationMemory || l.Message != "oom c" || l.Resources.Amount("mem") != 32_000 || l.Used != 33 {
		t.Errorf("limitation %+v, %v", l, err)
	}
	if _, err := client.Cleanup(t.Context(), &isolatorv1.CleanupRequest{OperationId: "1", Container: c}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the cleanup the watch ended with %v", err)
	}
}
