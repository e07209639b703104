package allocatorconv_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/allocatorconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

func agentUpdates(tb testing.TB, n int) []allocator.Update {
	tb.Helper()
	var us []allocator.Update
	for i := range n {
		total, err := resource.Parse("cpus:16;mem:65536;disk:1000000;ports:[31000-32000]", "*")
		if err != nil {
			tb.Fatal(err)
		}
		us = append(us, allocator.AgentAdded{Agent: allocator.Agent{
			ID: fmt.Sprintf("9a1bc24a-8a1d-4b2c-9f7e-1f0c9b53a7e8-S%d", i), Hostname: fmt.Sprintf("node-%d.example.org", i),
			Total: total, Active: true}})
	}
	return us
}

// BenchmarkSnapshot is what 1,000 agents cost the host, and the plugin: by the generated code, and as they
// are sent.
func BenchmarkSnapshot(b *testing.B) {
	s := allocator.Snapshot{Sequence: 1, Updates: agentUpdates(b, 1000)}
	generated := func() (chunks [][]byte) {
		for c := range allocatorconv.Chunks(s, 1<<20) {
			data, err := proto.Marshal(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Snapshot{Snapshot: c}})
			if err != nil {
				b.Fatal(err)
			}
			chunks = append(chunks, data)
		}
		return chunks
	}
	chunks := generated()
	b.Run("encode/generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			generated()
		}
	})
	b.Run("encode/frames", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for range allocatorconv.SnapshotFrames(s, 1<<20) {
			}
		}
	})
	b.Run("decode/generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, data := range chunks {
				var m allocatorv1.RunRequest
				if err := proto.Unmarshal(data, &m); err != nil {
					b.Fatal(err)
				}
				if _, err := allocatorconv.UpdatesFromProto(m.GetSnapshot().GetUpdates()); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("decode/frames", func(b *testing.B) {
		b.ReportAllocs()
		var d allocatorconv.Decoder
		for b.Loop() {
			for _, data := range chunks {
				if _, err := d.Request(data); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
