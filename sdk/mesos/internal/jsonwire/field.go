package jsonwire

import (
	"encoding/base64"
	"math"
	"strconv"

	"google.golang.org/protobuf/types/known/durationpb"
)

// The methods and functions of this file read the value of one field. Those for a singular field
// return nil for null, which leaves the field unset.

// String reads a string field.
func (d *Decoder) String(name string) *string {
	if d.absent() {
		return nil
	}
	v := d.stringValue(name)
	return &v
}

// Strings reads a repeated string field.
func (d *Decoder) Strings(name string) (out []string) {
	for a := d.Array(); a.Next(); {
		if d.count() {
			out = append(out, d.stringValue(name))
		}
	}
	return out
}

// Bool reads a bool field.
func (d *Decoder) Bool(name string) *bool {
	if d.absent() {
		return nil
	}
	v := d.peek() == 't'
	switch {
	case v:
		d.literal("true")
	case d.peek() == 'f':
		d.literal("false")
	default:
		d.unexpected(name)
	}
	return &v
}

// Bytes reads a bytes field from standard base64. It returns nil for null only.
func (d *Decoder) Bytes(name string) []byte {
	if d.absent() {
		return nil
	}
	if d.peek() != '"' {
		d.unexpected(name)
		return nil
	}
	text := d.text()
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(out, text)
	if err != nil {
		d.fail(name, "Expecting base64")
	}
	return out[:n]
}

// Double reads a double field: a number, or "Infinity", "-Infinity" or "NaN" as a string.
func (d *Decoder) Double(name string) *float64 {
	if d.absent() {
		return nil
	}
	v := d.doubleValue(name)
	return &v
}

// Int32 reads an int32 field.
func (d *Decoder) Int32(name string) *int32 {
	if d.absent() {
		return nil
	}
	v := int32(d.signed(name, math.MinInt32, math.MaxInt32, false))
	return &v
}

// Int64 reads an int64 field: a number, or its digits as a string.
func (d *Decoder) Int64(name string) *int64 {
	if d.absent() {
		return nil
	}
	v := d.signed(name, math.MinInt64, math.MaxInt64, true)
	return &v
}

// Uint32 reads a uint32 field.
func (d *Decoder) Uint32(name string) *uint32 {
	if d.absent() {
		return nil
	}
	v := uint32(d.unsigned(name, math.MaxUint32, false))
	return &v
}

// Uint32s reads a repeated uint32 field.
func (d *Decoder) Uint32s(name string) (out []uint32) {
	for a := d.Array(); a.Next(); {
		out = append(out, uint32(d.unsigned(name, math.MaxUint32, false)))
	}
	return out
}

// Uint64 reads a uint64 field: a number, or its digits as a string.
func (d *Decoder) Uint64(name string) *uint64 {
	if d.absent() {
		return nil
	}
	v := d.unsigned(name, math.MaxUint64, true)
	return &v
}

// Duration reads a google.protobuf.Duration field: {"seconds": S, "nanos": N}.
func (d *Decoder) Duration(name string) *durationpb.Duration {
	if d.absent() {
		return nil
	}
	if d.peek() != '{' {
		d.unexpected(name)
		return nil
	}
	out := new(durationpb.Duration)
	d.path = append(d.path, step{name, -1})
	for o := d.Object(); o.Next(); {
		switch string(o.Name()) {
		case "seconds":
			out.Seconds = d.signed("seconds", math.MinInt64, math.MaxInt64, true)
		case "nanos":
			out.Nanos = int32(d.signed("nanos", math.MinInt32, math.MaxInt32, false))
		default:
			d.Skip()
		}
	}
	d.path = d.path[:len(d.path)-1]
	return out
}

// StringMap reads a map of strings from an object.
func (d *Decoder) StringMap(name string) map[string]string {
	if d.absent() {
		return nil
	}
	if d.peek() != '{' {
		d.unexpected(name)
		return nil
	}
	out := make(map[string]string)
	for o := d.Object(); o.Next(); {
		key := string(o.Name())
		if d.null() || !d.count() {
			continue
		}
		out[key] = d.stringValue(name)
	}
	return out
}

// Enum reads an enum field by name. A name that is not known leaves the field unset.
func Enum[T ~int32](d *Decoder, name string, values map[string]int32) *T {
	if d.absent() {
		return nil
	}
	v, known := enumValue[T](d, name, values)
	if !known {
		return nil
	}
	return &v
}

// Enums reads a repeated enum field. Names that are not known are left out.
func Enums[T ~int32](d *Decoder, name string, values map[string]int32) (out []T) {
	for a := d.Array(); a.Next(); {
		if v, known := enumValue[T](d, name, values); known {
			out = append(out, v)
		}
	}
	return out
}

// A Message is a pointer to a message that decodes itself.
type Message[T any] interface {
	*T
	// DecodeMesosJSON fills the message from the object that stands next.
	DecodeMesosJSON(*Decoder)
}

// One reads a message field.
func One[T any, P Message[T]](d *Decoder, name string) *T {
	if d.absent() {
		return nil
	}
	return message[T, P](d, name, -1)
}

// Many reads a repeated message field.
func Many[T any, P Message[T]](d *Decoder, name string) (out []*T) {
	for a := d.Array(); a.Next(); {
		out = append(out, message[T, P](d, name, len(out)))
	}
	return out
}

// Map reads a map from strings to messages from an object.
func Map[T any, P Message[T]](d *Decoder, name string) map[string]*T {
	if d.absent() {
		return nil
	}
	if d.peek() != '{' {
		d.unexpected(name)
		return nil
	}
	out := make(map[string]*T)
	for o := d.Object(); o.Next(); {
		key := string(o.Name())
		if d.null() {
			continue
		}
		out[key] = message[T, P](d, name+"["+key+"]", -1)
	}
	return out
}

func message[T any, P Message[T]](d *Decoder, name string, index int) *T {
	if d.peek() != '{' {
		d.unexpected(name)
		return nil
	}
	if !d.count() {
		return nil
	}
	d.path = append(d.path, step{name, index})
	m := P(new(T))
	m.DecodeMesosJSON(d)
	d.path = d.path[:len(d.path)-1]
	return (*T)(m)
}

// count counts one more message, or string of many, against the limit.
func (d *Decoder) count() bool {
	d.messages++
	if d.messages > d.limits.Messages && d.err == nil {
		d.err = &ConversionError{Reason: "More than " + strconv.Itoa(d.limits.Messages) + " messages"}
	}
	return d.err == nil
}

// absent consumes a null.
func (d *Decoder) absent() bool { return d.err != nil || d.null() }

func (d *Decoder) stringValue(name string) string {
	if d.peek() != '"' {
		d.unexpected(name)
		return ""
	}
	return string(d.text())
}

func enumValue[T ~int32](d *Decoder, name string, values map[string]int32) (T, bool) {
	if d.peek() != '"' {
		d.unexpected(name)
		return 0, false
	}
	v, known := values[string(d.text())]
	return T(v), known
}
