package endpoint

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

func TestPathsMatchAsInLibprocess(t *testing.T) {
	t.Parallel()
	mux := NewMux(access.NoAuthentication{}, "master", "slave(1)")
	for _, path := range []string{"/", "/state", "/slaves", "/api/v1", "/api/v1/scheduler", "/metrics", "/metrics/snapshot", "/redirect"} {
		mux.Handle(Route{Path: path, Exact: path == "/redirect" || path == "/metrics" || path == "/", Handler: func(w http.ResponseWriter, _ *http.Request, _ access.Principal) error {
			Text(w, 200, path)
			return nil
		}})
	}
	for path, want := range map[string]string{
		"/": "/", "/state": "/state", "/state/": "/state", "/state//": "/state", "/master/state": "/state", "/slave(1)/state": "/state",
		"/slaves/S0": "/slaves", "/slaves/S0/": "/slaves", "/api/v1/operator": "/api/v1", "/api/v1/": "/api/v1", "/api/v1?_ts=1": "/api/v1",
		"/api/v1/scheduler": "/api/v1/scheduler", "/master/api/v1/scheduler/": "/api/v1/scheduler", "/metrics/snapshot": "/metrics/snapshot",
		"/metrics": "/metrics", "/metrics/": "/metrics", "/redirect": "/redirect", "/redirect/": "/redirect",
		"/state.json": "", "/nope": "", "/master": "", "/master/nope": "", "/slave(2)/state": "", "/redirect/x": "", "/metrics/x": "", "/api": "",
		"/master/master/state": "",
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		body, _ := io.ReadAll(w.Body)
		if want == "" && w.Code != 404 || want != "" && string(body) != want {
			t.Errorf("%s reaches %d %q, want %q", path, w.Code, body, want)
		}
	}
}

func FuzzPath(f *testing.F) {
	mux := NewMux(access.NoAuthentication{}, "master")
	mux.Handle(Route{Path: "/a/b"}, Route{Path: "/a"}, Route{Path: "/", Exact: true})
	for _, seed := range []string{"", "/", "//", "/a/b/c", "/master//a", "a", "/a/", "/master/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r, ok := mux.find(path)
		if ok && !strings.HasPrefix(strings.TrimPrefix(path, "/master"), r.Path) {
			t.Errorf("%q reaches %q", path, r.Path)
		}
	})
}

func TestAccepts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		accept []string
		json   bool
	}{
		{nil, true}, {[]string{""}, true}, {[]string{"*/*"}, true}, {[]string{"application/*"}, true},
		{[]string{"application/json"}, true}, {[]string{"text/html, application/json;q=0.1"}, true},
		{[]string{"text/html", "application/json"}, true}, {[]string{"application/json; q=0"}, false},
		{[]string{"application/x-protobuf"}, false}, {[]string{"text/*"}, false}, {[]string{"application/json;q=x"}, false},
	} {
		if got := Accepts(http.Header{"Accept": tt.accept}, "Accept", TypeJSON); got != tt.json {
			t.Errorf("%q: %v", tt.accept, got)
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:5050": true, "localhost.": true, "127.0.0.1:1": true, "127.8.8.8": true, "[::1]:5050": true, "[::1]": true,
		"app.localhost": true, "evil.example": false, "127.0.0.1.evil.example": false, "10.0.0.1:5050": false, "": false, "localhost.evil.example": false,
	} {
		if got := isLoopbackHost(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

// FuzzDecode: no body makes the decoding of a call panic, in either format, and a call that was read can be written.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}`, `{"type": 1}`, `[`, `"x"`, "\x08\x01", "\xff\xff",
		`{"type":"ACCEPT","accept":{"offer_ids":[{"value":"o"}],"operations":[{"type":"LAUNCH","launch":{"task_infos":[null]}}]}}`,
		`{"type":"ACKNOWLEDGE","acknowledge":{"uuid":"AAAA"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, media := range []Media{JSON, Protobuf} {
			call := &scheduler.Call{}
			if Decode(media, body, call) == nil {
				if _, err := Encode(media, call); err != nil {
					t.Errorf("%s: %v", media, err)
				}
			}
		}
	})
}
