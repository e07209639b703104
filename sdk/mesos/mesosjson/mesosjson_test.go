package mesosjson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/mesosjson"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// golden returns the recorded bodies, by file name, with a new message of the type that the name
// begins with.
func golden(t testing.TB) map[string][]byte { return recorded(t, "golden") }

func recorded(t testing.TB, folder string) map[string][]byte {
	files, err := filepath.Glob("testdata/" + folder + "/*.json")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d recorded bodies, %v", len(files), err)
	}
	out := make(map[string][]byte)
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f)] = bytes.TrimSuffix(data, []byte("\n"))
	}
	return out
}

func messageFor(t testing.TB, name string) proto.Message {
	kind, _, _ := strings.Cut(name, "-")
	m, ok := roots()[kind]
	if !ok {
		t.Fatalf("no message for %s", name)
	}
	return m
}

func TestRecordedBodiesComeBackByteForByte(t *testing.T) {
	t.Parallel()
	for name, data := range golden(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := messageFor(t, name)
			if err := mesosjson.Unmarshal(data, m); err != nil {
				t.Fatal(err)
			}
			got, err := mesosjson.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, data) {
				t.Error(firstDifference(got, data))
			}
			if ref := reference(m); !bytes.Equal(ref, data) {
				t.Errorf("by reflection: %s", firstDifference(ref, data))
			}
		})
	}
}

// Calls as clients write them, with white space and an order of their own, lose nothing.
func TestRecordedCallsAreUnderstood(t *testing.T) {
	t.Parallel()
	for name, data := range recorded(t, "calls") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := messageFor(t, name)
			if err := mesosjson.Unmarshal(data, m); err != nil {
				t.Fatal(err)
			}
			out, err := mesosjson.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := plain(t, out), plain(t, data); !reflect.DeepEqual(got, want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
		})
	}
}

// plain returns data without types, and without lists that are empty.
func plain(t *testing.T, data []byte) any {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return withoutEmptyLists(v)
}

func withoutEmptyLists(v any) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, v any) bool {
			list, ok := withoutEmptyLists(v).([]any)
			return ok && len(list) == 0
		})
	case []any:
		for i := range v {
			v[i] = withoutEmptyLists(v[i])
		}
	}
	return v
}

// firstDifference shows two texts from a little before where they part.
func firstDifference(got, want []byte) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	from := max(i-60, 0)
	return fmt.Sprintf("at byte %d: got ...%.160s, want ...%.160s", i, got[from:], want[from:])
}

func TestGeneratedCodeAgreesWithReflection(t *testing.T) {
	t.Parallel()
	for name := range roots() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				m := roots()[name]
				fillRandom(t, m.ProtoReflect(), 0)
				prefix := []byte("20\n")
				got, err := mesosjson.Append(prefix, m)
				if err != nil {
					t.Fatal(err)
				}
				got = bytes.TrimPrefix(got, prefix)
				if want := reference(m); !bytes.Equal(got, want) {
					t.Fatal(firstDifference(got, want))
				}
				if !json.Valid(got) {
					t.Fatalf("not JSON: %s", got)
				}
				back := roots()[name]
				if err := mesosjson.Unmarshal(got, back); err != nil {
					t.Fatalf("read back %s: %v", got, err)
				}
				if !proto.Equal(m, back) {
					t.Fatalf("read back %v\nwant %v", back, m)
				}
			})
		})
	}
}

func TestMessagesOutsideMesosAreRefused(t *testing.T) {
	t.Parallel()
	if b, err := mesosjson.Append([]byte("x"), &emptypb.Empty{}); err == nil || string(b) != "x" {
		t.Errorf("Append = %q, %v", b, err)
	}
	if err := mesosjson.Unmarshal([]byte("{}"), &emptypb.Empty{}); err == nil {
		t.Error("Unmarshal accepted a message without Mesos JSON")
	}
}

func TestWhatIsNeverOnTheWireStillEncodes(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]proto.Message{
		`{}`:                             (*scheduler.Event)(nil),
		`{"offer_ids":[{}]}`:             &scheduler.Call_Decline{OfferIds: []*mesos.OfferID{nil}},
		"{\"value\":\"a\ufffdb\ufffd\"}": &mesos.TaskID{Value: proto.String("a\xffb\xc3")},
		`{"task_id":{"value":""}}`:       &mesos.TaskStatus{TaskId: &mesos.TaskID{Value: proto.String("")}, State: mesos.TaskState(99).Enum()},
		`{"uuid":""}`:                    &mesos.TaskStatus{Uuid: []byte{}},
		`{"url":{"scheme":"http","path":"/a/b"}}`: &mesos.Offer{Url: &mesos.URL{Scheme: proto.String("http"), Path: proto.String("/a/b")}},
	} {
		if got, err := mesosjson.Marshal(m); err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}
