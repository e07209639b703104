package resourceconv

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// AppendField appends resources as a field of that number, in the encoding of mezzo.resource.v1.Resources;
// nothing for none. It is what ToProto and proto.Marshal make, at a fraction of the cost.
func AppendField(b []byte, number protowire.Number, r resource.Resources) []byte {
	if r.IsEmpty() {
		return b
	}
	b, at := BeginField(b, number)
	for x := range r.All() {
		var item int
		b, item = BeginField(b, 1)
		b = appendResource(b, &x)
		b = EndField(b, item)
	}
	return EndField(b, at)
}

func appendResource(b []byte, x *resource.Resource) []byte {
	b = AppendString(b, 1, x.Name)
	switch x.Kind {
	case resource.KindRanges:
		b = AppendVarint(b, 2, uint64(x.Kind))
		var at int
		b, at = BeginField(b, 4)
		for _, r := range x.Ranges {
			b = protowire.AppendVarint(protowire.AppendVarint(b, r.Begin), r.End)
		}
		b = EndField(b, at)
	case resource.KindSet:
		b = AppendVarint(b, 2, uint64(x.Kind))
		for _, name := range x.Set {
			b = AppendString(b, 5, name)
		}
	default:
		b = AppendVarint(b, 3, protowire.EncodeZigZag(int64(x.Scalar)))
	}
	for i := range x.Reservations {
		b = appendMessage(b, 6, reservationToProto(&x.Reservations[i]))
	}
	if x.Disk != nil {
		b = appendMessage(b, 7, diskToProto(x.Disk))
	}
	b = AppendString(b, 8, x.Provider)
	b = AppendBool(b, 9, x.Revocable)
	b = AppendBool(b, 10, x.Shared)
	return AppendString(b, 11, x.Role)
}

// appendMessage is for the parts that are rare.
func appendMessage(b []byte, number protowire.Number, m proto.Message) []byte {
	b, at := BeginField(b, number)
	out, err := proto.MarshalOptions{}.MarshalAppend(b, m)
	if err != nil { // text that is not UTF-8, which no resource has
		return b[:at]
	}
	return EndField(out, at)
}

// BeginField appends the tag of a message's field, and returns what EndField needs.
func BeginField(b []byte, number protowire.Number) (out []byte, at int) {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return append(b, 0), len(b) + 1
}

// EndField puts the length before what was appended since BeginField.
func EndField(b []byte, at int) []byte {
	n := len(b) - at
	if n < 0x80 {
		b[at-1] = byte(n)
		return b
	}
	more := protowire.SizeVarint(uint64(n)) - 1
	b = append(b, make([]byte, more)...)
	copy(b[at+more:], b[at:at+n])
	protowire.AppendVarint(b[:at-1], uint64(n))
	return b
}

// AppendString appends a string's field; nothing when it is empty. What is not UTF-8, which protobuf's
// readers refuse, is replaced.
func AppendString(b []byte, number protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), s)
}

// AppendVarint appends a number's field; nothing when it is 0.
func AppendVarint(b []byte, number protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), v)
}

// AppendBool appends a bool's field; nothing when it is false.
func AppendBool(b []byte, number protowire.Number, v bool) []byte {
	if !v {
		return b
	}
	return AppendVarint(b, number, 1)
}
