package api_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/master"
)

// shapes are the documents of a Mesos with work on it, taken down to their keys and the kinds of their values.
func shapes(t *testing.T) map[string]any {
	t.Helper()
	data, err := os.ReadFile("testdata/shapes.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// absent are keys of Mesos's documents that ours do not have: agents of v1 have no `checkpoint`, command tasks have no
// executor at the master, what is on offer is scalars and ranges alike, and an offer need not have ports.
var absent = []string{".agent_info.checkpoint", ".executor_ids", ".scalar", ".ranges", ".offers[].resources.ports"}

// compare reports what a document lacks.
func compare(t *testing.T, want, got any, where string) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: %T, want an object", where, got)
			return
		}
		for key, value := range want {
			path := where + "." + key
			if slices.ContainsFunc(absent, func(end string) bool { return strings.HasSuffix(path, end) }) {
				continue
			}
			if _, ok := object[key]; !ok {
				t.Errorf("%s is missing", path)
				continue
			}
			compare(t, value, object[key], path)
		}
	case []any:
		list, ok := got.([]any)
		if !ok {
			t.Errorf("%s: %T, want a list", where, got)
			return
		}
		for _, one := range list {
			if len(want) > 0 {
				compare(t, want[0], one, where+"[]")
			}
		}
	case string:
		if kind(got) != want {
			t.Errorf("%s: %s, want %s", where, kind(got), want)
		}
	}
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	case float64:
		return "number"
	case []any:
		return "list"
	}
	return "object"
}

// populate puts work on a cluster: a framework with a running and a finished task, and one that has completed.
func populate(t *testing.T, c *cluster) (running *subscriber) {
	t.Helper()
	c.addAgent(t, "cpus:4;mem:4096;disk:1000;ports:[31000-31009]", "127.0.0.1:5051")
	old := c.subscribe(t, `{"user": "root", "name": "old"}`)
	old.launch(old.wait("OFFERS"), "old-1", "finish")
	old.update("old-1", "TASK_FINISHED")
	old.accept(`{"type": "TEARDOWN"}`)
	s := c.subscribe(t, `{"user": "root", "name": "young", "principal": "p", "hostname": "h", "webui_url": "http://x/",
		"failover_timeout": 60, "labels": {"labels": [{"key": "l", "value": "v"}]}, "roles": ["eng/dev"],
		"capabilities": [{"type": "MULTI_ROLE"}, {"type": "RESERVATION_REFINEMENT"}]}`)
	s.launch(s.wait("OFFERS"), "run-1", "run")
	s.update("run-1", "TASK_RUNNING")
	s.launch(s.wait("OFFERS"), "done-1", "finish")
	s.update("done-1", "TASK_FINISHED")
	s.wait("OFFERS")
	eventually(t, func() bool {
		n := 0
		for range c.loop.State().CompletedTasks("") {
			n++
		}
		return n == 2
	})
	return s
}

func TestLegacyDocuments(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	s := populate(t, c)
	all := shapes(t)
	for path, name := range map[string]string{
		"/state": "master_state", "/master/state": "master_state", "/state-summary": "master_state_summary",
		"/frameworks": "master_frameworks", "/master/frameworks/": "master_frameworks", "/slaves": "master_slaves",
		"/slaves/S0": "master_slaves", "/tasks": "master_tasks", "/roles": "master_roles", "/version": "version",
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			resp, body := c.do(t, method, path, "")
			var got any
			if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != 200 {
				t.Fatalf("%s %s: %s %v %s", method, path, resp.Status, err, body)
			}
			if resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: Content-Type %q", path, resp.Header.Get("Content-Type"))
			}
			compare(t, all[name], got, path)
		}
	}

	_, body := c.do(t, "GET", "/state", "")
	var state struct {
		Frameworks []struct {
			ID    string
			Pid   *string
			Tasks []struct {
				ID, State, Role string
				ExecutorID      string             `json:"executor_id"`
				Resources       map[string]float64 `json:"resources"`
				Statuses        []map[string]any
			}
			Completed []any `json:"completed_tasks"`
		}
		Completed []struct {
			Name  string
			Tasks []any `json:"completed_tasks"`
		} `json:"completed_frameworks"`
		Slaves []struct {
			Pid       string
			Resources map[string]any
			Used      map[string]any `json:"used_resources"`
		}
		Activated float64 `json:"activated_slaves"`
	}
	if err := json.Unmarshal([]byte(body), &state); err != nil {
		t.Fatal(err)
	}
	if len(state.Frameworks) != 1 || state.Frameworks[0].ID != s.framework || state.Frameworks[0].Pid != nil {
		t.Fatalf("frameworks %+v", state.Frameworks)
	}
	f := state.Frameworks[0]
	if len(f.Tasks) != 1 || f.Tasks[0].ID != "run-1" || f.Tasks[0].State != "TASK_RUNNING" || f.Tasks[0].Role != "eng/dev" ||
		f.Tasks[0].Resources["cpus"] != 0.1 || f.Tasks[0].Resources["mem"] != 32 {
		t.Errorf("tasks %+v", f.Tasks)
	}
	if ip := dig(f.Tasks[0].Statuses[0], "container_status", "network_infos"); ip == nil {
		t.Errorf("no network_infos in %v", f.Tasks[0].Statuses)
	}
	if dig(f.Tasks[0].Statuses[0], "container_status", "executor_pid") != nil {
		t.Error("container_status has an executor_pid")
	}
	if len(f.Completed) != 1 || len(state.Completed) != 1 || len(state.Completed[0].Tasks) != 1 {
		t.Errorf("completed: %v, %+v", f.Completed, state.Completed)
	}
	if a := state.Slaves[0]; a.Pid != "slave(1)@127.0.0.1:5051" || a.Resources["ports"] != "[31000-31009]" || a.Used["cpus"] != 0.1 || a.Used["gpus"] != 0.0 {
		t.Errorf("agent %+v", a)
	}
	if !strings.Contains(body, `"activated_slaves":1.0`) {
		t.Error("counts are to have a fraction")
	}
}

func TestTasksParameters(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	s := populate(t, c)
	for query, want := range map[string][]string{
		"": {"done-1", "run-1", "old-1"}, "?order=asc": {"old-1", "run-1", "done-1"}, "?limit=1": {"done-1"},
		"?limit=1&offset=1": {"run-1"}, "/?task_id=run-1&framework_id=" + s.framework: {"run-1"}, "?task_id=nope": nil,
		"?framework_id=" + s.framework + "&order=asc": {"run-1", "done-1"}, "?offset=99": nil, "?limit=x": {"done-1", "run-1", "old-1"},
	} {
		_, body := c.do(t, "POST", "/tasks"+query, "")
		var got struct{ Tasks []struct{ ID string } }
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, task := range got.Tasks {
			ids = append(ids, task.ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s: %v, want %v", query, ids, want)
		}
	}
	for path, want := range map[string]string{
		"/frameworks?framework_id=nope": `{"frameworks":[],"completed_frameworks":[],"unregistered_frameworks":[]}`,
		"/slaves?slave_id=nope":         `{"slaves":[],"recovered_slaves":[]}`,
	} {
		if _, body := c.do(t, "GET", path, ""); body != want {
			t.Errorf("%s: %s", path, body)
		}
	}
}

func TestOperatorCalls(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	populate(t, c)
	all := shapes(t)
	for call, number := range master.Call_Type_value {
		body := `{"type": "` + call + `"`
		switch master.Call_Type(number) {
		case master.Call_GET_METRICS:
			body += `, "get_metrics": {"timeout": {"nanoseconds": 1}}`
		case master.Call_TEARDOWN:
			body += `, "teardown": {"framework_id": {"value": "nope"}}`
		}
		resp, text := c.post(t, "/api/v1", body+"}", "Accept", "application/json")
		binary, data := c.post(t, "/api/v1/operator?_ts=1", body+"}", "Accept", "application/x-protobuf")
		if resp.StatusCode != binary.StatusCode {
			t.Errorf("%s: %d in JSON, %d in protobuf", call, resp.StatusCode, binary.StatusCode)
		}
		switch resp.StatusCode {
		case http.StatusOK:
			answer := &master.Response{}
			if err := proto.Unmarshal([]byte(data), answer); err != nil || answer.GetType().String() != call {
				t.Errorf("%s: %v %v", call, err, answer)
			}
			var got any
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatalf("%s: %v in %s", call, err, text)
			}
			if want, ok := all[call]; ok {
				compare(t, want, got, call)
			}
		case http.StatusNotImplemented:
			if text != "This release does not implement "+call {
				t.Errorf("%s: %q", call, text)
			}
		default:
			if call != "TEARDOWN" || resp.StatusCode != 400 || text != "No framework found with specified ID" {
				t.Errorf("%s: %d %q", call, resp.StatusCode, text)
			}
		}
	}
}

// TestOperatorAgreesInBothFormats holds what is written in the binary encoding against what is written in JSON.
func TestOperatorAgreesInBothFormats(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	s := populate(t, c)
	s.accept(`{"type": "SUPPRESS"}`) // so that nothing changes between the two reads
	_, data := c.post(t, "/api/v1", `{"type": "GET_STATE"}`, "Accept", "application/x-protobuf")
	answer := &master.Response{}
	if err := proto.Unmarshal([]byte(data), answer); err != nil {
		t.Fatal(err)
	}
	state := answer.GetGetState()
	if n := len(state.GetGetTasks().GetTasks()); n != 1 {
		t.Errorf("%d tasks", n)
	}
	if n := len(state.GetGetTasks().GetCompletedTasks()); n != 2 {
		t.Errorf("%d completed tasks", n)
	}
	task := state.GetGetTasks().GetTasks()[0]
	if task.GetTaskId().GetValue() != "run-1" || task.GetResources()[0].GetAllocationInfo().GetRole() != "eng/dev" ||
		task.GetResources()[0].Role != nil || len(task.GetStatuses()) != 1 || len(task.GetStatusUpdateUuid()) != 16 {
		t.Errorf("task %v", task)
	}
	if n := len(state.GetGetFrameworks().GetFrameworks()); n != 1 {
		t.Errorf("%d frameworks", n)
	}
	agent := state.GetGetAgents().GetAgents()[0]
	if agent.GetPid() != "slave(1)@127.0.0.1:5051" || agent.GetTotalResources()[0].GetRole() != "*" {
		t.Errorf("agent %v", agent)
	}
}

func TestTeardownByOperator(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	for _, how := range []func(id string) (*http.Response, string){
		func(id string) (*http.Response, string) {
			return c.do(t, "POST", "/master/teardown", "frameworkId="+id, "Content-Type", "application/x-www-form-urlencoded")
		},
		func(id string) (*http.Response, string) {
			return c.post(t, "/api/v1", `{"type": "TEARDOWN", "teardown": {"framework_id": {"value": "`+id+`"}}}`)
		},
	} {
		if resp, text := how("nope"); resp.StatusCode != 400 || text != "No framework found with specified ID" {
			t.Errorf("unknown: %d %q", resp.StatusCode, text)
		}
		s := c.subscribe(t, `{"user": "root", "name": "x", "failover_timeout": 60}`)
		if resp, text := how(s.framework); resp.StatusCode != 200 || text != "" {
			t.Errorf("%d %q", resp.StatusCode, text)
		}
		if c.loop.State().Framework(s.framework) != nil {
			t.Error("the framework is still there")
		}
	}
	if resp, _ := c.do(t, "GET", "/teardown", ""); resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d", resp.StatusCode)
	}
	if resp, text := c.do(t, "POST", "/teardown", ""); resp.StatusCode != 400 || !strings.Contains(text, "'frameworkId'") {
		t.Errorf("empty: %d %q", resp.StatusCode, text)
	}
}

func TestMetricNames(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	s := populate(t, c)
	_, body := c.do(t, "GET", "/metrics/snapshot?timeout=100ms", "")
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	for name := range shapes(t)["metrics_master"].(map[string]any) {
		if strings.HasPrefix(name, "registrar/") {
			continue // the registry adds these
		}
		if kind(got[name]) != "number" {
			t.Errorf("%s is missing", name)
		}
	}
	prefix := "master/frameworks/young/" + s.framework + "/"
	for name, want := range map[string]float64{
		"master/elected": 1, "master/tasks_running": 1, "master/tasks_finished": 2, "master/cpus_total": 4,
		"master/cpus_used": 0.1, "allocator/mesos/resources/cpus/total": 4, prefix + "subscribed": 1,
		prefix + "calls/subscribe": 1, prefix + "calls/accept": 2, prefix + "events/update": 3,
		prefix + "tasks/active/task_running": 1, prefix + "tasks/terminal/task_finished": 1,
		prefix + "roles/eng/dev/suppressed": 0,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if resp, text := c.do(t, "GET", "/metrics/snapshot?timeout=abc", ""); resp.StatusCode != 400 || !strings.Contains(text, "Invalid timeout 'abc'") {
		t.Errorf("%d %q", resp.StatusCode, text)
	}
	resp, text := c.do(t, "GET", "/metrics", "")
	if resp.StatusCode != 200 || !strings.Contains(text, "\nmezzo_master_tasks_running 1\n") || !strings.Contains(text, "mezzo_http_requests_total") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	for _, tt := range []struct {
		path   string
		status int
		media  string
		body   string
	}{
		{"/", 200, "text/html; charset=utf-8", ""},
		{"/help", 200, "text/html; charset=utf-8", ""},
		{"/nope", 404, "text/plain; charset=utf-8", "404 Not Found."},
		{"/state.json", 404, "text/plain; charset=utf-8", "404 Not Found."},
		{"/health", 200, "", ""},
		{"/health/", 200, "", ""},
		{"/master/health", 200, "", ""},
		{"/version?jsonp=cb", 200, "text/javascript", ""},
		{"/version?jsonp=alert(1)", 400, "text/plain; charset=utf-8", "Invalid 'jsonp': expecting the name of a function"},
		{"/system/stats.json", 200, "application/json", ""},
		{"/flags", 200, "application/json", `{"flags":{"port":"5050"}}`},
		{"/weights", 501, "text/plain; charset=utf-8", "This release does not implement /weights"},
		{"/registrar(1)/registry", 501, "text/plain; charset=utf-8", "This release does not implement /registrar(1)/registry"},
		{"/files/browse?path=/master/log", 501, "text/plain; charset=utf-8", "This release does not implement /files/browse"},
		{"/memory-profiler/state", 501, "text/plain; charset=utf-8", "This release does not implement /memory-profiler"},
		{"/create-volumes", 405, "text/plain; charset=utf-8", "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."},
		{"/api/v1/", 405, "text/plain; charset=utf-8", "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."},
	} {
		resp, body := c.do(t, "GET", tt.path, "")
		if resp.StatusCode != tt.status || resp.Header.Get("Content-Type") != tt.media || tt.body != "" && body != tt.body {
			t.Errorf("%s: %d %q %q", tt.path, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
		if resp, body := c.do(t, "HEAD", tt.path, ""); tt.status == 200 && (resp.StatusCode != 200 || body != "") {
			t.Errorf("HEAD %s: %d", tt.path, resp.StatusCode)
		}
	}
	if _, body := c.do(t, "GET", "/version?jsonp=cb", ""); !strings.HasPrefix(body, `cb({"build_date":`) || !strings.HasSuffix(body, `})`) {
		t.Errorf("JSONP: %s", body)
	}
}

func TestLargeAnswersAreCompressed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	populate(t, c)
	_, plain := c.do(t, "GET", "/flags", "", "Accept-Encoding", "gzip")
	if !strings.HasPrefix(plain, "{") {
		t.Errorf("a short answer is compressed: %q", plain)
	}
	resp, body := c.do(t, "GET", "/state", "", "Accept-Encoding", "gzip")
	if resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("header %v", resp.Header)
	}
	r, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil || !json.Valid(data) {
		t.Fatalf("%v in %s", err, data)
	}
}

// TestReadingLetsTheLoopGoOn reads the state over and over while calls are made; all must come to an end.
func TestReadingLetsTheLoopGoOn(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	s := populate(t, c)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 50 {
			if resp, _ := c.do(t, "GET", "/state", ""); resp.StatusCode != 200 {
				t.Errorf("/state: %s", resp.Status)
			}
		}
	}()
	for range 50 {
		s.accept(`{"type": "REVIVE"}`)
	}
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("reads do not end")
	}
}
