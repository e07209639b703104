package mesosjson_test

import (
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/mesosjson"
)

// benchmarked are an event of each size that is sent often, and a whole state.
var benchmarked = map[string]string{
	"update": "scheduler.Event-update-running.json",
	"offers": "scheduler.Event-offers-2m.json",
	"state":  "master.Response-get-state-106.json",
}

func forEach(b *testing.B, run func(b *testing.B, data []byte, m proto.Message)) {
	bodies := golden(b)
	for name, file := range benchmarked {
		b.Run(name, func(b *testing.B) {
			m := messageFor(b, file)
			if err := mesosjson.Unmarshal(bodies[file], m); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(bodies[file])))
			b.ReportAllocs()
			run(b, bodies[file], m)
		})
	}
}

func BenchmarkEncodeGenerated(b *testing.B) {
	forEach(b, func(b *testing.B, _ []byte, m proto.Message) {
		var buf []byte
		for b.Loop() {
			buf, _ = mesosjson.Append(buf[:0], m)
		}
	})
}

func BenchmarkEncodeReflection(b *testing.B) {
	forEach(b, func(b *testing.B, _ []byte, m proto.Message) {
		for b.Loop() {
			reference(m)
		}
	})
}

// BenchmarkEncodeProtojson is protobuf's own encoder by reflection. Its output is not Mesos's, but it
// does the same work.
func BenchmarkEncodeProtojson(b *testing.B) {
	o := protojson.MarshalOptions{UseProtoNames: true, AllowPartial: true}
	forEach(b, func(b *testing.B, _ []byte, m proto.Message) {
		var buf []byte
		for b.Loop() {
			buf, _ = o.MarshalAppend(buf[:0], m)
		}
	})
}

func BenchmarkEncodeProtobuf(b *testing.B) {
	forEach(b, func(b *testing.B, _ []byte, m proto.Message) {
		var buf []byte
		for b.Loop() {
			buf, _ = proto.MarshalOptions{}.MarshalAppend(buf[:0], m)
		}
	})
}

func BenchmarkDecodeGenerated(b *testing.B) {
	forEach(b, func(b *testing.B, data []byte, m proto.Message) {
		for b.Loop() {
			if err := mesosjson.Unmarshal(data, m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDecodeReflection is protobuf's own decoder by reflection, which reads what Mesos writes.
func BenchmarkDecodeReflection(b *testing.B) {
	o := protojson.UnmarshalOptions{DiscardUnknown: true}
	forEach(b, func(b *testing.B, data []byte, m proto.Message) {
		for b.Loop() {
			if err := o.Unmarshal(data, m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDecodeStandardLibrary reads into maps, as a codec without types would.
func BenchmarkDecodeStandardLibrary(b *testing.B) {
	forEach(b, func(b *testing.B, data []byte, _ proto.Message) {
		for b.Loop() {
			var v any
			if err := json.Unmarshal(data, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
