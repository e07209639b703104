package endpoint

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What a body in protobuf may hold at most, as one in JSON: a few bytes of it can become much in memory.
const (
	maxMessages = 1 << 20
	maxDepth    = 100
)

// checkWire looks a body over before it is decoded. It refuses text that is not UTF-8, which protobuf's decoder lets pass
// in Mesos's messages: JSON cannot hold it, nor can what is said to agents and plugins, whose connections would be lost
// on it. It refuses more messages than a call needs. What is malformed is left to the decoder.
func checkWire(body []byte, of protoreflect.MessageDescriptor) error {
	left := maxMessages
	return checkFields(body, of, &left, maxDepth)
}

func checkFields(b []byte, of protoreflect.MessageDescriptor, left *int, depth int) error {
	if depth == 0 {
		return fmt.Errorf("Nested deeper than %d", maxDepth) //nolint:staticcheck // clients see it
	}
	if err := count(left); err != nil {
		return err
	}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			return nil
		}
		if f := of.Fields().ByNumber(number); f != nil && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(b)
			if err := checkField(value, f, left, depth); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

func count(left *int) error {
	if *left--; *left < 0 {
		return fmt.Errorf("More than %d messages", maxMessages) //nolint:staticcheck // as above
	}
	return nil
}

// textError is text that is not UTF-8, in the field of that path.
type textError struct{ path string }

func (e *textError) Error() string { return "'" + e.path + "' is not UTF-8" }

func checkField(value []byte, f protoreflect.FieldDescriptor, left *int, depth int) error {
	switch f.Kind() {
	case protoreflect.StringKind:
		if !utf8.Valid(value) {
			return &textError{string(f.Name())}
		}
		if f.IsList() {
			return count(left)
		}
	case protoreflect.MessageKind:
		err := checkFields(value, f.Message(), left, depth-1)
		if text := (*textError)(nil); errors.As(err, &text) {
			text.path = string(f.Name()) + "." + text.path
		}
		return err
	}
	return nil
}
