package daemon

import (
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

func parse(t *testing.T, text string) resource.Resources {
	t.Helper()
	r, err := resource.Parse(text, "*")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAgentResources(t *testing.T) {
	t.Parallel()
	const all = "cpus:2;mem:100;disk:200;ports:[1-2]"
	for name, c := range map[string]struct {
		configured, role string
		contributed      []contribution
		want             string
		err              []string
	}{
		"none": {configured: all, want: all},
		"two": {
			configured: all, contributed: []contribution{{"a", parse(t, "gpus:1")}, {"b", parse(t, "slots:[1-3]")}},
			want: all + ";gpus:1;slots:[1-3]",
		},
		"the default role": {
			configured: "cpus(*):2;mem(*):100;disk(*):200;ports(*):[1-2]", role: "ops", contributed: []contribution{{"a", parse(t, "gpus:1")}},
			want: all + ";gpus(ops):1",
		},
		"instead of what is found": {
			configured: "cpus:2;disk:200;ports:[1-2]", contributed: []contribution{{"a", parse(t, "mem:7")}}, want: "cpus:2;mem:7;disk:200;ports:[1-2]",
		},
		"nothing": {configured: "cpus:2;mem:100;disk:0; ports(*) :[]", want: "cpus:2;mem:100"},
		"nothing, in JSON": {
			configured: `[{"name":"cpus","type":"SCALAR","scalar":{"value":0}},{"name":"mem","type":"SCALAR","scalar":{"value":7}},
				{"name":"disk","type":"SCALAR","scalar":{"value":0}},{"name":"ports","type":"RANGES","ranges":{}}]`,
			want: "mem:7",
		},
		"configured, too": {configured: all, contributed: []contribution{{"a", parse(t, "mem:7")}}, err: []string{`isolator "a"`, "mem", "configuration (resources)"}},
		"twice": {
			configured: all, contributed: []contribution{{"a", parse(t, "gpus:1")}, {"b", parse(t, "gpus:1")}}, err: []string{`isolator "a"`, `isolator "b"`, "gpus"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := agentResources(c.configured, c.role, t.TempDir(), c.contributed)
			if len(c.err) == 0 {
				if err != nil || !got.Equal(parse(t, c.want)) {
					t.Errorf("got %s, %v; want %s", got, err, c.want)
				}
				return
			}
			for _, want := range c.err {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, which lacks %q", err, want)
				}
			}
		})
	}
}

// TestIgnoringFound: a machine may have been given more memory, but what isolators contribute counts.
func TestIgnoringFound(t *testing.T) {
	t.Parallel()
	gpus := []contribution{{"a", parse(t, "gpus:2")}}
	for name, c := range map[string]struct {
		had, has    string
		configured  string
		contributed []contribution
		want        string
	}{
		"more memory":     {"cpus:2;mem:100", "cpus:2;mem:200", "", nil, "cpus:2;mem:100"},
		"more gpus":       {"cpus:2;gpus:1", "cpus:4;gpus:2", "", gpus, "cpus:2;gpus:2"},
		"no gpus":         {"cpus:2;gpus:1", "cpus:2", "", nil, "cpus:2"},
		"its own cpus":    {"cpus:2;mem:1", "cpus:4;mem:2", "", []contribution{{"a", parse(t, "cpus:4")}}, "cpus:4;mem:1"},
		"configured cpus": {"cpus:2;mem:1", "cpus:4;mem:2", "cpus(ops):4", nil, "cpus:4;mem:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, err := ignoringFound(parse(t, c.had), parse(t, c.has), c.configured, c.contributed)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := wire.FromMesos(list); err != nil || !got.Equal(parse(t, c.want)) {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}
