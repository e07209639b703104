package mesosjson_test

import (
	"math"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/agent"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/executor"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/maintenance"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/master"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/quota"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/resourceprovider"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// roots are the messages that travel by themselves; between them they hold all others.
func roots() map[string]proto.Message {
	return map[string]proto.Message{
		"scheduler.Call":         new(scheduler.Call),
		"scheduler.Event":        new(scheduler.Event),
		"scheduler.Response":     new(scheduler.Response),
		"executor.Call":          new(executor.Call),
		"executor.Event":         new(executor.Event),
		"master.Call":            new(master.Call),
		"master.Response":        new(master.Response),
		"master.Event":           new(master.Event),
		"agent.Call":             new(agent.Call),
		"agent.Response":         new(agent.Response),
		"agent.ProcessIO":        new(agent.ProcessIO),
		"resourceprovider.Call":  new(resourceprovider.Call),
		"resourceprovider.Event": new(resourceprovider.Event),
		"maintenance.Schedule":   new(maintenance.Schedule),
		"quota.QuotaStatus":      new(quota.QuotaStatus),
	}
}

// fillRandom sets all required fields of m and some of the others.
func fillRandom(t *rapid.T, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		required := f.Cardinality() == protoreflect.Required
		if !required && (depth > 6 || rapid.IntRange(0, 3+depth).Draw(t, "skip") > 1) {
			continue
		}
		switch {
		case f.IsMap():
			v := m.Mutable(f).Map()
			for range rapid.IntRange(1, 2).Draw(t, "entries") {
				v.Set(randomString(t).MapKey(), randomValue(t, f.MapValue(), v.NewValue, depth))
			}
		case f.IsList():
			v := m.Mutable(f).List()
			for range rapid.IntRange(1, 2).Draw(t, "elements") {
				v.Append(randomValue(t, f, v.NewElement, depth))
			}
		default:
			m.Set(f, randomValue(t, f, func() protoreflect.Value { return m.NewField(f) }, depth))
		}
	}
}

func randomValue(t *rapid.T, f protoreflect.FieldDescriptor, blank func() protoreflect.Value, depth int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.MessageKind:
		v := blank()
		fillRandom(t, v.Message(), depth+1)
		return v
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(rapid.IntRange(0, values.Len()-1).Draw(t, "enum")).Number())
	case protoreflect.StringKind:
		return randomString(t)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(randomDouble().Draw(t, "double"))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, "uint32"))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, "uint64"))
	}
	panic("no random value for " + f.FullName())
}

func randomDouble() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64(),
		rapid.Map(rapid.Int64Range(0, 1<<40), func(n int64) float64 { return float64(n) / 1000 }),
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, 0.1, 64, 1e20, 1e21, 1e22, 1e-6, 1e-7, 1.5e-7, 1 << 53,
			1<<53 + 2, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1)}),
	)
}

func randomString(t *rapid.T) protoreflect.Value {
	return protoreflect.ValueOfString(rapid.OneOf(
		rapid.StringN(0, 10, 30),
		rapid.StringMatching(`[ -~]{0,12}`),
		rapid.SampledFrom([]string{"", "*", "a/b", "\x00\x1f\x7f", "\"\\\b\f\n\r\t", "\u2028\u2029<>&", "\U0001F600", `\u0001`, "\ufffd"}),
	).Draw(t, "string"))
}
