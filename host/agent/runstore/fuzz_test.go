package runstore

import (
	"errors"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
)

// FuzzParse reads arbitrary files. A file that is cut off must yield no more than the whole one.
func FuzzParse(f *testing.F) {
	h, err := header{Version: FormatVersion, Instance: "i1", Boot: "b1"}.encode()
	if err != nil {
		f.Fatal(err)
	}
	one := appendFrame(nil, appendOps(nil, []record.Op{put("a", "1"), {Key: "b"}}))
	f.Add(h, false)
	f.Add(append(h, one...), true)
	f.Add(append(append(h, one...), one[:5]...), false)
	f.Add(append(append(h, one...), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0), false)
	f.Add([]byte("mezzorun"), true)
	f.Fuzz(func(t *testing.T, data []byte, whole bool) {
		r := reader{opts: strict, out: Recovered{Values: map[string][]byte{}}}
		if err := r.parse("file", data, whole); err != nil {
			return
		}
		for _, err := range r.out.Errors {
			if whole || !errors.Is(err, errCut) {
				continue
			}
			t.Errorf("a log that is cut off is no error: %v", err)
		}
		for k, v := range r.out.Values {
			if v == nil {
				t.Errorf("key %q without a value", k)
			}
		}
	})
}
