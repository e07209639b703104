package mesosjson_test

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// reference encodes m by reflection: the plain reading of the dialect, against which the generated
// code is checked and measured.
func reference(m proto.Message) []byte {
	return referenceMessage(nil, m.ProtoReflect())
}

// listsOf are the messages whose repeated fields, apart from the deprecated ones, are never left out.
var listsOf = []protoreflect.FullName{
	"mesos.v1.master.Response.GetTasks", "mesos.v1.master.Response.GetAgents",
	"mesos.v1.master.Response.GetFrameworks", "mesos.v1.master.Response.GetExecutors",
	"mesos.v1.agent.Response.GetTasks", "mesos.v1.agent.Response.GetFrameworks",
	"mesos.v1.agent.Response.GetExecutors",
}

func written(m protoreflect.Message, f protoreflect.FieldDescriptor) bool {
	options, _ := f.Options().(*descriptorpb.FieldOptions)
	return m.Has(f) || f.IsList() && !options.GetDeprecated() && slices.Contains(listsOf, f.Parent().FullName())
}

func referenceMessage(b []byte, m protoreflect.Message) []byte {
	b = append(b, '{')
	comma := ""
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if !written(m, f) {
			continue
		}
		b = append(append(append(append(b, comma...), '"'), f.Name()...), `":`...)
		comma = ","
		switch v := m.Get(f); {
		case f.IsMap():
			b = referenceMap(b, f, v.Map())
		case f.IsList():
			b = append(b, '[')
			for j := range v.List().Len() {
				if j > 0 {
					b = append(b, ',')
				}
				b = referenceValue(b, f, v.List().Get(j))
			}
			b = append(b, ']')
		default:
			b = referenceValue(b, f, v)
		}
	}
	return append(b, '}')
}

func referenceMap(b []byte, f protoreflect.FieldDescriptor, m protoreflect.Map) []byte {
	var keys []string
	for k := range m.Range {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, referenceString(k)...), ':')
		b = referenceValue(b, f.MapValue(), m.Get(protoreflect.ValueOfString(k).MapKey()))
	}
	return append(b, '}')
}

func referenceValue(b []byte, f protoreflect.FieldDescriptor, v protoreflect.Value) []byte {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return referenceMessage(b, v.Message())
	case protoreflect.EnumKind:
		return append(append(append(b, '"'), f.Enum().Values().ByNumber(v.Enum()).Name()...), '"')
	case protoreflect.StringKind:
		return append(b, referenceString(v.String())...)
	case protoreflect.BytesKind:
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), v.Bytes()), '"')
	case protoreflect.DoubleKind:
		return append(b, referenceDouble(v.Float())...)
	}
	return fmt.Append(b, v.Interface())
}

func referenceString(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range s {
		switch short := strings.IndexRune("\b\f\n\r\t\"\\", r); {
		case short >= 0:
			out.WriteByte('\\')
			out.WriteByte(`bfnrt"\`[short])
		case r < ' ':
			fmt.Fprintf(&out, `\u%04X`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

func referenceDouble(v float64) string {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.Quote(strings.TrimPrefix(strings.Replace(fmt.Sprint(v), "Inf", "Infinity", 1), "+"))
	}
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
		n, err := strconv.Atoi(exponent)
		if err != nil {
			panic(err)
		}
		return fmt.Sprintf("%se%d", mantissa, n)
	}
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
