//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func rlimit(kind mesos.RLimitInfo_RLimit_Type, soft, hard *uint64) change {
	return func(t *mesos.TaskInfo) {
		if t.Container == nil {
			t.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), RlimitInfo: &mesos.RLimitInfo{}}
		}
		t.Container.RlimitInfo.Rlimits = append(t.Container.RlimitInfo.Rlimits, &mesos.RLimitInfo_RLimit{Type: kind.Enum(), Soft: soft, Hard: hard})
	}
}

// A task runs under the limits that it names; those that make no sense are refused before it is launched.
func TestRlimits(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	const files, core, stack = mesos.RLimitInfo_RLimit_RLMT_NOFILE, mesos.RLimitInfo_RLimit_RLMT_CORE, mesos.RLimitInfo_RLimit_RLMT_STACK
	f.launch(
		shell("limited", "ulimit -Sn; ulimit -Hn; ulimit -Hc; ulimit -Ss",
			rlimit(files, proto.Uint64(100), proto.Uint64(200)), rlimit(core, proto.Uint64(0), proto.Uint64(0)), rlimit(stack, nil, nil)),
		shell("soft-above-hard", "true", rlimit(files, proto.Uint64(200), proto.Uint64(100))),
		shell("half", "true", rlimit(files, proto.Uint64(200), nil)),
		shell("none", "true", rlimit(mesos.RLimitInfo_RLimit_UNKNOWN, proto.Uint64(1), proto.Uint64(1))),
		shell("twice", "true", rlimit(files, proto.Uint64(1), proto.Uint64(1)), rlimit(files, proto.Uint64(2), proto.Uint64(2))),
	)
	f.end("limited", "STARTING RUNNING FINISHED")
	if got := f.sandboxFile(c.agents[0], "limited", "stdout"); got != "100\n200\n0\nunlimited\n" {
		t.Errorf("the limits are %q", got)
	}
	for _, id := range []string{"soft-above-hard", "half", "none", "twice"} {
		s := f.awaitStatus(id, "comes to an end", func(s *mesos.TaskStatus) bool { return terminal(s.GetState()) })
		if s.GetState() != mesos.TaskState_TASK_ERROR || s.GetReason() != mesos.TaskStatus_REASON_TASK_INVALID || !strings.Contains(strings.ToLower(s.GetMessage()), "rlimit") {
			t.Errorf("%s: %s, %s: %s", id, s.GetState(), s.GetReason(), s.GetMessage())
		}
	}
}

const (
	labelsJSON    = `{"labels":[{"key":"team","value":"storage"},{"key":"bare"}]}`
	discoveryJSON = `{"visibility":"CLUSTER","name":"db","environment":"prod","location":"eu","version":"7","ports":{"ports":[{"number":31005,"name":"main","protocol":"tcp"}]},"labels":{"labels":[{"key":"k","value":"v"}]}}`
)

// Labels and discovery are in every document as they were given.
func TestLabelsAndDiscovery(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	task := sleeper("labelled")
	task.Labels, task.Discovery = &mesos.Labels{}, &mesos.DiscoveryInfo{}
	for text, m := range map[string]proto.Message{labelsJSON: task.Labels, discoveryJSON: task.Discovery} {
		if err := inJSON.unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
	}
	f.run(task)
	agent := c.agents[0].address
	for _, d := range []struct {
		address, path, call string
		legacy              bool // labels are a list
	}{
		{c.address, "/state", "", true}, {c.address, "/tasks", "", true}, {c.address, "/frameworks", "", true},
		{agent, "/state", "", true},
		{c.address, "/api/v1", "GET_TASKS", false}, {c.address, "/api/v1", "GET_STATE", false},
		{agent, "/api/v1", "GET_TASKS", false}, {agent, "/api/v1", "GET_STATE", false},
	} {
		method, media, body := http.MethodGet, "", []byte(nil)
		if d.call != "" {
			method, media, body = http.MethodPost, typeJSON, fmt.Appendf(nil, `{"type":%q}`, d.call)
		}
		r := ask(t, method, d.address, d.path, media, body, "Accept", typeJSON)
		found := find(decode[any](t, r.body), "labelled")
		if len(found) == 0 {
			t.Errorf("%s%s %s: no task in %d %s", d.address, d.path, d.call, r.status, r.body)
		}
		for _, x := range found {
			labels := decode[map[string]any](t, labelsJSON)
			var want any = labels
			if d.legacy {
				want = labels["labels"]
			}
			if !reflect.DeepEqual(x["labels"], want) || !reflect.DeepEqual(x["discovery"], decode[any](t, discoveryJSON)) {
				text, _ := json.Marshal(x)
				t.Errorf("%s%s %s: %s", d.address, d.path, d.call, text)
			}
		}
	}
}

// The master knows the newest state of a task whose framework has not acknowledged the first, by the time that is repeated,
// and what a task had is free then.
func TestNewestState(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c, notAcknowledging)
	f.launch(shell("quick", "exit 0"))
	eventually(t, "the master knows the end", func() error {
		var doc struct {
			Tasks []struct{ ID, State string }
		}
		if err := c.get("/tasks", &doc); err != nil || len(doc.Tasks) != 1 || doc.Tasks[0].State != "TASK_FINISHED" {
			return fmt.Errorf("the tasks are %v %w", doc.Tasks, err)
		}
		return nil
	})
	checkWholeOffers(t, f, 1)
	if h := f.history("quick"); way(h) != "STARTING" {
		t.Errorf("the framework was told %s", way(h))
	}
	f.teardown()
}

// find returns the tasks of an id, at any depth.
func find(v any, id string) []map[string]any {
	var out []map[string]any
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			out = append(out, find(x, id)...)
		}
	case map[string]any:
		inV1, _ := v["task_id"].(map[string]any)
		if _, task := v["statuses"]; task && (v["id"] == id || inV1["value"] == id) {
			return []map[string]any{v}
		}
		for _, x := range v {
			out = append(out, find(x, id)...)
		}
	}
	return out
}
