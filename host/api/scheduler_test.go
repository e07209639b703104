package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/api"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/stream"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/recordio"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

const schedulerPath = "/api/v1/scheduler"

// TestSchedulerRefusals has the answers that a Mesos gives to calls that are wrong in shape.
func TestSchedulerRefusals(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	sub := `{"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "x"}}}`
	typeJSON := []string{"Content-Type", "application/json"}
	for _, tt := range []struct {
		name, method, body string
		header             []string
		status             int
		text               string
	}{
		{"put", "PUT", sub, typeJSON, 405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'PUT'."},
		{"no content type", "POST", sub, nil, 400, "Expecting 'Content-Type' to be present"},
		{"text", "POST", sub, []string{"Content-Type", "text/plain"}, 415, "Expecting 'Content-Type' of application/json or application/x-protobuf"},
		{"latin1", "POST", sub, []string{"Content-Type", "application/json; charset=latin1"}, 415, "Expecting 'Content-Type' of application/json or application/x-protobuf"},
		{"bad accept", "POST", sub, []string{"Content-Type", "application/json", "Accept", "text/html"}, 406, "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'"},
		{"cut short", "POST", `{"type": "SUBSCRIBE", `, typeJSON, 400, "Failed to parse body into JSON: syntax error at line 1 near: "},
		{"a string", "POST", `"x"`, typeJSON, 400, "Failed to convert JSON into Call protobuf: Expecting a JSON object"},
		{"no type", "POST", `{}`, typeJSON, 400, "Failed to validate scheduler::Call: Expecting 'type' to be present"},
		{"type unknown to us", "POST", `{"type": "NOPE"}`, typeJSON, 400, "Failed to validate scheduler::Call: Expecting 'type' to be present"},
		{"type UNKNOWN", "POST", `{"type": "UNKNOWN"}`, typeJSON, 400, "Failed to validate scheduler::Call: Expecting 'framework_id' to be present"},
		{"type a number", "POST", `{"type": 1}`, typeJSON, 400, "Failed to convert JSON into Call protobuf: Not expecting a JSON number for field 'type'"},
		{"id a string", "POST", `{"type": "REVIVE", "framework_id": "x"}`, typeJSON, 400, "Failed to convert JSON into Call protobuf: Not expecting a JSON string for field 'framework_id'"},
		{"garbage", "POST", "\xff\xff\xff", []string{"Content-Type", "application/x-protobuf"}, 400, "Failed to parse body into Call protobuf"},
		{"no subscribe", "POST", `{"type": "SUBSCRIBE"}`, typeJSON, 400, "Failed to validate scheduler::Call: Expecting 'subscribe' to be present"},
		{"no name", "POST", `{"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "x"}}}`, typeJSON, 400, "Failed to convert JSON into Call protobuf: Missing required fields: subscribe.framework_info.name"},
		{"ids differ", "POST", `{"type": "SUBSCRIBE", "framework_id": {"value": "b"}, "subscribe": {"framework_info": {"user": "u", "name": "x", "id": {"value": "a"}}}}`, typeJSON, 400, "Failed to validate scheduler::Call: 'framework_id' differs from 'subscribe.framework_info.id'"},
		{"subscribe with a stream id", "POST", sub, []string{"Content-Type", "application/json", "Mesos-Stream-Id", "497d3ee9-db87-43c7-a50a-ad072a5e4f6f"}, 400, "Subscribe calls should not include the 'Mesos-Stream-Id' header"},
		{"no framework id", "POST", `{"type": "DECLINE", "decline": {"offer_ids": []}}`, typeJSON, 400, "Failed to validate scheduler::Call: Expecting 'framework_id' to be present"},
		{"unknown framework", "POST", `{"type": "REVIVE", "bogus": 1, "framework_id": {"value": "x"}}`, typeJSON, 400, "Framework cannot be found"},
		{"empty stream id before subscribing", "POST", `{"type": "SUPPRESS", "suppress": null}`, []string{"Content-Type", "application/json", "Mesos-Stream-Id", ""}, 400, "Failed to validate scheduler::Call: Expecting 'framework_id' to be present"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			resp, body := c.do(t, tt.method, schedulerPath, tt.body, tt.header...)
			if resp.StatusCode != tt.status || body != tt.text {
				t.Errorf("got %d %q\nwant %d %q", resp.StatusCode, body, tt.status, tt.text)
			}
			if got := resp.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
			if allow := resp.Header.Get("Allow"); (allow == "POST") != (tt.status == 405) {
				t.Errorf("Allow %q", allow)
			}
		})
	}
}

func TestMissingParts(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	for kind, number := range scheduler.Call_Type_value {
		switch scheduler.Call_Type(number) {
		case scheduler.Call_UNKNOWN, scheduler.Call_SUBSCRIBE, scheduler.Call_TEARDOWN, scheduler.Call_REVIVE, scheduler.Call_SUPPRESS:
			continue
		}
		part := strings.ToLower(kind)
		resp, body := c.post(t, schedulerPath, `{"type": "`+kind+`", "framework_id": {"value": "x"}}`)
		want := "Failed to validate scheduler::Call: Expecting '" + part + "' to be present"
		if resp.StatusCode != 400 || body != want {
			t.Errorf("%s: %d %q", kind, resp.StatusCode, body)
		}
	}
}

// subscriber is a subscribed scheduler that speaks JSON.
type subscriber struct {
	t         *testing.T
	c         *cluster
	framework string
	stream    string
	resp      *http.Response
	events    *recordio.Reader
	// passed are offers that came while something else was waited for.
	passed map[string]any
}

func (c *cluster) subscribe(t *testing.T, info string, header ...string) *subscriber {
	t.Helper()
	s := c.open(t, info, header...)
	first := s.next()
	if first["type"] != "SUBSCRIBED" {
		t.Fatalf("first event %v", first)
	}
	s.framework = dig(first, "subscribed", "framework_id", "value").(string)
	if second := s.next(); second["type"] != "HEARTBEAT" {
		t.Fatalf("second event %v", second)
	}
	return s
}

// open begins a subscription whatever comes of it.
func (c *cluster) open(t *testing.T, info string, header ...string) *subscriber {
	t.Helper()
	var id struct{ ID json.RawMessage }
	if err := json.Unmarshal([]byte(info), &id); err != nil {
		t.Fatal(err)
	}
	body := `{"type": "SUBSCRIBE", "subscribe": {"framework_info": ` + info + `}`
	if id.ID != nil {
		body += `, "framework_id": ` + string(id.ID)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.server.URL+schedulerPath, strings.NewReader(body+"}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != 200 {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("SUBSCRIBE: %s %s", resp.Status, text)
	}
	return &subscriber{t: t, c: c, resp: resp, stream: resp.Header.Get("Mesos-Stream-Id"), events: recordio.NewReader(resp.Body, 1<<20)}
}

// next returns the next event.
func (s *subscriber) next() map[string]any {
	s.t.Helper()
	late := time.AfterFunc(time.Minute, func() { _ = s.resp.Body.Close() })
	defer late.Stop()
	record, err := s.events.Next()
	if err != nil {
		s.t.Fatalf("read event (of which there was none for a minute, if the body is closed): %v", err)
	}
	var event map[string]any
	if err := json.Unmarshal(record, &event); err != nil {
		s.t.Fatalf("%v in %s", err, record)
	}
	return event
}

// wait skips events until one of a type. Offers that an update passed over are not lost.
func (s *subscriber) wait(kind string) map[string]any {
	s.t.Helper()
	if kind == "OFFERS" && s.passed != nil {
		event := s.passed
		s.passed = nil
		return event
	}
	for {
		event := s.next()
		switch event["type"] {
		case kind:
			return event
		case "OFFERS":
			s.passed = event
		}
	}
}

// call makes a call and returns the status and the text.
func (s *subscriber) call(body string) (int, string) {
	s.t.Helper()
	body = `{"framework_id": {"value": "` + s.framework + `"}, ` + strings.TrimPrefix(body, "{")
	resp, text := s.c.post(s.t, schedulerPath, body, "Mesos-Stream-Id", s.stream)
	return resp.StatusCode, text
}

func (s *subscriber) accept(body string) {
	s.t.Helper()
	if status, text := s.call(body); status != 202 || text != "" {
		s.t.Fatalf("%s: %d %s", body, status, text)
	}
}

// launch accepts an offer with a task.
func (s *subscriber) launch(offers map[string]any, id, command string) {
	s.t.Helper()
	offer := dig(offers, "offers", "offers").([]any)[0]
	s.accept(`{"type": "ACCEPT", "accept": {"offer_ids": [{"value": "` + dig(offer, "id", "value").(string) + `"}],
		"filters": {"refuse_seconds": 0}, "operations": [{"type": "LAUNCH", "launch": {"task_infos": [{
			"name": "` + id + `", "task_id": {"value": "` + id + `"},
			"agent_id": {"value": "` + dig(offer, "agent_id", "value").(string) + `"},
			"command": {"value": "` + command + `"}, "labels": {"labels": [{"key": "a", "value": "b"}]},
			"resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
				{"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}]}]}}]}}`)
}

// update waits for a task's update of that state and acknowledges it.
func (s *subscriber) update(task, state string) {
	s.t.Helper()
	for {
		status := dig(s.wait("UPDATE"), "update", "status")
		got := dig(status, "task_id", "value").(string)
		if uuid, ok := status.(map[string]any)["uuid"]; ok {
			s.accept(`{"type": "ACKNOWLEDGE", "acknowledge": {"agent_id": {"value": "` + dig(status, "agent_id", "value").(string) +
				`"}, "task_id": {"value": "` + got + `"}, "uuid": "` + uuid.(string) + `"}}`)
		}
		if got == task && dig(status, "state") == state {
			return
		}
	}
}

// dig follows keys into decoded JSON.
func dig(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

func TestSubscription(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	c.addAgent(t, "cpus:4;mem:4096;disk:1000;ports:[31000-31009]", "127.0.0.1:5051")
	s := c.subscribe(t, `{"user": "root", "name": "first"}`)
	if got := s.resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	if s.resp.ContentLength != -1 || len(s.stream) != 36 {
		t.Errorf("Content-Length %d, stream id %q", s.resp.ContentLength, s.stream)
	}
	s.launch(s.wait("OFFERS"), "t1", "run")
	s.update("t1", "TASK_RUNNING")
	s.accept(`{"type": "KILL", "kill": {"task_id": {"value": "t1"}}}`)
	s.update("t1", "TASK_KILLED")

	for _, tt := range []struct {
		stream, body string
		status       int
		text         string
	}{
		{"", `{"type": "REVIVE"}`, 400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header"},
		{"garbage", `{"type": "REVIVE"}`, 400, "The stream ID 'garbage' included in this request didn't match the stream ID currently associated with framework ID " + s.framework},
		{s.stream, `{"type": "UNKNOWN"}`, 501, "Calls of type UNKNOWN are not implemented"},
		{s.stream, `{"type": "ACKNOWLEDGE", "acknowledge": {"agent_id": {"value": "a"}, "task_id": {"value": "t"}, "uuid": "AAAA"}}`, 400, "Failed to validate scheduler::Call: Not a valid UUID"},
		{s.stream, `{"type": "DECLINE", "decline": {}}`, 202, ""},
	} {
		header := []string{}
		if tt.stream != "" {
			header = []string{"Mesos-Stream-Id", tt.stream}
		}
		body := `{"framework_id": {"value": "` + s.framework + `"}, ` + tt.body[1:]
		resp, text := c.post(t, schedulerPath, body, header...)
		if resp.StatusCode != tt.status || text != tt.text {
			t.Errorf("%s: %d %q", tt.body, resp.StatusCode, text)
		}
		if tt.status == 202 && (resp.Header.Get("Content-Type") != "" || resp.Header.Get("Content-Length") != "0") {
			t.Errorf("202 with %v", resp.Header)
		}
	}

	s.accept(`{"type": "TEARDOWN"}`)
	for {
		if _, err := s.events.Next(); err != nil {
			if err != io.EOF {
				t.Errorf("stream ends with %v", err)
			}
			break
		}
	}
	if status, text := s.call(`{"type": "REVIVE"}`); status != 400 || text != "Framework cannot be found" {
		t.Errorf("after TEARDOWN: %d %q", status, text)
	}
	again := c.open(t, `{"user": "root", "name": "first", "id": {"value": "`+s.framework+`"}}`)
	if got := dig(again.next(), "error", "message"); got != "Framework has been removed" {
		t.Errorf("subscribing again: %v", got)
	}
}

func TestDisconnectedFrameworkIsForbidden(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	s := c.subscribe(t, `{"user": "root", "name": "x", "failover_timeout": 60}`)
	_ = s.resp.Body.Close()
	eventually(t, func() bool { return !c.loop.State().Framework(s.framework).Connected })
	if status, text := s.call(`{"type": "REVIVE"}`); status != 403 || text != "Framework is not subscribed" {
		t.Errorf("%d %q", status, text)
	}
	eventually(t, func() bool { return c.api.Streams().Len() == 0 })
}

func TestSecondSubscriptionWins(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	info := `{"user": "root", "name": "x", "failover_timeout": 60}`
	first := c.subscribe(t, info)
	second := c.subscribe(t, strings.TrimSuffix(info, "}")+`, "id": {"value": "`+first.framework+`"}}`)
	if second.framework != first.framework || second.stream == first.stream {
		t.Errorf("second is %s %s, first %s %s", second.framework, second.stream, first.framework, first.stream)
	}
	if got := dig(first.wait("ERROR"), "error", "message"); got != "Framework failed over" {
		t.Errorf("first was told %v", got)
	}
	if _, err := first.events.Next(); err != io.EOF {
		t.Errorf("first stream ends with %v", err)
	}
	if status, _ := first.call(`{"type": "REVIVE"}`); status != 400 {
		t.Errorf("call on the old stream: %d", status)
	}
	second.accept(`{"type": "REVIVE"}`)
}

func TestRefusedSubscriptionIsAnErrorOnTheStream(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	for info, want := range map[string]string{
		`{"user": "root", "name": "x", "role": "a b"}`:                                                           "'FrameworkInfo.role' is not a valid role: Role component 'a b' is invalid because it contains backspace or whitespace",
		`{"user": "root", "name": "x", "roles": ["a", "b"]}`:                                                     "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable",
		`{"user": "root", "name": "x", "role": "a", "capabilities": [{"type": "MULTI_ROLE"}]}`:                   "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable",
		`{"user": "root", "name": "x", "roles": ["a", "a"], "capabilities": [{"type": "MULTI_ROLE"}]}`:           "'FrameworkInfo.roles' contains duplicate items: { a }",
		`{"user": "root", "name": "x", "roles": ["ok/.."], "capabilities": [{"type": "MULTI_ROLE"}]}`:            "",
		`{"user": "root", "name": "x", "role": "-x"}`:                                                            "'FrameworkInfo.role' is not a valid role: Role component '-x' is invalid because it starts with a dash",
		`{"user": "root", "name": "x", "id": {"value": "a/b"}, "failover_timeout": 1, "role": "*", "roles": []}`: "",
	} {
		s := c.open(t, info)
		event := s.next()
		got, _ := dig(event, "error", "message").(string)
		if event["type"] != "ERROR" || want != "" && got != want {
			t.Errorf("%s: %v", info, event)
		}
		if _, err := s.events.Next(); err != io.EOF {
			t.Errorf("stream ends with %v", err)
		}
	}
}

func TestEachRecordIsOneChunk(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	c.addAgent(t, "cpus:4;mem:4096;disk:1000;ports:[31000-31009]", "127.0.0.1:5051")
	raw := dial(t, c)
	body := `{"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "x"}}}`
	writeAll(t, raw, "POST /master/api/v1/scheduler HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"+
		"Accept: application/json\r\nAccept: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk(body)+"0\r\n\r\n")
	r := bufio.NewReader(raw)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
	}
	for _, kind := range []string{"SUBSCRIBED", "HEARTBEAT", "OFFERS"} {
		got := readChunk(t, r)
		length, record, ok := strings.Cut(got, "\n")
		if !ok || length != itoa(len(record)) || !strings.HasPrefix(record, `{"type":"`+kind+`"`) || strings.Contains(record, "\n") {
			t.Fatalf("chunk %q", got)
		}
	}
}

func TestProtobufStream(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	call, err := proto.Marshal(&scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: frameworkInfo("pb")},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.server.URL+schedulerPath, strings.NewReader(string(call)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("Accept", "application/x-protobuf")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.Header.Get("Content-Type"); got != "application/x-protobuf" {
		t.Errorf("Content-Type %q", got)
	}
	record, err := recordio.NewReader(resp.Body, 1<<20).Next()
	if err != nil {
		t.Fatal(err)
	}
	event := &scheduler.Event{}
	if err := proto.Unmarshal(record, event); err != nil || event.GetType() != scheduler.Event_SUBSCRIBED {
		t.Fatalf("%v %v", event, err)
	}
	if len(event.GetSubscribed().GetMasterInfo().GetCapabilities()) != 0 {
		t.Error("schedulers are sent capabilities that clients exist that do not know")
	}
}

func TestSlowSchedulerIsDropped(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{noOffers: true, change: func(m *api.MasterConfig) {
		m.StreamLimit = stream.Limit{Records: 2000, Bytes: 1 << 20}
	}})
	s := c.subscribe(t, `{"user": "root", "name": "slow", "failover_timeout": 60}`)
	// Nobody reads the stream from here on, and each RECONCILE brings an answer of a few kilobytes, until the
	// connection's buffers and then the stream's bound are full.
	name := strings.Repeat("x", 200)
	for i := range 200_000 {
		status, _ := s.call(`{"type": "RECONCILE", "reconcile": {"tasks": [` + strings.Repeat(`{"task_id": {"value": "`+name+`1"}},`, 300) +
			`{"task_id": {"value": "last"}}]}}`)
		if status == 403 {
			break
		}
		if i > 5_000 {
			t.Fatal("the stream is still open")
		}
	}
	if c.loop.State().Framework(s.framework).Connected {
		t.Error("the framework is still connected")
	}
	eventually(t, func() bool { return c.api.Streams().Len() == 0 })
}

func TestNotTheLeader(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	for _, tt := range []struct {
		now              endpoint.Leader
		method, path     string
		status           int
		location, text   string
		header, wantNone string
	}{
		{endpoint.Leader{Address: "other:5050"}, "POST", schedulerPath + "?a=b", 307, "//other:5050" + schedulerPath + "?a=b", "", "", ""},
		{endpoint.Leader{Address: "other:5050"}, "GET", "/master/state", 307, "//other:5050/master/state", "", "", ""},
		{endpoint.Leader{Address: "other:5050"}, "GET", "/redirect", 307, "//other:5050", "", "", ""},
		{endpoint.Leader{Address: "other:5050"}, "GET", "/master/redirect", 307, "//other:5050", "", "", ""},
		{endpoint.Leader{Address: "other:5050"}, "GET", "/health", 200, "", "", "", ""},
		{endpoint.Leader{}, "POST", schedulerPath, 503, "", "No leader elected", "Retry-After", ""},
		{endpoint.Leader{}, "GET", "/redirect", 503, "", "No leader elected", "Retry-After", ""},
		{endpoint.Leader{Self: true}, "POST", "/api/v1", 503, "", "Master has not finished recovery", "Retry-After", ""},
		{endpoint.Leader{Self: true, Ready: true, Address: "localhost:5050"}, "GET", "/redirect/x", 404, "", "404 Not Found.", "", ""},
	} {
		c.leader.set(tt.now)
		resp, text := c.do(t, tt.method, tt.path, "", "Content-Type", "application/json")
		if resp.StatusCode != tt.status || resp.Header.Get("Location") != tt.location || text != tt.text {
			t.Errorf("%s: %d %q %q", tt.path, resp.StatusCode, resp.Header.Get("Location"), text)
		}
		if tt.header != "" && resp.Header.Get(tt.header) == "" {
			t.Errorf("%s: no %s", tt.path, tt.header)
		}
	}
}

func TestCallsTakeEffectInOrder(t *testing.T) {
	t.Parallel()
	slow := slowPolicy()
	c := newCluster(t, options{auth: slow, noOffers: true})
	s := c.subscribe(t, `{"user": "root", "name": "x", "roles": ["fast"], "capabilities": [{"type": "MULTI_ROLE"}]}`)
	// The update waits for a slow decision; the suppression behind it, which needs none, must not overtake it.
	updated := make(chan int, 1)
	go func() {
		status, _ := s.call(`{"type": "UPDATE_FRAMEWORK", "update_framework": {"framework_info": {"user": "root", "name": "x",
			"id": {"value": "` + s.framework + `"}, "roles": ["fast", "slow"], "capabilities": [{"type": "MULTI_ROLE"}]}}}`)
		updated <- status
	}()
	eventually(t, func() bool { return slow.asked("slow") })
	s.accept(`{"type": "SUPPRESS", "suppress": {"roles": ["slow"]}}`)
	if status := <-updated; status != 200 {
		t.Fatalf("UPDATE_FRAMEWORK: %d", status)
	}
	eventually(t, func() bool { return c.loop.State().Framework(s.framework).IsSuppressed("slow") })
}
