//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

const (
	typeJSON     = "application/json"
	typeProtobuf = "application/x-protobuf"
	goodInfo     = `{"user":"root","name":"x"}`
)

// Requests to the scheduler API that are refused before any framework comes into it.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	for name, one := range map[string]struct {
		method, contentType, body string
		header                    []string
		status                    int
		say                       string
	}{
		"get":                     {method: "GET", status: 405},
		"put":                     {method: "PUT", contentType: typeJSON, body: "{}", status: 405},
		"no content type":         {body: "{}", status: 400, say: "Content-Type"},
		"text":                    {contentType: "text/plain", body: "{}", status: 415, say: typeProtobuf},
		"recordio":                {contentType: "application/recordio", body: "2\n{}", status: 415},
		"broken json":             {contentType: typeJSON, body: `{"type":`, status: 400},
		"not an object":           {contentType: typeJSON, body: `"x"`, status: 400},
		"empty body":              {contentType: typeJSON, status: 400},
		"broken protobuf":         {contentType: typeProtobuf, body: "\xff\xff\xff\xff", status: 400},
		"protobuf as json":        {contentType: typeJSON, body: "\x08\x01", status: 400},
		"empty object":            {contentType: typeJSON, body: `{}`, status: 400, say: "type"},
		"unknown type":            {contentType: typeJSON, body: `{"type":"FLY"}`, status: 400, say: "type"},
		"type of the wrong type":  {contentType: typeJSON, body: `{"type":1}`, status: 400},
		"subscribe with nothing":  {contentType: typeJSON, body: `{"type":"SUBSCRIBE"}`, status: 400, say: "subscribe"},
		"info without a user":     {contentType: typeJSON, body: `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"name":"x"}}}`, status: 400, say: "user"},
		"ids that differ":         {contentType: typeJSON, body: `{"type":"SUBSCRIBE","framework_id":{"value":"a"},"subscribe":{"framework_info":{"user":"u","name":"n","id":{"value":"b"}}}}`, status: 400},
		"subscribe with a stream": {contentType: typeJSON, body: `{"type":"SUBSCRIBE","subscribe":{"framework_info":` + goodInfo + `}}`, header: []string{"Mesos-Stream-Id", "x"}, status: 400, say: "Mesos-Stream-Id"},
		"subscribe for html":      {contentType: typeJSON, body: `{"type":"SUBSCRIBE","subscribe":{"framework_info":` + goodInfo + `}}`, header: []string{"Accept", "text/html"}, status: 406},
		"no framework id":         {contentType: typeJSON, body: `{"type":"REVIVE"}`, status: 400, say: "framework_id"},
		"unknown framework":       {contentType: typeJSON, body: `{"type":"REVIVE","framework_id":{"value":"nobody"}}`, header: []string{"Mesos-Stream-Id", "x"}, status: 400, say: "Framework cannot be found"},
		"host of elsewhere":       {contentType: typeJSON, body: `{}`, header: []string{"Host", "evil.example"}, status: 403},
		"cross-origin":            {contentType: typeJSON, body: `{}`, header: []string{"Origin", "http://evil.example"}, status: 403},
		"deep json":               {contentType: typeJSON, body: strings.Repeat(`{"subscribe":`, 100000), status: 400},
	} {
		method := one.method
		if method == "" {
			method = http.MethodPost
		}
		r := askAs(t, method, c.address, schedulerPath, one.contentType, one.body, one.header...)
		if r.status != one.status || !strings.Contains(r.body, one.say) {
			t.Errorf("%s: %d %.200q, want %d and %q", name, r.status, r.body, one.status, one.say)
		}
		if r.status == http.StatusMethodNotAllowed && !strings.Contains(r.header.Get("Allow"), "POST") {
			t.Errorf("%s: Allow is %q", name, r.header.Get("Allow"))
		}
	}
	checkNoFrameworks(t, c)
}

// askAs is ask, with a Host header where there is one.
func askAs(t *testing.T, method, address, path, contentType, body string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if req.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

func checkNoFrameworks(t *testing.T, c *cluster) {
	t.Helper()
	var list struct {
		Frameworks []listedFramework `json:"frameworks"`
		Completed  []listedFramework `json:"completed_frameworks"`
	}
	if err := c.get("/frameworks", &list); err != nil || len(list.Frameworks)+len(list.Completed) > 0 {
		t.Errorf("there are frameworks: %+v %v", list, err)
	}
}

// Calls of a framework that is subscribed, and are refused.
func TestRefusedCalls(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	call := func(stream, body string) reply {
		header := []string{}
		if stream != "" {
			header = []string{"Mesos-Stream-Id", stream}
		}
		return askAs(t, http.MethodPost, c.address, schedulerPath, typeJSON, strings.ReplaceAll(body, "FRAMEWORK", f.id.GetValue()), header...)
	}
	id := `"framework_id":{"value":"FRAMEWORK"}`
	for name, one := range map[string]struct {
		stream, body string
		status       int
		say          string
	}{
		"no stream id":       {body: `{"type":"REVIVE",` + id + `}`, status: 400, say: "Mesos-Stream-Id"},
		"another stream id":  {stream: "8d3c5eb7-8b46-4b8c-9f5d-7a3f5c3b2a10", body: `{"type":"REVIVE",` + id + `}`, status: 400, say: "didn't match"},
		"garbage stream id":  {stream: strings.Repeat("x", 4000), body: `{"type":"REVIVE",` + id + `}`, status: 400},
		"kill of nothing":    {stream: f.stream, body: `{"type":"KILL",` + id + `}`, status: 400, say: "kill"},
		"accept of nothing":  {stream: f.stream, body: `{"type":"ACCEPT",` + id + `}`, status: 400, say: "accept"},
		"uuid of two bytes":  {stream: f.stream, body: `{"type":"ACKNOWLEDGE",` + id + `,"acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"YWI="}}`, status: 400, say: "UUID"},
		"uuid that is none":  {stream: f.stream, body: `{"type":"ACKNOWLEDGE",` + id + `,"acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"?"}}`, status: 400},
		"task without an id": {stream: f.stream, body: `{"type":"KILL",` + id + `,"kill":{"task_id":{}}}`, status: 400, say: "value"},
		"type UNKNOWN":       {stream: f.stream, body: `{"type":"UNKNOWN",` + id + `}`, status: 501},
		"what is unknown":    {stream: f.stream, body: `{"type":"REVIVE",` + id + `,"colour":"red"}`, status: 202},
	} {
		if r := call(one.stream, one.body); r.status != one.status || !strings.Contains(r.body, one.say) {
			t.Errorf("%s: %d %.200q, want %d and %q", name, r.status, r.body, one.status, one.say)
		}
	}
	var metrics map[string]float64
	if err := c.get("/metrics/snapshot", &metrics); err != nil || metrics["master/invalid_status_update_acknowledgements"] != 1 {
		t.Errorf("invalid acknowledgements: %v %v", metrics["master/invalid_status_update_acknowledgements"], err)
	}
	f.disconnect()
	c.awaitFramework(f, func(x listedFramework) bool { return !x.Connected })
	if r := call(f.stream, `{"type":"REVIVE",`+id+`}`); r.status != http.StatusForbidden || !strings.Contains(r.body, "not subscribed") {
		t.Errorf("after the stream was closed: %d %s", r.status, r.body)
	}
}

// A framework that is described wrongly gets an ERROR event and nothing else.
func TestRefusedFrameworks(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{master: "root_submissions = false"})
	multi := []*mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()}}
	for name, change := range map[string]func(*mesos.FrameworkInfo){
		"root":                     func(*mesos.FrameworkInfo) {},
		"role with a space":        func(i *mesos.FrameworkInfo) { i.User, i.Role = proto.String("nobody"), proto.String("a b") },
		"role dot":                 func(i *mesos.FrameworkInfo) { i.User, i.Role = proto.String("nobody"), proto.String(".") },
		"roles without capability": func(i *mesos.FrameworkInfo) { i.User, i.Roles = proto.String("nobody"), []string{"a"} },
		"role with capability": func(i *mesos.FrameworkInfo) {
			i.User, i.Role, i.Capabilities = proto.String("nobody"), proto.String("a"), multi
		},
		"failover timeout": func(i *mesos.FrameworkInfo) { i.User, i.FailoverTimeout = proto.String("nobody"), proto.Float64(1e300) },
		"offer filter": func(i *mesos.FrameworkInfo) {
			less := &mesos.OfferFilters_ResourceQuantities{Quantities: map[string]*mesos.Value_Scalar{"cpus": {Value: proto.Float64(-1)}}}
			i.User, i.OfferFilters = proto.String("nobody"), map[string]*mesos.OfferFilters{"*": {
				MinAllocatableResources: &mesos.OfferFilters_MinAllocatableResources{Quantities: []*mesos.OfferFilters_ResourceQuantities{less}},
			}}
		},
		"roles twice": func(i *mesos.FrameworkInfo) {
			i.User, i.Roles, i.Capabilities = proto.String("nobody"), []string{"a", "a"}, multi
		},
	} {
		f := newFramework(t, c, with(change))
		if err := f.subscribe(); err == nil || !strings.HasPrefix(err.Error(), "the first event is ERROR: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	checkNoFrameworks(t, c)
}

// Bodies beyond the limit are refused at once when they say their length, and when they do not as soon as it is
// passed. Streams that are cut off, or drip, hold nothing up.
func TestTooMuch(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	slow, err := net.Dial("tcp", c.address)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprint(slow, "POST "+schedulerPath+" HTTP/1.1\r\nHost: local")
	const limit = 16 << 20
	big := bytes.Repeat([]byte(" "), limit+1)
	r, err := request(http.MethodPost, c.address, schedulerPath, typeJSON, big)
	if err == nil && (r.status != http.StatusRequestEntityTooLarge || !strings.Contains(r.body, fmt.Sprint(limit))) {
		t.Errorf("a body of %d bytes: %d %s", len(big), r.status, r.body)
	}
	if r := rawRequest(t, c.address, "POST "+schedulerPath+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+typeJSON+"\r\nContent-Length: 99999999999\r\n\r\n"); !strings.HasPrefix(r, "HTTP/1.1 413 ") {
		t.Errorf("a length beyond the limit: %.200q", r)
	}
	if r := rawRequest(t, c.address, "POST "+schedulerPath+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+typeJSON+"\r\nX: "+strings.Repeat("x", 1<<17)+"\r\n\r\n"); !strings.HasPrefix(r, "HTTP/1.1 431 ") {
		t.Errorf("a header beyond the limit: %.200q", r)
	}
	if r := rawRequest(t, c.address, "\x00\x01\x02 nonsense\r\n\r\n"); !strings.HasPrefix(r, "HTTP/1.1 400 ") {
		t.Errorf("what is not HTTP: %.200q", r)
	}
	half, err := net.Dial("tcp", c.address)
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	fmt.Fprintf(half, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\n{", schedulerPath, typeJSON)
	f := subscribe(t, c)
	f.launch(shell("meanwhile", "exit 0"))
	f.end("meanwhile", "STARTING RUNNING FINISHED")
	// Whoever does not come to the end of a header is given up.
	_ = slow.SetDeadline(time.Now().Add(patience))
	if _, err := io.ReadAll(slow); err != nil {
		t.Errorf("a connection with half a header is open after %v: %v", patience, err)
	}
}

func rawRequest(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = conn.Write([]byte(text)) // it may be refused before it is read whole
	answer := make([]byte, 4096)
	n, _ := conn.Read(answer)
	return string(answer[:n])
}

// Paths that are read: what is there, and what is not.
func TestOperatorPaths(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	for address, paths := range map[string][]string{
		c.address:           {"/health", "/version", "/state", "/metrics", "/metrics/snapshot", "/slaves", "/frameworks", "/tasks", "/roles", "/flags", "/"},
		c.agents[0].address: {"/health", "/version", "/state", "/metrics", "/metrics/snapshot", "/containers", "/flags"},
	} {
		for _, p := range paths {
			if r := ask(t, http.MethodGet, address, p, "", nil); r.status != http.StatusOK {
				t.Errorf("%s%s: %d %s", address, p, r.status, r.body)
			}
		}
		for _, p := range []string{"/nothing", "/state.json", "/../etc/passwd"} {
			if r := ask(t, http.MethodGet, address, p, "", nil); r.status != http.StatusNotFound && r.status != http.StatusBadRequest {
				t.Errorf("%s%s: %d %s", address, p, r.status, r.body)
			}
		}
		for _, p := range []string{"/profiler/start", "/memory-profiler/state"} {
			if r := ask(t, http.MethodPost, address, p, typeJSON, nil); r.status != http.StatusNotImplemented {
				t.Errorf("%s%s: %d %s", address, p, r.status, r.body)
			}
		}
		if r := ask(t, http.MethodPost, address, "/api/v1", typeJSON, []byte(`{"type":"GET_HEALTH"}`)); r.status != http.StatusOK || !strings.Contains(r.body, `"healthy":true`) {
			t.Errorf("GET_HEALTH: %d %s", r.status, r.body)
		}
		if r := ask(t, http.MethodPost, address, "/api/v1", typeJSON, []byte(`{"type":"FLY"}`)); r.status != http.StatusBadRequest {
			t.Errorf("an unknown operator call: %d %s", r.status, r.body)
		}
	}
	if r := ask(t, http.MethodGet, c.address, "/metrics", "", nil); !strings.Contains(r.body, "# TYPE ") || !strings.Contains(r.body, "master") {
		t.Errorf("/metrics: %.300s", r.body)
	}
	var metrics map[string]float64
	if err := c.get("/metrics/snapshot", &metrics); err != nil || metrics["master/elected"] != 1 || metrics["master/slaves_active"] != 1 {
		t.Errorf("/metrics/snapshot: %v %v", metrics, err)
	}
}
