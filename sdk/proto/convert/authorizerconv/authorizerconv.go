// Package authorizerconv turns the plain types of package authorizer into the messages of
// mezzo.authorizer.v1 and back, for both ends of a plugin's connection.
package authorizerconv

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
)

// SubjectToProto encodes a subject.
func SubjectToProto(s authorizer.Subject) *authorizerv1.Subject {
	return &authorizerv1.Subject{Principal: s.Principal, Claims: s.Claims, Authenticated: s.Authenticated}
}

// SubjectFromProto decodes a subject; nil is nobody.
func SubjectFromProto(p *authorizerv1.Subject) authorizer.Subject {
	return authorizer.Subject{Principal: p.GetPrincipal(), Claims: p.GetClaims(), Authenticated: p.GetAuthenticated()}
}

// RequestToProto encodes a request. A field that is of no JSON type is an error.
func RequestToProto(r authorizer.Request) (*authorizerv1.AuthorizeRequest, error) {
	out := &authorizerv1.AuthorizeRequest{
		Subject: SubjectToProto(r.Subject),
		Action:  string(r.Action),
		Objects: make([]*authorizerv1.Object, 0, len(r.Objects)),
	}
	for _, o := range r.Objects {
		fields, err := structToProto(o.Fields)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", o.Kind, err)
		}
		out.Objects = append(out.Objects, &authorizerv1.Object{Kind: string(o.Kind), Fields: fields})
	}
	return out, nil
}

// RequestFromProto decodes a request.
func RequestFromProto(p *authorizerv1.AuthorizeRequest) authorizer.Request {
	out := authorizer.Request{
		Subject: SubjectFromProto(p.GetSubject()),
		Action:  authorizer.Action(p.GetAction()),
	}
	for _, o := range p.GetObjects() {
		out.Objects = append(out.Objects, authorizer.Object{Kind: authorizer.Kind(o.GetKind()), Fields: o.GetFields().AsMap()})
	}
	return out
}

// structToProto encodes a map; it also takes lists and maps of strings, which structpb does not.
func structToProto(m map[string]any) (*structpb.Struct, error) {
	out := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(m))}
	for name, v := range m {
		p, err := valueToProto(authorizer.ValueOf(v))
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", name, err)
		}
		out.Fields[name] = p
	}
	return out, nil
}

func valueToProto(v authorizer.Value) (*structpb.Value, error) {
	switch v.Kind() {
	case authorizer.Null:
		return structpb.NewNullValue(), nil
	case authorizer.Bool:
		return structpb.NewBoolValue(v.Truth()), nil
	case authorizer.Number:
		return structpb.NewNumberValue(v.Number()), nil
	case authorizer.String:
		return structpb.NewStringValue(v.Text()), nil
	case authorizer.List:
		return listToProto(v.Items())
	case authorizer.Fields:
		return fieldsToProto(v.Fields())
	default:
		return nil, fmt.Errorf("a value is of no JSON type")
	}
}

func listToProto(items authorizer.Items) (*structpb.Value, error) {
	list := &structpb.ListValue{}
	for i := range items.Len() {
		p, err := valueToProto(items.At(i))
		if err != nil {
			return nil, err
		}
		list.Values = append(list.Values, p)
	}
	return structpb.NewListValue(list), nil
}

func fieldsToProto(f authorizer.FieldSource) (*structpb.Value, error) {
	out := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	var failed error
	f.Each(func(name string, x authorizer.Value) bool {
		p, err := valueToProto(x)
		if err != nil {
			failed = fmt.Errorf("field %q: %w", name, err)
			return false
		}
		out.Fields[name] = p
		return true
	})
	return structpb.NewStructValue(out), failed
}

// AnswerToProto encodes an answer.
func AnswerToProto(a authorizer.Answer) *authorizerv1.AuthorizeResponse {
	out := &authorizerv1.AuthorizeResponse{Revision: a.Revision, ValidUntil: timeToProto(a.ValidUntil)}
	for _, d := range a.Decisions {
		out.Decisions = append(out.Decisions, &authorizerv1.Decision{Allowed: d.Allowed, Reason: d.Reason})
	}
	return out
}

// AnswerFromProto decodes an answer.
func AnswerFromProto(p *authorizerv1.AuthorizeResponse) authorizer.Answer {
	out := authorizer.Answer{Revision: p.GetRevision(), ValidUntil: timeFromProto(p.GetValidUntil())}
	for _, d := range p.GetDecisions() {
		out.Decisions = append(out.Decisions, authorizer.Decision{Allowed: d.GetAllowed(), Reason: d.GetReason()})
	}
	return out
}

// RevisionToProto encodes a revision.
func RevisionToProto(r authorizer.Revision) *authorizerv1.RevisionsResponse {
	return &authorizerv1.RevisionsResponse{Revision: r.ID, Loaded: timeToProto(r.Loaded), Problem: r.Problem}
}

// RevisionFromProto decodes a revision.
func RevisionFromProto(p *authorizerv1.RevisionsResponse) authorizer.Revision {
	return authorizer.Revision{ID: p.GetRevision(), Loaded: timeFromProto(p.GetLoaded()), Problem: p.GetProblem()}
}

func timeToProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func timeFromProto(p *timestamppb.Timestamp) time.Time {
	if p == nil {
		return time.Time{}
	}
	return p.AsTime()
}
