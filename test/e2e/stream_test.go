//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/recordio"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// The event stream is RecordIO, one record a chunk, in the encoding that was asked for, and in JSON where it is all the same.
func TestEventStream(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	for header, accept := range map[string]codec{
		inJSON.media: inJSON, inProtobuf.media: inProtobuf, "": inJSON, "*/*": inJSON, inProtobuf.media + ", " + inJSON.media: inJSON,
	} {
		req, err := http.NewRequest(http.MethodPost, "http://"+c.address+schedulerPath, strings.NewReader(`{"type":"SUBSCRIBE","subscribe":{"framework_info":`+goodInfo+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", typeJSON)
		if header != "" {
			req.Header.Set("Accept", header)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != accept.media || len(resp.Header.Get("Mesos-Stream-Id")) != 36 {
			t.Errorf("Accept %q: %d %v", header, resp.StatusCode, resp.Header)
		}
		records := recordio.NewReader(resp.Body, 1<<20)
		master := ""
		for _, want := range []scheduler.Event_Type{scheduler.Event_SUBSCRIBED, scheduler.Event_HEARTBEAT, scheduler.Event_OFFERS} {
			record, err := records.Next()
			if err != nil {
				t.Fatal(err)
			}
			e := &scheduler.Event{}
			if err := accept.unmarshal(record, e); err != nil || e.GetType() != want {
				t.Errorf("got %v %v, want %s", e, err, want)
			}
			master = checkIDs(t, e, master)
		}
		resp.Body.Close()
	}
}

// checkIDs checks what the first events say: who the master is, and ids that begin with its own.
func checkIDs(t *testing.T, e *scheduler.Event, master string) string {
	t.Helper()
	if s := e.GetSubscribed(); s != nil {
		master = s.GetMasterInfo().GetId()
		if s.GetHeartbeatIntervalSeconds() != 15 || len(master) != 36 || s.GetMasterInfo().GetHostname() == "" || s.GetMasterInfo().GetPort() == 0 {
			t.Errorf("the master is told as %v", s)
		}
		mustMatch(t, s.GetFrameworkId().GetValue(), master+`-\d{4}`)
	}
	for _, o := range e.GetOffers().GetOffers() {
		mustMatch(t, o.GetId().GetValue(), master+`-O\d+`)
		mustMatch(t, o.GetAgentId().GetValue(), master+`-S0`)
	}
	return master
}

func mustMatch(t *testing.T, id, pattern string) {
	t.Helper()
	if !regexp.MustCompile("^" + pattern + "$").MatchString(id) {
		t.Errorf("the id %q does not match %s", id, pattern)
	}
}

// A framework that has nothing to do hears every 15 seconds that the master is there.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	began := time.Now()
	beats := func() (n int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, e := range f.events {
			if e.GetType() == scheduler.Event_HEARTBEAT {
				n++
			}
		}
		return n
	}
	eventually(t, "the second heartbeat comes", func() error {
		if n := beats(); n < 2 {
			return fmt.Errorf("%d heartbeats", n)
		}
		return nil
	})
	if d := time.Since(began); d < 14*time.Second || d > 30*time.Second {
		t.Errorf("the second heartbeat came after %v", d)
	}
}
