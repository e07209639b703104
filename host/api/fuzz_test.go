package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzSchedulerEndpoint: no body makes the endpoint, or the machine behind it, panic, and each is answered.
func FuzzSchedulerEndpoint(f *testing.F) {
	for _, seed := range []string{
		`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}`,
		`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n","roles":["a/../b"],"capabilities":[{"type":"MULTI_ROLE"}]}}}`,
		`{"type":"SUBSCRIBE","framework_id":{"value":"x"},"subscribe":{"framework_info":{"user":"u","name":"n","id":{"value":"x"},"failover_timeout":1e300}}}`,
		`{"type":"KILL","framework_id":{"value":"x"},"kill":{"task_id":{"value":""}}}`,
		"39\n{\"type\":\"REVIVE\",\"framework_id\":{\"value\":\"x\"}}", "0\n", "", "null", "[]", "\x08\x01\x12\x00",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, body string, json bool) {
		c := fuzzCluster(t)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, schedulerPath, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-protobuf")
		if json {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if p := recover(); p != nil && p != http.ErrAbortHandler { // how a stream whose client is gone ends
					panic(p)
				}
			}()
			c.api.ServeHTTP(w, r)
		}()
		if w.Code != 200 && (w.Code < 400 || w.Code > 503 || w.Body.Len() == 0 && ctx.Err() == nil) {
			t.Errorf("%d %q", w.Code, w.Body)
		}
		if c.loop.State().Leader().ID != masterID {
			t.Error("the master is gone")
		}
	})
}

// fuzzCluster makes a cluster whose loop lives as long as the one input.
func fuzzCluster(t *testing.T) *cluster {
	t.Helper()
	return newCluster(t, options{noOffers: true})
}
