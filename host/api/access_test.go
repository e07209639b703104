package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

func basic(t *testing.T) *access.Basic {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials.json")
	data := `{"credentials": [{"principal": "alice", "secret": "a"}, {"principal": "bob", "secret": "b"}]}`
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := access.LoadBasic(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func as(principal, secret string) []string {
	return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(principal+":"+secret))}
}

func TestAuthenticationRealms(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{authn: basic(t)})
	for path, realm := range map[string]string{
		"/state": "mesos-master-readonly", "/metrics/snapshot": "mesos-master-readonly", "/metrics": "mesos-master-readonly",
		"/flags": "mesos-master-readonly", "/tasks": "mesos-master-readonly", "/health": "", "/version": "", "/redirect": "", "/": "",
	} {
		resp, _ := c.do(t, "GET", path, "")
		if got := resp.Header.Get("WWW-Authenticate"); realm != "" && (resp.StatusCode != 401 || got != `Basic realm="`+realm+`"`) {
			t.Errorf("%s: %d %q", path, resp.StatusCode, got)
		}
		if realm == "" && resp.StatusCode == 401 {
			t.Errorf("%s asks for credentials", path)
		}
		if resp, _ := c.do(t, "GET", path, "", as("alice", "wrong")...); realm != "" && resp.StatusCode != 401 {
			t.Errorf("%s: %d with a wrong secret", path, resp.StatusCode)
		}
		if resp, _ := c.do(t, "GET", path, "", as("alice", "a")...); resp.StatusCode == 401 {
			t.Errorf("%s: 401 with good credentials", path)
		}
	}
	for path, realm := range map[string]string{
		schedulerPath: "mesos-master-scheduler", "/api/v1": "mesos-master-readwrite", "/teardown": "mesos-master-readwrite",
	} {
		if resp, _ := c.post(t, path, "{}"); resp.Header.Get("WWW-Authenticate") != `Basic realm="`+realm+`"` {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
}

func TestCredentialsAreIgnoredWithoutAuthentication(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	if resp, _ := c.do(t, "GET", "/state", "", as("", "")...); resp.StatusCode != 200 {
		t.Errorf("%s", resp.Status)
	}
}

func TestPrincipalBinding(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{authn: basic(t)})
	resp, text := c.post(t, schedulerPath,
		`{"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "x", "principal": "alice"}}}`, as("bob", "b")...)
	want := "Authenticated principal 'bob' does not match principal 'alice' set in `FrameworkInfo`"
	if resp.StatusCode != 400 || text != want {
		t.Errorf("%d %q", resp.StatusCode, text)
	}
	s := c.subscribe(t, `{"user": "root", "name": "x"}`, as("alice", "a")...)
	if got := c.loop.State().Framework(s.framework).Principal; got != "alice" {
		t.Errorf("principal %q", got)
	}
	body := `{"type": "REVIVE", "framework_id": {"value": "` + s.framework + `"}}`
	if resp, text := c.post(t, schedulerPath, body, append(as("bob", "b"), "Mesos-Stream-Id", s.stream)...); resp.StatusCode != 400 || text != want {
		t.Errorf("another's call: %d %q", resp.StatusCode, text)
	}
	if resp, _ := c.post(t, schedulerPath, body, append(as("alice", "a"), "Mesos-Stream-Id", s.stream)...); resp.StatusCode != 202 {
		t.Errorf("own call: %s", resp.Status)
	}
}

func TestDeniedSubscription(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{auth: &policy{deny: func(_ authorizer.Subject, a authorizer.Action, o map[string]any) string {
		if a == authorizer.RegisterFramework && o["name"] == "secret" {
			return "rule roles.rego:7"
		}
		return ""
	}}})
	s := c.open(t, `{"user": "root", "name": "x", "roles": ["open", "secret"], "capabilities": [{"type": "MULTI_ROLE"}]}`)
	if got := dig(s.next(), "error", "message"); got != "Not authorized to use role 'secret': rule roles.rego:7" {
		t.Errorf("%v", got)
	}
	c.subscribe(t, `{"user": "root", "name": "x", "roles": ["open"], "capabilities": [{"type": "MULTI_ROLE"}]}`)
}

func TestDeniedTask(t *testing.T) {
	t.Parallel()
	var seen map[string]any
	var mu sync.Mutex
	c := newCluster(t, options{auth: &policy{deny: func(_ authorizer.Subject, a authorizer.Action, o map[string]any) string {
		if a != authorizer.RunTask {
			return ""
		}
		mu.Lock()
		defer mu.Unlock()
		seen = o
		if o["id"] == "bad" {
			return "no task may be called bad"
		}
		return ""
	}}})
	c.addAgent(t, "cpus:4;mem:4096;disk:1000", "127.0.0.1:5051")
	s := c.subscribe(t, `{"user": "root", "name": "x", "labels": {"labels": [{"key": "team", "value": "eng"}]}}`)
	s.launch(s.wait("OFFERS"), "bad", "run")
	status := dig(s.wait("UPDATE"), "update", "status").(map[string]any)
	if status["state"] != "TASK_ERROR" || status["reason"] != "REASON_TASK_UNAUTHORIZED" || status["uuid"] != nil ||
		!strings.Contains(status["message"].(string), "Not authorized to launch task 'bad' as user 'root': no task may be called bad") {
		t.Errorf("%v", status)
	}
	s.launch(s.wait("OFFERS"), "good", "run")
	s.update("good", "TASK_RUNNING")
	mu.Lock()
	defer mu.Unlock()
	if seen["user"] != "root" || seen["role"] != "*" || dig(seen, "labels", "a") != "b" || dig(seen, "framework", "labels", "team") != "eng" {
		t.Errorf("asked about %v", seen)
	}
}

// TestAuthorizerDown: what needs a decision is refused, what needs none goes on.
func TestAuthorizerDown(t *testing.T) {
	t.Parallel()
	p := &policy{}
	c := newCluster(t, options{auth: p})
	c.addAgent(t, "cpus:4;mem:4096;disk:1000", "127.0.0.1:5051")
	s := c.subscribe(t, `{"user": "root", "name": "x"}`)
	offers := s.wait("OFFERS")
	s.launch(offers, "before", "run")
	s.update("before", "TASK_RUNNING")
	offer := dig(dig(s.wait("OFFERS"), "offers", "offers").([]any)[0], "id", "value").(string)
	p.setDown(true)
	launch := `{"type": "ACCEPT", "accept": {"offer_ids": [{"value": "` + offer + `"}], "operations": [{"type": "LAUNCH", "launch": {"task_infos": [{
		"name": "t", "task_id": {"value": "t"}, "agent_id": {"value": "a"}, "command": {"value": "run"}}]}}]}}`
	if status, text := s.call(launch); status != 503 || !strings.Contains(text, "it has died") {
		t.Errorf("ACCEPT: %d %q", status, text)
	}
	for _, path := range []string{"/state", "/frameworks", "/tasks", "/flags", "/metrics/snapshot"} {
		resp, _ := c.do(t, "GET", path, "")
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
	if resp, _ := c.post(t, "/api/v1", `{"type": "GET_TASKS"}`); resp.StatusCode != 503 {
		t.Errorf("GET_TASKS: %s", resp.Status)
	}
	if resp, _ := c.post(t, schedulerPath, `{"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "u", "name": "n"}}}`); resp.StatusCode != 503 {
		t.Errorf("SUBSCRIBE: %s", resp.Status)
	}
	for _, path := range []string{"/health", "/version"} {
		if resp, _ := c.do(t, "GET", path, ""); resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	s.accept(`{"type": "KILL", "kill": {"task_id": {"value": "before"}}}`)
	s.update("before", "TASK_KILLED")
	p.setDown(false)
	s.launch(s.wait("OFFERS"), "after", "run")
	s.update("after", "TASK_RUNNING")
}

func TestHealthTellsWhy(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var problems []string
	c := newCluster(t, options{change: func(m *api.MasterConfig) {
		m.Problems = func() []string {
			mu.Lock()
			defer mu.Unlock()
			return problems
		}
	}})
	if resp, body := c.do(t, "GET", "/health", ""); resp.StatusCode != 200 || body != "" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	mu.Lock()
	problems = []string{`allocator "drf" has failed: exit status 1`}
	mu.Unlock()
	if resp, body := c.do(t, "GET", "/health", ""); resp.StatusCode != 503 || body != problems[0]+"\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if _, body := c.post(t, "/api/v1", `{"type": "GET_HEALTH"}`); body != `{"type":"GET_HEALTH","get_health":{"healthy":false}}` {
		t.Errorf("GET_HEALTH: %s", body)
	}
}

// TestOnlyOwnTasksAreSeen has two users, each of whom may see what has their principal, by a predicate and by
// asking about each object.
func TestOnlyOwnTasksAreSeen(t *testing.T) {
	t.Parallel()
	own := func(s authorizer.Subject, a authorizer.Action) *authorizer.FilterAnswer {
		switch a {
		case authorizer.ViewFramework:
			p := authorizer.Compare(authorizer.Eq, authorizer.Field("principal"), authorizer.Const(authorizer.StringValue(s.Principal)))
			return &authorizer.FilterAnswer{Predicate: p, Revision: "r1"}
		case authorizer.ViewTask:
			p := authorizer.Negate(authorizer.Compare(authorizer.Eq, authorizer.Field("labels", "hidden"), authorizer.Const(authorizer.StringValue("yes"))))
			return &authorizer.FilterAnswer{Predicate: p, Revision: "r1"}
		case authorizer.ViewFlags:
			return &authorizer.FilterAnswer{Predicate: authorizer.Never(), Revision: "r1"}
		}
		return nil
	}
	batches := func(_ authorizer.Subject, a authorizer.Action) *authorizer.FilterAnswer {
		return &authorizer.FilterAnswer{NeedsBatch: a == authorizer.ViewFramework, Predicate: authorizer.Always(), Revision: "r1"}
	}
	for name, p := range map[string]*policy{
		"predicate": {filter: own},
		"batch": {filter: batches, deny: func(s authorizer.Subject, a authorizer.Action, o map[string]any) string {
			if a == authorizer.ViewFramework && o["principal"] != s.Principal {
				return "not yours"
			}
			return ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, options{auth: p, authn: basic(t)})
			c.addAgent(t, "cpus:4;mem:4096;disk:1000", "127.0.0.1:5051")
			c.subscribe(t, `{"user": "root", "name": "of-alice"}`, as("alice", "a")...)
			c.subscribe(t, `{"user": "root", "name": "of-bob"}`, as("bob", "b")...)
			for who, want := range map[string]string{"alice": "of-alice", "bob": "of-bob"} {
				for _, path := range []string{"/state", "/frameworks", "/state-summary"} {
					_, body := c.do(t, "GET", path, "", as(who, who[:1])...)
					var got struct{ Frameworks []struct{ Name string } }
					if err := json.Unmarshal([]byte(body), &got); err != nil {
						t.Fatal(err)
					}
					if len(got.Frameworks) != 1 || got.Frameworks[0].Name != want {
						t.Errorf("%s sees in %s %v", who, path, got.Frameworks)
					}
				}
				_, body := c.post(t, "/api/v1", `{"type": "GET_FRAMEWORKS"}`, as(who, who[:1])...)
				if !strings.Contains(body, want) || strings.Count(body, `"framework_info"`) != 1 {
					t.Errorf("%s sees in GET_FRAMEWORKS %s", who, body)
				}
			}
			_, body := c.do(t, "GET", "/state", "", as("alice", "a")...)
			if strings.Contains(body, `"flags"`) != (name == "batch") {
				t.Errorf("flags in %s", body)
			}
		})
	}
}

func TestHiddenTasksAndRoles(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{auth: &policy{filter: func(_ authorizer.Subject, a authorizer.Action) *authorizer.FilterAnswer {
		var p authorizer.Predicate
		switch a {
		case authorizer.ViewTask:
			p = authorizer.Compare(authorizer.Eq, authorizer.Field("name"), authorizer.Const(authorizer.StringValue("done-1")))
		case authorizer.ViewRole:
			p = authorizer.Compare(authorizer.Ne, authorizer.Field("name"), authorizer.Const(authorizer.StringValue("eng/dev")))
		default:
			return nil
		}
		return &authorizer.FilterAnswer{Predicate: p, Revision: "r1"}
	}}})
	populate(t, c)
	_, body := c.do(t, "GET", "/tasks", "")
	if strings.Contains(body, "run-1") || strings.Contains(body, "old-1") || !strings.Contains(body, "done-1") {
		t.Errorf("/tasks: %s", body)
	}
	_, body = c.do(t, "GET", "/roles", "")
	if strings.Contains(body, "eng/dev") || !strings.Contains(body, `"name":"eng"`) {
		t.Errorf("/roles: %s", body)
	}
	_, body = c.do(t, "GET", "/slaves", "")
	var got struct {
		Slaves []struct {
			Used      map[string]any `json:"used_resources"`
			Resources map[string]any
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if a := got.Slaves[0]; a.Used["cpus"] != 0.0 || a.Resources["cpus"] != 4.0 {
		t.Errorf("/slaves: %+v", a)
	}
}

func TestGuards(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{hosts: []string{"mesos.example"}})
	for _, tt := range []struct {
		name, method, path string
		header             []string
		status             int
	}{
		{"another host", "GET", "/state", []string{"Host", "evil.example:5050"}, 403},
		{"a configured host", "GET", "/version", []string{"Host", "mesos.example"}, 200},
		{"loopback by name", "GET", "/version", []string{"Host", "localhost:5050"}, 200},
		{"loopback by address", "GET", "/version", []string{"Host", "[::1]:5050"}, 200},
		{"from another site", "POST", "/teardown", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"from another origin", "POST", schedulerPath, []string{"Origin", "http://evil.example", "Content-Type", "application/json"}, 403},
		{"reading from another site", "GET", "/version", []string{"Sec-Fetch-Site", "cross-site"}, 200},
	} {
		if resp, body := c.do(t, tt.method, tt.path, "", tt.header...); resp.StatusCode != tt.status {
			t.Errorf("%s: %d %q", tt.name, resp.StatusCode, body)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{limits: endpoint.Limits{Body: 1000, BodyTimeout: time.Minute}})
	long := `{"type": "SUBSCRIBE", "x": "` + strings.Repeat("y", 2000) + `"}`
	resp, text := c.post(t, schedulerPath, long)
	if resp.StatusCode != 413 || text != "The request's body is longer than 1000 bytes" {
		t.Errorf("%d %q", resp.StatusCode, text)
	}
	raw := dial(t, c)
	writeAll(t, raw, "POST /api/v1/scheduler HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk(long)+"0\r\n\r\n")
	buf := make([]byte, 12)
	if _, err := raw.Read(buf); err != nil || string(buf) != "HTTP/1.1 413" {
		t.Errorf("chunked: %q %v", buf, err)
	}
}

// TestBodyThatDoesNotCome does not hold a connection for ever, whatever else is wrong with its request. One that has
// come puts no end to the stream that answers it.
func TestBodyThatDoesNotCome(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{limits: endpoint.Limits{Body: 1000, BodyTimeout: 100 * time.Millisecond}, noOffers: true})
	s := c.subscribe(t, `{"user": "root", "name": "x"}`)
	for want, header := range map[string]string{
		"400": "POST /api/v1/scheduler HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json",
		"415": "POST /api/v1/scheduler HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain",
		"403": "POST /api/v1/scheduler HTTP/1.1\r\nHost: evil.example",
		"405": "PUT /api/v1/scheduler HTTP/1.1\r\nHost: localhost",
		"200": "POST /version HTTP/1.1\r\nHost: localhost",
	} {
		raw := dial(t, c)
		writeAll(t, raw, header+"\r\nContent-Length: 10\r\n\r\n{")
		if answer, err := io.ReadAll(raw); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+want) {
			t.Errorf("%s: %q %v", want, answer, err)
		}
	}
	s.accept(`{"type": "RECONCILE", "reconcile": {"tasks": [{"task_id": {"value": "x"}}]}}`)
	s.wait("UPDATE")
}

func TestBytesThatAreNotHTTP(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	raw := dial(t, c)
	writeAll(t, raw, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
	data := make([]byte, 1024)
	for {
		if _, err := raw.Read(data); err != nil {
			break // the connection is closed
		}
	}
	if resp, _ := c.do(t, "GET", "/health", ""); resp.StatusCode != 200 {
		t.Errorf("afterwards: %s", resp.Status)
	}
}

// syncBuffer is a buffer that several goroutines write to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestAudit(t *testing.T) {
	t.Parallel()
	out := &syncBuffer{}
	c := newCluster(t, options{
		authn: basic(t), auth: &policy{deny: func(_ authorizer.Subject, a authorizer.Action, _ map[string]any) string {
			if a == authorizer.TeardownFramework {
				return "only the owner may"
			}
			return ""
		}},
		change: func(m *api.MasterConfig) { m.Log = slog.New(slog.NewTextHandler(out, nil)) },
	})
	s := c.subscribe(t, `{"user": "root", "name": "x", "failover_timeout": 60}`, as("alice", "a")...)
	resp, text := c.post(t, "/api/v1", `{"type": "TEARDOWN", "teardown": {"framework_id": {"value": "`+s.framework+`"}}}`, as("bob", "b")...)
	if resp.StatusCode != http.StatusForbidden || text != "Principal 'bob' is not authorized to teardown_framework: only the owner may" {
		t.Errorf("%d %q", resp.StatusCode, text)
	}
	for _, want := range []string{
		`msg=audit principal=alice address=`, `action=SUBSCRIBE object="framework \"x\"" decision=allowed revision=r1`,
		`action=TEARDOWN object="framework ` + s.framework + `" reason=`, `decision=denied revision=r1`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

func TestAnswersAreRememberedUntilThePolicyChanges(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[authorizer.Action]int{}
	p := &policy{filter: func(_ authorizer.Subject, a authorizer.Action) *authorizer.FilterAnswer {
		mu.Lock()
		defer mu.Unlock()
		asked[a]++
		return &authorizer.FilterAnswer{Predicate: authorizer.Always(), Revision: "r1", ValidUntil: time.Now().Add(time.Hour)}
	}}
	control := access.NewControl(p)
	followed := make(chan struct{}, 1)
	go control.Run(t.Context(), func(authorizer.Revision) { followed <- struct{}{} })
	<-followed
	c := newCluster(t, options{change: func(m *api.MasterConfig) { m.Control = control }})
	for range 5 {
		c.do(t, "GET", "/roles", "")
	}
	mu.Lock()
	defer mu.Unlock()
	if asked[authorizer.ViewRole] != 1 {
		t.Errorf("asked %d times", asked[authorizer.ViewRole])
	}
}
