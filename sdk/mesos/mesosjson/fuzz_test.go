package mesosjson_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/mesosjson"
)

// Whatever comes in, decoding does not panic, and what it took comes out the same from then on.
func FuzzDecode(f *testing.F) {
	kinds := slices.Sorted(maps.Keys(roots()))
	call := uint8(slices.Index(kinds, "scheduler.Call"))
	for _, seed := range []string{
		`{"type":"DECLINE","decline":{"offer_ids":[{"value":"o"}],"filters":{"refuse_seconds":5.5e0}}}`,
		`{"type":"ACKNOWLEDGE","acknowledge":{"uuid":"AAECAw==","task_id":{"value":"a\ud83d\ude00"}}}`,
		`{"subscribe":{"offer_constraints":{"role_constraints":{"r":null}},"suppressed_roles":"a"},"x":[{}]}`,
		`{"accept":{"operations":[{"launch":{"task_infos":[{"limits":{"cpus":{"value":"Infinity"}}}]}}]}}`,
	} {
		f.Add(call, []byte(seed))
	}
	f.Add(uint8(slices.Index(kinds, "master.Call")), []byte(`{"drain_agent":{"agent_id":{"value":"S"},"max_grace_period":{"seconds":"6e2"}}}`))
	f.Add(uint8(slices.Index(kinds, "agent.Response")), []byte(`{"type":"GET_TASKS","get_tasks":{"queued_tasks":[null]}}`))
	limits := mesosjson.Limits{Depth: 20, Messages: 1000}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		kind := kinds[int(which)%len(kinds)]
		m := roots()[kind]
		if err := limits.Unmarshal(data, m); err != nil {
			return
		}
		first, err := mesosjson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if want := reference(m); !bytes.Equal(first, want) {
			t.Fatal(firstDifference(first, want))
		}
		again := roots()[kind]
		if err := mesosjson.Unmarshal(first, again); err != nil {
			t.Fatalf("own output %s: %v", first, err)
		}
		second, err := mesosjson.Marshal(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("not stable: %s, then %s, %v", first, second, err)
		}
	})
}
