// Package bulk writes answers of the v1 APIs that grow with the cluster. Their lists are made while they are
// written, so that never more than their encodings are in memory at once.
//
// It imports host/api/document and host/api/endpoint.
package bulk

import (
	"io"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
)

// Name is the name of a field.
type Name = protoreflect.Name

// Part is a message within an answer.
type Part struct {
	// Name is the field that holds the message.
	Name Name
	// Lists are the message's repeated fields, in the order of their numbers.
	Lists []List
	// Parts are the message's single fields, which are of the same kind again.
	Parts []Part
}

// List is a repeated field.
type List struct {
	// Name is the field's.
	Name Name
	// Each yields the elements. It is gone through once.
	Each iter.Seq[proto.Message]
}

// Messages turns a sequence of one type into one of messages.
func Messages[T any, M proto.Message](all iter.Seq[T], message func(T) M) iter.Seq[proto.Message] {
	return func(yield func(proto.Message) bool) {
		for x := range all {
			if !yield(message(x)) {
				return
			}
		}
	}
}

// Write writes a Response that has a type and the part. What has been written when an error comes up is not whole.
func (p Part) Write(w io.Writer, media endpoint.Media, response proto.Message) error {
	if media == endpoint.JSON {
		return p.writeJSON(w, response)
	}
	out, err := proto.Marshal(response)
	if err != nil {
		return err
	}
	out, err = p.appendTo(out, response.ProtoReflect().Descriptor())
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

// appendTo appends the field, in the binary encoding, of a message of that type.
func (p Part) appendTo(out []byte, holder protoreflect.MessageDescriptor) ([]byte, error) {
	field := holder.Fields().ByName(p.Name)
	var body []byte
	var err error
	for _, l := range p.Lists {
		number := field.Message().Fields().ByName(l.Name).Number()
		for m := range l.Each {
			body = protowire.AppendTag(body, number, protowire.BytesType)
			body = protowire.AppendVarint(body, uint64(proto.Size(m)))
			if body, err = (proto.MarshalOptions{UseCachedSize: true}).MarshalAppend(body, m); err != nil {
				return nil, err
			}
		}
	}
	for _, sub := range p.Parts {
		if body, err = sub.appendTo(body, field.Message()); err != nil {
			return nil, err
		}
	}
	out = protowire.AppendTag(out, field.Number(), protowire.BytesType)
	return protowire.AppendBytes(out, body), nil
}

func (p Part) writeJSON(w io.Writer, response proto.Message) error {
	doc := document.NewWriter(w)
	doc.Begin("")
	field := response.ProtoReflect().Descriptor().Fields().ByName("type")
	number := response.ProtoReflect().Get(field).Enum()
	doc.Str("type", string(field.Enum().Values().ByNumber(number).Name()))
	p.writeMember(doc)
	doc.End()
	return doc.Close()
}

func (p Part) writeMember(doc *document.Writer) {
	doc.Begin(string(p.Name))
	for _, l := range p.Lists {
		doc.BeginList(string(l.Name))
		for m := range l.Each {
			doc.Proto("", m)
		}
		doc.EndList()
	}
	for _, sub := range p.Parts {
		sub.writeMember(doc)
	}
	doc.End()
}
