package endpoint

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
)

// checkText refuses a message with a string that is not UTF-8, and names it. Protobuf's decoder lets such strings pass
// in Mesos's messages, while JSON cannot hold them, nor can what is said to agents and plugins: the whole connection
// would be lost on one of them.
func checkText(m proto.Message) error {
	return protorange.Range(m.ProtoReflect(), func(v protopath.Values) error {
		last := v.Index(-1)
		texts := []any{last.Value.Interface()}
		if last.Step.Kind() == protopath.MapIndexStep {
			texts = append(texts, last.Step.MapIndex().Interface())
		}
		for _, t := range texts {
			if text, ok := t.(string); ok && !utf8.ValidString(text) {
				return BadRequest("Failed to parse body into %s protobuf: '%s' is not UTF-8",
					m.ProtoReflect().Descriptor().Name(), strings.TrimPrefix(v.Path[1:].String(), "."))
			}
		}
		return nil
	})
}
