// Package mesosjson encodes and decodes the messages of mesos.v1 in Mesos's dialect of JSON, which is
// not protobuf's own.
//
// Out: fields in snake_case, in the order in which they are declared and without white space; 64-bit
// integers as bare numbers; doubles always with a fraction or an exponent (64.0); bytes in padded
// base64; enums by name; a set field even at its default, an unset one never. Empty repeated fields
// are left out, except the lists of GET_TASKS, GET_AGENTS, GET_FRAMEWORKS and GET_EXECUTORS, which
// Mesos always writes. A map is an object, its keys sorted. Where Mesos writes Infinity bare, which no
// JSON parser takes, this package writes what it also reads: the string "Infinity".
//
// In: any white space; unknown fields and unknown enum names are ignored; null is unset; 64-bit
// integers may be strings; integers may be written as 3.6e+06, and a fraction is cut off; doubles may
// be "Infinity", "-Infinity" or "NaN"; a repeated field may be a single value. Of a name that occurs
// twice the last counts.
//
// The package works on generated code, without reflection, and imports protobuf and sdk/mesos alone.
// Its functions are safe for concurrent use.
package mesosjson

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/internal/jsonwire"
)

// A SyntaxError says that a body is not JSON: `syntax error at line 1 near: `.
type SyntaxError = jsonwire.SyntaxError

// A ConversionError says that JSON does not fit the message, as in
// `Not expecting a JSON number for field 'type'`.
type ConversionError = jsonwire.ConversionError

// A MissingError lists the required fields that are not set, as in
// `Missing required fields: subscribe.framework_info.name`.
type MissingError = jsonwire.MissingError

// Limits bound what hostile input can cost. A zero field takes the default's value.
type Limits struct {
	Bytes    int // of the whole text
	Depth    int // objects and arrays within one another
	Messages int // messages, map entries and strings of repeated fields; an empty one is two bytes of text, and much in memory
}

// DefaultLimits are those of [Unmarshal].
func DefaultLimits() Limits {
	return Limits{Bytes: 64 << 20, Depth: 100, Messages: 1 << 20}
}

// appender and decoder are what the generated code gives every message of mesos.v1.
type appender interface {
	AppendMesosJSON([]byte) []byte
}

type decoder interface {
	DecodeMesosJSON(*jsonwire.Decoder)
}

// Marshal returns m as JSON. It fails only for a message outside mesos.v1: as in Mesos, required
// fields are the reader's business.
func Marshal(m proto.Message) ([]byte, error) { return Append(make([]byte, 0, 512), m) }

// Append appends m as JSON to dst and returns the extended buffer, or dst as it was with an error.
func Append(dst []byte, m proto.Message) ([]byte, error) {
	a, ok := m.(appender)
	if !ok {
		return dst, fmt.Errorf("encode Mesos JSON: %T is not a message of mesos.v1", m)
	}
	return a.AppendMesosJSON(dst), nil
}

// Unmarshal sets m to what data says, within the [DefaultLimits]. Its errors are a [*SyntaxError], a
// [*ConversionError] or a [*MissingError]; m then holds an unspecified part of data.
func Unmarshal(data []byte, m proto.Message) error {
	return Limits{}.Unmarshal(data, m)
}

// Unmarshal is the package's Unmarshal within the limits l.
func (l Limits) Unmarshal(data []byte, m proto.Message) error {
	into, ok := m.(decoder)
	if !ok {
		return fmt.Errorf("decode Mesos JSON: %T is not a message of mesos.v1", m)
	}
	l = l.orDefault()
	if len(data) > l.Bytes {
		return &ConversionError{Reason: fmt.Sprintf("Text of %d bytes, at most %d", len(data), l.Bytes)}
	}
	proto.Reset(m)
	limits := jsonwire.Limits{Depth: l.Depth, Messages: l.Messages}
	if err := jsonwire.Decode(data, limits, into.DecodeMesosJSON); err != nil {
		return err
	}
	if fields := Missing(m); fields != nil {
		return &MissingError{Fields: fields}
	}
	return nil
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	if l.Bytes > 0 {
		d.Bytes = l.Bytes
	}
	if l.Depth > 0 {
		d.Depth = l.Depth
	}
	if l.Messages > 0 {
		d.Messages = l.Messages
	}
	return d
}
