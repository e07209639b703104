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
	total, err := resource.Parse("cpus:16;mem:65536;disk:1000000;ports:[31000-32000]", "*")
	if err != nil {
		tb.Fatal(err)
	}
	var us []allocator.Update
	for i := range n {
		us = append(us, allocator.AgentAdded{Agent: allocator.Agent{
			ID: fmt.Sprintf("9a1bc24a-8a1d-4b2c-9f7e-1f0c9b53a7e8-S%d", i), Hostname: fmt.Sprintf("node-%d.example.org", i),
			Attributes: []resource.Attribute{{Name: "rack", Text: "r7"}}, Total: total, Active: true}})
	}
	return us
}

// BenchmarkSnapshot is what 1,000 agents cost the host, and the plugin.
func BenchmarkSnapshot(b *testing.B) {
	us := agentUpdates(b, 1000)
	encode := func() (chunks [][]byte) {
		for c := range allocatorconv.Chunks(allocator.Snapshot{Sequence: 1, Updates: us}, 1<<20) {
			data, err := proto.Marshal(c)
			if err != nil {
				b.Fatal(err)
			}
			chunks = append(chunks, data)
		}
		return chunks
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encode()
		}
	})
	chunks := encode()
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, data := range chunks {
				var c allocatorv1.SnapshotChunk
				if err := proto.Unmarshal(data, &c); err != nil {
					b.Fatal(err)
				}
				if _, err := allocatorconv.UpdatesFromProto(c.GetUpdates()); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	n := 0
	for _, c := range chunks {
		n += len(c)
	}
	b.Logf("%d bytes an agent", n/1000)
}
