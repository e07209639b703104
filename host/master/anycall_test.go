package master

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// TestAnyCallIsSurvived: whatever parts calls and subscriptions have or lack, the machine goes on and its books are
// right. Required fields are there, since the API lets nothing in without them.
func TestAnyCallIsSurvived(t *testing.T) {
	t.Parallel()
	parts := (&scheduler.Call{}).ProtoReflect().Descriptor().Fields()
	kinds := []string{
		"accept", "accept", "accept", "accept", "decline", "revive", "suppress", "kill", "shutdown", "acknowledge",
		"reconcile", "reconcile_operations", "message", "request", "update_framework",
	}
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(t)
		_, agent := r.agent("h1")
		stream, id := r.subscribe(framework("x"))
		words := []string{"", "a", "cpus", "mem", "*", "t1", agent, id}
		for range rapid.IntRange(1, 6).Draw(t, "calls") {
			if r.ended[stream] {
				info := &mesos.FrameworkInfo{}
				fill(t, info.ProtoReflect(), words, 4)
				stream, id = r.subscribe(info)
				continue
			}
			f, _ := r.m.s.frameworks.get(id)
			call := &scheduler.Call{}
			kind := rapid.SampledFrom(kinds).Draw(t, "kind")
			fill(t, call.ProtoReflect().Mutable(parts.ByName(protoreflect.Name(kind))).Message(), words, 7)
			call.Type = scheduler.Call_Type(scheduler.Call_Type_value[strings.ToUpper(kind)]).Enum()
			if len(f.Roles) > 0 && call.Accept != nil {
				if offer, refused := r.offer(id, f.Roles[0], agent, "cpus:1;mem:64"); refused == "" {
					call.Accept.OfferIds = offerIDs(offer)
				}
			}
			r.call(id, stream, call)
		}
	})
}

// fill gives a message some of its fields, with messages in them to a depth.
func fill(t *rapid.T, m protoreflect.Message, words []string, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		deep := f.Message() != nil && depth == 0
		if f.Cardinality() != protoreflect.Required && (deep || !rapid.Bool().Draw(t, string(f.Name()))) {
			continue
		}
		switch {
		case f.IsMap():
			value := m.NewField(f).Map()
			element := value.NewValue()
			fill(t, element.Message(), words, depth-1)
			value.Set(protoreflect.ValueOfString(rapid.SampledFrom(words).Draw(t, "key")).MapKey(), element)
			m.Set(f, protoreflect.ValueOfMap(value))
		case f.IsList():
			list := m.Mutable(f).List()
			for range rapid.IntRange(1, 2).Draw(t, "elements") {
				element := list.NewElement()
				if f.Message() != nil {
					fill(t, element.Message(), words, depth-1)
				} else {
					element = anyValue(t, f, words)
				}
				list.Append(element)
			}
		case f.Message() != nil:
			fill(t, m.Mutable(f).Message(), words, depth-1)
		default:
			m.Set(f, anyValue(t, f, words))
		}
	}
}

func anyValue(t *rapid.T, f protoreflect.FieldDescriptor, words []string) protoreflect.Value {
	number := rapid.SampledFrom([]int64{0, 1, -1, 5, math.MaxInt64, math.MinInt64}).Draw(t, "number")
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.SampledFrom(words).Draw(t, "word"))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(rapid.SampledFrom([]string{"", "x", "0123456789abcdef"}).Draw(t, "bytes")))
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(rapid.IntRange(0, values.Len()-1).Draw(t, "enum")).Number())
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(number == 0)
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		value := rapid.SampledFrom([]float64{0, 0.001, 1, 32, -1, 1e300, math.NaN(), math.Inf(1)}).Draw(t, "value")
		if f.Kind() == protoreflect.FloatKind {
			return protoreflect.ValueOfFloat32(float32(value))
		}
		return protoreflect.ValueOfFloat64(value)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(number))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(number))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(number))
	default:
		return protoreflect.ValueOfInt64(number)
	}
}
