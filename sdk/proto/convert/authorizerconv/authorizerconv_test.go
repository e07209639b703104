package authorizerconv_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/authorizerconv"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
)

// wire sends a message over the wire.
func wire[P proto.Message](t *testing.T, p P) P {
	t.Helper()
	data, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	proto.Reset(p)
	if err := proto.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRequest(t *testing.T) {
	t.Parallel()
	r := authorizer.Request{
		Subject: authorizer.Subject{Principal: "ann", Claims: map[string]string{"cid": "c"}, Authenticated: true},
		Action:  authorizer.RunTask,
		Objects: []authorizer.Object{{Kind: authorizer.TaskKind, Fields: map[string]any{
			"user": "ann", "n": 1.5, "yes": true, "none": nil, "list": []any{"a", []any{}}, "object": map[string]any{"x": "y"},
		}}, {Kind: authorizer.RoleKind, Fields: map[string]any{}}},
	}
	p, err := authorizerconv.RequestToProto(r)
	if err != nil {
		t.Fatal(err)
	}
	if back := authorizerconv.RequestFromProto(wire(t, p)); !reflect.DeepEqual(back, r) {
		t.Errorf("became %+v\nwas    %+v", back, r)
	}
	r.Objects[1].Fields = map[string]any{"roles": []string{"a"}, "labels": map[string]string{"k": "v"}}
	if p, err = authorizerconv.RequestToProto(r); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"roles": []any{"a"}, "labels": map[string]any{"k": "v"}}
	if back := authorizerconv.RequestFromProto(wire(t, p)); !reflect.DeepEqual(back.Objects[1].Fields, want) {
		t.Errorf("became %+v", back.Objects[1].Fields)
	}
	r.Objects[1].Fields = map[string]any{"object": map[string]any{"deep": []any{make(chan int)}}}
	if _, err := authorizerconv.RequestToProto(r); err == nil || !strings.Contains(err.Error(), `field "deep"`) {
		t.Errorf("a channel: %v", err)
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	a := authorizer.Answer{
		Decisions: []authorizer.Decision{{Allowed: true, Reason: "r"}, {}}, Revision: "v", ValidUntil: time.Unix(5, 6).UTC(),
	}
	if back := authorizerconv.AnswerFromProto(wire(t, authorizerconv.AnswerToProto(a))); !reflect.DeepEqual(back, a) {
		t.Errorf("became %+v", back)
	}
	if back := authorizerconv.AnswerFromProto(&authorizerv1.AuthorizeResponse{}); !back.ValidUntil.IsZero() {
		t.Errorf("no time became %s", back.ValidUntil)
	}
	r := authorizer.Revision{ID: "v", Loaded: time.Unix(5, 6).UTC(), Problem: "p"}
	if back := authorizerconv.RevisionFromProto(wire(t, authorizerconv.RevisionToProto(r))); back != r {
		t.Errorf("became %+v", back)
	}
}

// every has each operation once.
const every = `{"op": "and", "of": [
	{"op": "or", "of": [{"op": "true"}, {"op": "false"}, {"op": "not", "of": [{"op": "exists", "left": {"path": ["a", "0"]}}]}]},
	{"op": "eq", "left": {"path": ["a"]}, "right": {"const": null}}, {"op": "ne", "left": {"const": 1.5}, "right": {"path": []}},
	{"op": "lt", "left": {"const": true}, "right": {"const": "x"}}, {"op": "le", "left": {"const": [1, "a"]}, "right": {"const": {"k": [null]}}},
	{"op": "gt", "left": {"path": ["a"]}, "right": {"const": ""}}, {"op": "ge", "left": {"path": ["a"]}, "right": {"const": false}},
	{"op": "prefix", "left": {"path": ["a"]}, "right": {"const": "p"}}, {"op": "suffix", "left": {"path": ["a"]}, "right": {"const": "s"}},
	{"op": "contains", "left": {"path": ["a"]}, "right": {"const": "c"}}, {"op": "in", "left": {"path": ["a"]}, "right": {"const": []}},
	{"op": "any", "left": {"path": ["a"]}, "of": [{"op": "eq", "left": {}, "right": {"path": ["b"], "up": 1}}]}
]}`

func TestFilter(t *testing.T) {
	t.Parallel()
	f := authorizer.FilterAnswer{Revision: "v", ValidUntil: time.Unix(1, 0).UTC()}
	if err := json.Unmarshal([]byte(every), &f.Predicate); err != nil {
		t.Fatal(err)
	}
	p, err := authorizerconv.FilterToProto(f)
	if err != nil {
		t.Fatal(err)
	}
	back, err := authorizerconv.FilterFromProto(wire(t, p))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(back.Predicate)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(f.Predicate)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) || back.Revision != "v" || !back.ValidUntil.Equal(f.ValidUntil) || back.NeedsBatch {
		t.Errorf("became %s\nwas    %s", got, want)
	}
	batch := authorizer.FilterAnswer{NeedsBatch: true, Why: "w", Revision: "v"}
	if p, err = authorizerconv.FilterToProto(batch); err != nil {
		t.Fatal(err)
	}
	if back, err := authorizerconv.FilterFromProto(wire(t, p)); err != nil || !reflect.DeepEqual(back, batch) {
		t.Errorf("became %+v, %v", back, err)
	}
}

func TestFilterRefuses(t *testing.T) {
	t.Parallel()
	if _, err := authorizerconv.FilterToProto(authorizer.FilterAnswer{}); err == nil {
		t.Error("encoded no predicate")
	}
	deep := &authorizerv1.Predicate{Op: authorizerv1.Op_OP_TRUE}
	for range 5000 {
		deep = &authorizerv1.Predicate{Op: authorizerv1.Op_OP_NOT, Of: []*authorizerv1.Predicate{deep}}
	}
	for name, p := range map[string]*authorizerv1.Predicate{
		"no operation":        {},
		"an unknown one":      {Op: 99},
		"a negative one":      {Op: -1},
		"a term without term": {Op: authorizerv1.Op_OP_EXISTS, Left: &authorizerv1.Term{}},
		"too deep":            deep,
	} {
		_, err := authorizerconv.FilterFromProto(&authorizerv1.FilterResponse{Answer: &authorizerv1.FilterResponse_Predicate{Predicate: p}})
		if err == nil {
			t.Errorf("decoded %s", name)
		}
	}
	if _, err := authorizerconv.FilterFromProto(&authorizerv1.FilterResponse{}); err == nil {
		t.Error("decoded no answer")
	}
}

func TestTools(t *testing.T) {
	t.Parallel()
	place := authorizer.Location{File: "a.rego", Line: 3, Column: 4}
	tests := authorizer.TestReport{Results: []authorizer.TestResult{{
		Name: "n", Location: place, Passed: true, Skipped: true, Duration: time.Second, Output: "o"}}}
	if back := authorizerconv.TestReportFromProto(wire(t, authorizerconv.TestReportToProto(tests))); !reflect.DeepEqual(back, tests) {
		t.Errorf("became %+v", back)
	}
	findings := []authorizer.Finding{
		{Severity: authorizer.SeverityWarning, Location: place, Code: "c", Message: "m"}, {Severity: authorizer.SeverityError}}
	if back := authorizerconv.FindingsFromProto(wire(t, authorizerconv.FindingsToProto(findings))); !reflect.DeepEqual(back, findings) {
		t.Errorf("became %+v", back)
	}
	e := authorizer.Explanation{Answer: authorizer.Answer{Decisions: []authorizer.Decision{{Allowed: true}}}, Trace: []string{"t"}}
	if back := authorizerconv.ExplanationFromProto(wire(t, authorizerconv.ExplanationToProto(e))); !reflect.DeepEqual(back, e) {
		t.Errorf("became %+v", back)
	}
	c := authorizer.CoverageReport{Percent: 50, Files: []authorizer.FileCoverage{{
		File: "f", Percent: 25, NotCovered: []authorizer.LineRange{{First: 1, Last: 2}}}}}
	if back := authorizerconv.CoverageFromProto(wire(t, authorizerconv.CoverageToProto(c))); !reflect.DeepEqual(back, c) {
		t.Errorf("became %+v", back)
	}
}
