package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	contract "github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

func TestQuestion(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "object.json")
	if err := os.WriteFile(file, []byte(`{"name": "db"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q      question
		kind   contract.Kind
		object string
	}{
		"nothing":   {question{action: "view_flags"}, contract.ClusterKind, `{}`},
		"capitals":  {question{action: "RUN_TASK"}, contract.TaskKind, `{}`},
		"JSON":      {question{action: "run_task", object: `{"user": "root", "labels": {"a.b": "c"}, "framework": {"roles": ["x"]}}`}, contract.TaskKind, `{"user": "root", "labels": {"a.b": "c"}, "framework": {"roles": ["x"]}}`},
		"file":      {question{action: "run_task", objectFile: file, user: "web"}, contract.TaskKind, `{"name": "db", "user": "web"}`},
		"input":     {question{action: "run_task", objectFile: "-", role: "eng"}, contract.TaskKind, `{"name": "stdin", "role": "eng"}`},
		"role":      {question{action: "register_framework", role: "eng/web", user: "web"}, contract.RoleKind, `{"name": "eng/web", "user": "web"}`},
		"framework": {question{action: "view_framework", role: "a,b"}, contract.FrameworkKind, `{"roles": ["a", "b"]}`},
		"paths":     {question{action: "view_task", object: `{"framework": {"id": "1"}}`, set: []string{"framework.principal=web", "framework.labels.a.b=c=d", "labels.tier=gold"}}, contract.TaskKind, `{"framework": {"id": "1", "principal": "web", "labels": {"a.b": "c=d"}}, "labels": {"tier": "gold"}}`},
		"deep":      {question{action: "view_container", set: []string{"executor.framework.principal=web"}}, contract.ContainerKind, `{"executor": {"framework": {"principal": "web"}}}`},
	} {
		r, err := c.q.request(strings.NewReader(`{"name": "stdin"}`))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(c.object), &want); err != nil {
			t.Fatal(err)
		}
		if r.Objects[0].Kind != c.kind || !reflect.DeepEqual(r.Objects[0].Fields, want) || r.Subject.Authenticated {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for _, q := range []question{{action: "run_task", principal: "web"}, {action: "run_task", claims: map[string]string{"cid": "1"}}} {
		if r, err := q.request(nil); err != nil || !r.Subject.Authenticated || r.Subject.Principal != q.principal || len(r.Subject.Claims) != len(q.claims) {
			t.Errorf("%+v: %+v, %v", q, r, err)
		}
	}
}

func TestQuestionThatIsNone(t *testing.T) {
	t.Parallel()
	for want, q := range map[string]question{
		"--action is needed":                               {},
		`no action "RUN_TAKS"; did you mean "run`:          {action: "RUN_TAKS"},
		"say the same thing twice":                         {action: "run_task", object: "{}", objectFile: "-"},
		"--object: not a JSON object: unexpected":          {action: "run_task", object: "{"},
		"--object: not a JSON object: null":                {action: "run_task", object: "null"},
		`a task has no field "usr"; did you mean`:          {action: "run_task", object: `{"usr": "x"}`},
		`framework: a framework has no field "pr"`:         {action: "run_task", object: `{"framework": {"pr": "x"}}`},
		"user has the type string, which 5 has not":        {action: "run_task", object: `{"user": 5}`},
		"framework has the type object, which web has not": {action: "run_task", object: `{"framework": "web"}`},
		"labels has the type map of string":                {action: "run_task", object: `{"labels": {"a": 1}}`},
		"framework.roles has the type list of string":      {action: "run_task", object: `{"framework": {"roles": [1]}}`},
		`"user" is not FIELD=VALUE`:                        {action: "run_task", set: []string{"user"}},
		"user has the type string, and no fields":          {action: "run_task", set: []string{"user.name=x"}},
		"as labels.NAME=VALUE":                             {action: "run_task", set: []string{"labels=x"}},
		`no field "role"`:                                  {action: "mark_agent_gone", role: "x"},
		"nor any other":                                    {action: "view_flags", user: "x"},
	} {
		_, err := q.request(nil)
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := (question{action: "run_task", objectFile: "/no/such/file"}).request(nil); err == nil || errors.As(err, new(usageError)) {
		t.Errorf("no file: %v", err)
	}
}
