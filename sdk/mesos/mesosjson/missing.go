package mesosjson

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxMissing bounds the paths that an error lists.
const maxMissing = 100

// Missing returns the dotted paths of the required fields that are not set in m, each message's own
// first, then those within it; at most 100 of them. It returns nil when none is missing, which it
// finds without reflection.
func Missing(m proto.Message) []string {
	if proto.CheckInitialized(m) == nil {
		return nil
	}
	return appendMissing(nil, "", m.ProtoReflect())
}

func appendMissing(out []string, prefix string, m protoreflect.Message) []string {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Cardinality() == protoreflect.Required && !m.Has(f) && len(out) < maxMissing {
			out = append(out, prefix+string(f.Name()))
		}
	}
	for i := range fields.Len() {
		f := fields.Get(i)
		if m.Has(f) && f.Message() != nil && len(out) < maxMissing {
			out = appendMissingIn(out, prefix+string(f.Name()), f, m.Get(f))
		}
	}
	return out
}

func appendMissingIn(out []string, name string, f protoreflect.FieldDescriptor, v protoreflect.Value) []string {
	switch {
	case f.IsMap() && f.MapValue().Message() != nil:
		var keys []string
		for k := range v.Map().Range {
			keys = append(keys, k.String())
		}
		slices.Sort(keys)
		for _, k := range keys {
			inner := v.Map().Get(protoreflect.ValueOfString(k).MapKey())
			out = appendMissing(out, name+"["+k+"].", inner.Message())
		}
	case f.IsMap():
	case f.IsList():
		for i := range v.List().Len() {
			out = appendMissing(out, fmt.Sprintf("%s[%d].", name, i), v.List().Get(i).Message())
		}
	default:
		out = appendMissing(out, name+".", v.Message())
	}
	return out
}
