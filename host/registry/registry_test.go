package registry_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/host/registry"
)

func anyOp(t *rapid.T) registry.Op {
	id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id")
	info := rapid.SliceOfN(rapid.Byte(), 1, 4).Draw(t, "info")
	at := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "at"), 0).UTC()
	return rapid.SampledFrom([]registry.Op{
		registry.AdmitAgent{ID: id, Info: info}, registry.UpdateAgent{ID: id, Info: info},
		registry.MarkUnreachable{ID: id, At: at}, registry.MarkReachable{ID: id, Info: info},
		registry.MarkGone{ID: id, At: at}, registry.RemoveAgent{ID: id},
		registry.Prune{Unreachable: []string{id}, Gone: []string{id}},
		registry.PutMember{ID: id, Member: registry.Member{HTTP: "h:1", Agents: "h:2", Raft: "h:3", Version: "0.1.0"}},
	}).Draw(t, "op")
}

// Every operation, once written and read again, does what it did; applying it twice does no more; an agent is in
// one place only; a snapshot restores the state.
func TestOperations(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := registry.NewState()
		for range rapid.IntRange(0, 30).Draw(t, "operations") {
			op := anyOp(t)
			data, err := registry.EncodeOp(op)
			if err != nil {
				t.Fatal(err)
			}
			read, err := registry.DecodeOp(data)
			if err != nil || !reflect.DeepEqual(read, op) {
				t.Fatalf("%#v was read back as %#v, %v", op, read, err)
			}
			before := s.Clone()
			if err := s.Apply(read); err != nil {
				if !reflect.DeepEqual(before, s) {
					t.Fatalf("%#v was refused (%v) and yet changed the state", op, err)
				}
				continue
			}
			once := s.Clone()
			if err := s.Apply(op); err != nil || !reflect.DeepEqual(once, s) {
				t.Fatalf("%#v applied twice: %v", op, err)
			}
			for id := range s.Agents {
				_, unreachable := s.Unreachable[id]
				_, gone := s.Gone[id]
				if unreachable || gone {
					t.Fatalf("agent %s is in two places", id)
				}
			}
		}
		data, err := registry.EncodeState(s)
		if err != nil {
			t.Fatal(err)
		}
		back, err := registry.DecodeState(data)
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Fatalf("snapshot read back as %+v, %v", back, err)
		}
	})
}

func TestNewerFormatsAreRefusedByName(t *testing.T) {
	t.Parallel()
	for _, data := range []string{`{"v":99,"op":"admit_agent","f":{}}`, `{"v":1,"op":"paint_agent","f":{}}`} {
		if _, err := registry.DecodeOp([]byte(data)); !errors.Is(err, registry.ErrNewerFormat) {
			t.Errorf("DecodeOp(%s) = %v", data, err)
		}
	}
	if _, err := registry.DecodeState([]byte(`{"v":99,"state":{}}`)); !errors.Is(err, registry.ErrNewerFormat) {
		t.Errorf("DecodeState = %v", err)
	}
	if _, err := registry.DecodeOp([]byte(`{`)); err == nil || errors.Is(err, registry.ErrNewerFormat) {
		t.Errorf("DecodeOp of half an object = %v", err)
	}
}
