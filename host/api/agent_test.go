package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/api"
	"github.com/mezzo-cluster/mezzo/host/clock"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	agentv1 "github.com/mezzo-cluster/mezzo/sdk/mesos/v1/agent"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// machine is a real agent's state machine, stepped by the test, behind the real API.
type machine struct {
	t      *testing.T
	agent  *agent.Agent
	server *httptest.Server
	steps  int
	specs  map[string]containerizer.Spec
	// unmeasured are the containers whose usage is not known, for the reason unmeasurable.
	unmeasured   []string
	unmeasurable error
	log          bytes.Buffer
}

// State returns the agent's state.
func (m *machine) State() *agent.State { return m.agent.State() }

// Usage is what every container uses that is measured.
func (m *machine) Usage(_ context.Context, ids []string) (map[string]isolator.Usage, error) {
	all := map[string]isolator.Usage{}
	for _, id := range ids {
		if slices.Contains(m.unmeasured, id) {
			continue
		}
		all[id] = isolator.Usage{
			Timestamp: time.Unix(1, 0), CPUsUserTimeSecs: proto.Float64(0.5), CPUsSystemTimeSecs: proto.Float64(0.25),
			CPUsSoftLimit: proto.Float64(0.1), MemLimitBytes: proto.Uint64(32 << 20), MemSoftLimitBytes: proto.Uint64(32 << 20),
			MemRSSBytes: proto.Uint64(1 << 20),
		}
	}
	return all, m.unmeasurable
}

func newMachine(t *testing.T, auth authorizer.Authorizer) *machine {
	t.Helper()
	total, err := resource.Parse("cpus:4;mem:4096;disk:1000;ports:[31000-31009]", resource.DefaultRole)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, specs: map[string]containerizer.Spec{}}
	m.agent = agent.New(agent.Config{
		Info: &mesos.AgentInfo{
			Hostname: proto.String("localhost"), Port: proto.Int32(5051),
			Resources: wire.ToMesos(total, wire.Format{RefinedReservations: true}),
		},
		Resources: total, Capabilities: []mesos.AgentInfo_Capability_Type{mesos.AgentInfo_Capability_MULTI_ROLE},
		Version: "test", Instance: "i", Address: "127.0.0.1:5051", WorkDir: t.TempDir(), Random: rand.New(rand.NewPCG(1, 2)),
	}, agent.Recovered{}, m.clock())
	m.step(agent.Started{})
	master, err := proto.Marshal(&mesos.MasterInfo{
		Id: proto.String("m"), Ip: proto.Uint32(1), Port: proto.Uint32(5050), Hostname: proto.String("master-host"),
	})
	if err != nil {
		t.Fatal(err)
	}
	m.step(agent.MasterConnected{Conn: "c", Epoch: 1, Address: "127.0.0.1:5052", Welcome: &linkv1.Welcome{MasterInfo: master}})
	m.hear(&linkv1.ToAgent{Body: &linkv1.ToAgent_Registered{Registered: &linkv1.Registered{
		AgentId: "m-S0", PingIntervalNanoseconds: int64(time.Minute), MaxMissedPings: 5,
	}}})
	handler := api.NewAgent(api.AgentConfig{
		Common: api.Common{
			Control: access.NewControl(auth), Started: time.Now(), Flags: map[string]string{"port": "5051"},
			Log: slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &m.log), &slog.HandlerOptions{Level: slog.LevelWarn})),
		},
		Agent: m,
	})
	m.server = httptest.NewServer(handler)
	t.Cleanup(m.server.Close)
	return m
}

func (m *machine) clock() clock.Time {
	return clock.Time{Wall: time.Now(), Mono: time.Duration(m.steps) * time.Millisecond}
}

// step steps the machine and answers what it asks of the disk.
func (m *machine) step(events ...agent.Event) {
	for len(events) > 0 {
		event := events[0]
		events = events[1:]
		m.steps++
		for _, effect := range m.agent.Step(m.clock(), event) {
			switch e := effect.(type) {
			case agent.Sync:
				events = append(events, agent.Synced{ID: e.ID})
			case agent.Launch:
				m.specs[e.Spec.Task] = e.Spec
			}
		}
	}
}

func (m *machine) hear(msg *linkv1.ToAgent) {
	msg.Epoch = 1
	m.step(agent.MasterMessage{Conn: "c", Msg: msg})
}

// run launches a task and makes its sandbox, as a containerizer would.
func (m *machine) run(framework, task string) containerizer.Spec {
	m.t.Helper()
	info, err := proto.Marshal(&mesos.FrameworkInfo{
		User: proto.String("root"), Name: proto.String("x"), Id: &mesos.FrameworkID{Value: &framework},
		Principal: proto.String("p-" + framework), FailoverTimeout: proto.Float64(0), Checkpoint: proto.Bool(true), Hostname: proto.String("h"),
		WebuiUrl: proto.String("http://x/"), Roles: []string{"eng"},
		Capabilities: []*mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()}},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	resources, err := resource.Parse("cpus:0.1;mem:32", resource.DefaultRole)
	if err != nil {
		m.t.Fatal(err)
	}
	work, err := proto.Marshal(&mesos.TaskInfo{
		Name: &task, TaskId: &mesos.TaskID{Value: &task}, AgentId: &mesos.AgentID{Value: proto.String("m-S0")},
		Command:   &mesos.CommandInfo{Value: proto.String("sleep 1000")},
		Resources: wire.ToMesos(resources.Allocate("*"), wire.Format{RefinedReservations: true, AllocationInfo: true}),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.hear(&linkv1.ToAgent{Body: &linkv1.ToAgent_RunTask{RunTask: &linkv1.RunTask{FrameworkInfo: info, TaskInfo: work}}})
	spec, ok := m.specs[task]
	if !ok {
		m.t.Fatalf("task %s was not launched", task)
	}
	if err := os.MkdirAll(spec.Sandbox, 0o755); err != nil {
		m.t.Fatal(err)
	}
	m.step(agent.ContainerEvent{Event: containerizer.Started{ID: spec.ID, Pid: 4711}})
	return spec
}

func (m *machine) get(t *testing.T, path string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return respond(t, r, header...)
}

func (m *machine) post(t *testing.T, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.server.URL+"/slave(1)/api/v1", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return respond(t, r, "Content-Type", "application/json")
}

func respond(t *testing.T, r *http.Request, header ...string) (*http.Response, string) {
	t.Helper()
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}

func TestAgentDocuments(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	spec := m.run("F1", "t1")
	all := shapes(t)
	for path, name := range map[string]string{
		"/state": "agent_state", "/slave(1)/state": "agent_state", "/containers": "agent_containers", "/version": "version",
		"/metrics/snapshot": "metrics_agent",
	} {
		resp, body := m.get(t, path)
		var got any
		if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %s %v %s", path, resp.Status, err, body)
		}
		want := all[name]
		if name == "metrics_agent" {
			delete(want.(map[string]any), "containerizer/fetcher/task_fetches_failed") // the fetcher adds these
			delete(want.(map[string]any), "containerizer/fetcher/task_fetches_succeeded")
		}
		compare(t, want, got, path)
	}
	_, body := m.get(t, "/state")
	var state struct {
		ID, Pid    string
		Frameworks []struct {
			Executors []struct {
				ID, Container, Directory string
				Tasks                    []struct{ ID, State string }
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &state); err != nil {
		t.Fatal(err)
	}
	if state.ID != "m-S0" || state.Pid != "slave(1)@127.0.0.1:5051" || len(state.Frameworks) != 1 {
		t.Fatalf("%+v", state)
	}
	x := state.Frameworks[0].Executors[0]
	if x.ID != "t1" || x.Container != spec.ID || x.Directory != spec.Sandbox || len(x.Tasks) != 1 || x.Tasks[0].State != "TASK_RUNNING" {
		t.Errorf("executor %+v", x)
	}
	_, body = m.get(t, "/monitor/statistics")
	if !strings.HasPrefix(body, `[{"executor_id":"t1",`) || !strings.Contains(body, `"mem_rss_bytes":1048576`) {
		t.Errorf("/monitor/statistics: %s", body)
	}
	for path, status := range map[string]int{"/": 404, "/nope": 404, "/state.json": 404, "/health": 200, "/slave(1)/health": 200, "/slave(2)/health": 404} {
		if resp, _ := m.get(t, path); resp.StatusCode != status {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// TestUsageNotKnown: containers are listed with the statistics that there are, and the log says why some are missing.
func TestUsageNotKnown(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	known, unknown := m.run("F1", "t1"), m.run("F1", "t2")
	m.unmeasured, m.unmeasurable = []string{unknown.ID}, errors.New(`isolator "x": broken`)
	type listed struct {
		ID         string          `json:"container_id"`
		Executor   string          `json:"executor_id"`
		Statistics json.RawMessage `json:"statistics"`
		Status     json.RawMessage `json:"status"`
	}
	var all []listed
	resp, text := m.get(t, "/containers")
	if err := json.Unmarshal([]byte(text), &all); err != nil || resp.StatusCode != 200 || len(all) != 2 {
		t.Fatalf("%s %v %s", resp.Status, err, text)
	}
	for _, c := range all {
		if (c.Statistics != nil) != (c.ID == known.ID) || c.Status == nil {
			t.Errorf("%s", text)
		}
	}
	if log := m.log.String(); !strings.Contains(log, `isolator \"x\": broken`) {
		t.Errorf("the log says %q", log)
	}
	all = nil
	if resp, text := m.get(t, "/monitor/statistics"); json.Unmarshal([]byte(text), &all) != nil || len(all) != 1 || all[0].Executor != "t1" {
		t.Errorf("%s %s", resp.Status, text)
	}
	if resp, text := m.post(t, `{"type": "GET_CONTAINERS"}`); resp.StatusCode != 200 ||
		strings.Count(text, `"container_status"`) != 2 || strings.Count(text, `"resource_statistics"`) != 1 {
		t.Errorf("%s %s", resp.Status, text)
	}
}

func TestAgentOperatorCalls(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	spec := m.run("F1", "t1")
	if err := os.WriteFile(filepath.Join(spec.Sandbox, "stdout"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	all := shapes(t)
	dir := "/frameworks/F1/executors/t1/runs/latest"
	for call, number := range agentv1.Call_Type_value {
		body := `{"type": "` + call + `"`
		switch agentv1.Call_Type(number) {
		case agentv1.Call_GET_METRICS:
			body += `, "get_metrics": {}`
		case agentv1.Call_LIST_FILES:
			body += `, "list_files": {"path": "` + dir + `"}`
		case agentv1.Call_READ_FILE:
			body += `, "read_file": {"path": "` + dir + `/stdout", "offset": 1, "length": 3}`
		}
		resp, text := m.post(t, body+"}")
		if resp.StatusCode == 501 && text == "This release does not implement "+call {
			continue
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil || resp.StatusCode != 200 || got["type"] != call {
			t.Errorf("%s: %s %v %s", call, resp.Status, err, text)
		}
		if want, ok := all["agent_"+call]; ok {
			compare(t, want, got, call)
		}
		if call == "READ_FILE" && text != `{"type":"READ_FILE","read_file":{"size":5,"data":"ZWxs"}}` {
			t.Errorf("READ_FILE: %s", text)
		}
	}
	if resp, text := m.post(t, `{}`); resp.StatusCode != 400 || text != "Failed to validate agent::Call: Expecting 'type' to be present" {
		t.Errorf("%d %q", resp.StatusCode, text)
	}
	if resp, _ := m.post(t, `{"type": "READ_FILE", "read_file": {"path": "/nope", "offset": 0}}`); resp.StatusCode != 404 {
		t.Errorf("READ_FILE of what is not there: %s", resp.Status)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	spec := m.run("F1", "t1")
	box := spec.Sandbox
	write := func(name, data string) {
		if err := os.WriteFile(filepath.Join(box, name), []byte(data), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	write("stdout", "0123456789")
	write("big", strings.Repeat("x", 100_000))
	write("page.html", "<script>")
	if err := os.Mkdir(filepath.Join(box, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"out": secret, "up": "../../../..", "in": "stdout", "dir": "sub"} {
		if err := os.Symlink(to, filepath.Join(box, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(box, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	latest := "/frameworks/F1/executors/t1/runs/latest"
	for _, tt := range []struct {
		path   string
		status int
		body   string
	}{
		{"/files/read?offset=0&length=4&path=" + latest + "/stdout", 200, `{"data":"0123","offset":0}`},
		{"/files/read?offset=8&path=" + box + "/stdout", 200, `{"data":"89","offset":8}`},
		{"/files/read?offset=-1&path=" + latest + "/stdout", 200, `{"data":"","offset":10}`},
		{"/files/read?path=" + latest + "/stdout", 200, `{"data":"","offset":10}`},
		{"/files/read?offset=99&path=" + latest + "/stdout", 200, `{"data":"","offset":99}`},
		{"/files/read?jsonp=cb&offset=0&length=2&path=/frameworks/F1/executors/t1/runs/" + spec.ID + "/stdout", 200, `cb({"data":"01","offset":0})`},
		{"/files/read?offset=abc&path=" + latest + "/stdout", 400, "Failed to parse offset: Failed to convert 'abc' to number.\n"},
		{"/files/read?offset=-2&path=" + latest + "/stdout", 400, "Negative offset provided: -2.\n"},
		{"/files/read?offset=0&path=" + latest + "/sub", 400, "Cannot read a directory."},
		{"/files/read?offset=0&path=" + latest + "/in", 200, `{"data":"0123456789","offset":0}`},
		{"/files/read?offset=0&path=" + latest + "/out", 404, ""},
		{"/files/read?offset=0&path=" + latest + "/up/etc/passwd", 404, ""},
		{"/files/read?offset=0&path=" + latest + "/pipe", 404, ""},
		{"/files/read?offset=0&path=" + latest + "/../latest/stdout", 404, ""},
		{"/files/read?offset=0&path=/nope", 404, ""},
		{"/files/read?offset=0&path=/etc/passwd", 404, ""},
		{"/files/read", 400, "Expecting 'path=value' in query.\n"},
		{"/files/browse", 400, "Expecting 'path=value' in query.\n"},
		{"/files/browse?path=" + latest + "/../../../../../../../etc", 404, ""},
		{"/files/browse?path=" + latest + "/stdout", 200, "[]"},
		{"/files/download?path=/nope", 404, "404 Not Found."},
		{"/files/download?path=" + latest + "/sub", 400, "Cannot download a directory."},
		{"/files/download?path=" + latest + "/stdout", 200, "0123456789"},
	} {
		if resp, body := m.get(t, tt.path); resp.StatusCode != tt.status || body != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.path, resp.StatusCode, body, tt.status, tt.body)
		}
	}
	_, body := m.get(t, "/files/read?offset=0&path="+latest+"/big")
	var piece struct{ Data string }
	if err := json.Unmarshal([]byte(body), &piece); err != nil || len(piece.Data) != 65536 {
		t.Errorf("%v, %d bytes", err, len(piece.Data))
	}
	resp, _ := m.get(t, "/files/download?path="+latest+"/page.html")
	if resp.Header.Get("Content-Type") != "application/octet-stream" || resp.Header.Get("Content-Disposition") != "attachment; filename=page.html" ||
		resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a page is sent as %v", resp.Header)
	}
	_, body = m.get(t, "/files/browse?path="+latest)
	var entries []struct {
		Path, Mode string
		Size       int64
		Nlink      int
	}
	if err := json.Unmarshal([]byte(body), &entries); err != nil || len(entries) != 9 {
		t.Fatalf("%v in %s", err, body)
	}
	if first := entries[0]; first.Path != latest+"/big" || first.Mode != "-rw-r-----" || first.Size != 100_000 || first.Nlink != 1 {
		t.Errorf("%+v", first)
	}
	_, body = m.get(t, "/files/debug")
	if !strings.Contains(body, `"`+latest+`":"`+box+`"`) {
		t.Errorf("/files/debug: %s", body)
	}
}

func TestSandboxesOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	p := &policy{filter: func(_ authorizer.Subject, a authorizer.Action) *authorizer.FilterAnswer {
		if a != authorizer.AccessSandbox && a != authorizer.ViewFramework && a != authorizer.ViewContainer {
			return nil
		}
		field := authorizer.Field("framework", "principal")
		if a == authorizer.ViewFramework {
			field = authorizer.Field("principal")
		}
		return &authorizer.FilterAnswer{Predicate: authorizer.Compare(authorizer.Eq, field, authorizer.Const(authorizer.StringValue("p-F1"))), Revision: "r1"}
	}}
	m := newMachine(t, p)
	for _, f := range []string{"F1", "F2"} {
		spec := m.run(f, "t"+f)
		if err := os.WriteFile(filepath.Join(spec.Sandbox, "stdout"), []byte(f), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file := func(f string) string {
		return "/files/read?offset=0&path=/frameworks/" + f + "/executors/t" + f + "/runs/latest/stdout"
	}
	if resp, body := m.get(t, file("F1")); resp.StatusCode != 200 || body != `{"data":"F1","offset":0}` {
		t.Errorf("own: %d %s", resp.StatusCode, body)
	}
	if resp, body := m.get(t, file("F2")); resp.StatusCode != 403 {
		t.Errorf("another's: %d %s", resp.StatusCode, body)
	}
	for _, path := range []string{"/state", "/containers"} {
		if _, body := m.get(t, path); !strings.Contains(body, `"F1"`) || strings.Contains(body, `"F2"`) {
			t.Errorf("%s: %s", path, body)
		}
	}
	if resp, text := m.post(t, `{"type": "GET_TASKS"}`); !strings.Contains(text, `"tF1"`) || strings.Contains(text, `"tF2"`) {
		t.Errorf("GET_TASKS: %d %s", resp.StatusCode, text)
	}
	p.setDown(true)
	if resp, _ := m.get(t, file("F1")); resp.StatusCode != 503 {
		t.Errorf("with the authorizer down: %s", resp.Status)
	}
}
