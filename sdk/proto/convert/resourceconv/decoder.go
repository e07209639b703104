package resourceconv

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Bounds of what a Decoder remembers.
const (
	maxRemembered      = 4096
	maxRememberedBytes = 1 << 10
	maxInterned        = 16384
)

// Decoder decodes the resources of one stream. Machines are of a few kinds and tasks come in a few sizes,
// so what was decoded is remembered by its bytes: values that are equal share their storage. It is for one
// goroutine. The zero value is ready.
type Decoder struct {
	resources map[string]resource.Resources
	texts     map[string]string
}

// Resources decodes and validates what AppendField or proto.Marshal have encoded. It keeps nothing of b.
func (d *Decoder) Resources(b []byte) (resource.Resources, error) {
	if r, found := d.resources[string(b)]; found {
		return r, nil
	}
	var items []resource.Resource
	err := EachField(b, func(f Field) error {
		if f.Number != 1 || f.Type != protowire.BytesType {
			return nil
		}
		var r resource.Resource
		if err := d.resource(&r, f.Bytes); err != nil {
			return err
		}
		items = append(items, r)
		return nil
	})
	if err != nil {
		return resource.Resources{}, err
	}
	r, err := resource.New(items...)
	if err != nil {
		return resource.Resources{}, err
	}
	d.remember(b, r)
	return r, nil
}

func (d *Decoder) remember(b []byte, r resource.Resources) {
	if len(b) > maxRememberedBytes {
		return
	}
	if d.resources == nil || len(d.resources) >= maxRemembered {
		d.resources = map[string]resource.Resources{}
	}
	d.resources[string(b)] = r
}

// Text is a string that occurs often, such as a role or a framework's id.
func (d *Decoder) Text(b []byte) string {
	if s, found := d.texts[string(b)]; found {
		return s
	}
	if d.texts == nil || len(d.texts) >= maxInterned {
		d.texts = map[string]string{}
	}
	s := Text(b)
	d.texts[s] = s
	return s
}

// Text is a string of the wire. Bytes that are not UTF-8 are replaced, so that they end here.
func Text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// resource decodes one resource. The rare parts, reservations and disks, are left to the generated code.
func (d *Decoder) resource(r *resource.Resource, b []byte) error {
	var p resourcev1.Resource
	rare := false
	err := EachField(b, func(f Field) error {
		switch f.Number {
		case 1:
			p.Name = d.Text(f.Bytes)
		case 2:
			p.Kind = resourcev1.Kind(int32(f.Varint)) //nolint:gosec // as protobuf has it; read checks it
		case 3:
			p.Scalar = protowire.DecodeZigZag(f.Varint)
		case 4:
			return appendBounds(&p.Ranges, f)
		case 5:
			p.Set = append(p.Set, Text(f.Bytes))
		case 8:
			p.Provider = d.Text(f.Bytes)
		case 9:
			p.Revocable = f.Varint != 0
		case 10:
			p.Shared = f.Varint != 0
		case 11:
			p.Role = d.Text(f.Bytes)
		default:
			rare = true
		}
		return nil
	})
	if err == nil && rare {
		err = proto.Unmarshal(b, &p)
	}
	if err != nil {
		return err
	}
	return read(r, &p)
}

// appendBounds takes numbers that are packed, or, as protobuf allows too, one by one.
func appendBounds(bounds *[]uint64, f Field) error {
	if f.Type == protowire.VarintType {
		*bounds = append(*bounds, f.Varint)
		return nil
	}
	for b := f.Bytes; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		*bounds, b = append(*bounds, v), b[n:]
	}
	return nil
}

// Field is a field of an encoded message. Varint has the number of one of VarintType, Bytes what one of
// BytesType contains; the other is zero.
type Field struct {
	Number protowire.Number
	Type   protowire.Type
	Varint uint64
	Bytes  []byte
}

// EachField calls do with the message's fields, in order. Fields of other types than varint and bytes are
// left out.
func EachField(b []byte, do func(Field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := Field{Number: number, Type: kind}
		switch kind {
		case protowire.VarintType:
			f.Varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.Bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if kind != protowire.VarintType && kind != protowire.BytesType {
			continue
		}
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}
