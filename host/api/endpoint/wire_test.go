package endpoint

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/agent"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// TestBodiesThatGrow are refused: within the limit of a body they could take up a hundred times as much memory, or all
// of a stack.
func TestBodiesThatGrow(t *testing.T) {
	t.Parallel()
	field := func(number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	var parents []byte
	for range 200 {
		parents = field(2, parents)
	}
	for name, call := range map[string]struct {
		body []byte
		into proto.Message
		want string
	}{
		"messages": {field(9, bytes.Repeat(field(1, nil), 1<<20)), &scheduler.Call{}, "More than 1048576 messages"},
		"strings":  {field(15, bytes.Repeat(field(1, nil), 1<<20)), &scheduler.Call{}, "More than 1048576 messages"},
		"depth":    {field(7, field(1, parents)), &agent.Call{}, "Nested deeper than 100"},
	} {
		err := Decode(Protobuf, call.body, call.into)
		if want := "400 Failed to parse body into Call protobuf: " + call.want; err == nil || err.Error() != want {
			t.Errorf("%s: %v, not %q", name, err, want)
		}
	}
	// What is malformed is for the decoder to say.
	for _, body := range []string{"\xff", "\x0a\x05x", "\x0a\x02\x0a\x05", "\x0b"} {
		if err := Decode(Protobuf, []byte(body), &scheduler.Call{}); err == nil || err.Error() != "400 Failed to parse body into Call protobuf" {
			t.Errorf("%q: %v", body, err)
		}
	}
}
