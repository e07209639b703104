//go:build unix

package pluginhost

import (
	"slices"
	"strings"
	"testing"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// What a plugin warns of is shown by a check and by the status, and the plugin starts; a reload to a configuration that it
// does not warn of takes the warnings away.
func TestWarnings(t *testing.T) {
	t.Parallel()
	s := spec(t, "authorizer", "good")
	s.Config = config(`{"level":"9"}`)
	warnings, err := Check(t.Context(), Options{}, []Spec{s})
	if want := `authorizer "test": explained: level 9 is very loud`; err != nil || !slices.Equal(warnings, []string{want}) {
		t.Errorf("checked: %q, %v", warnings, err)
	}
	f := newFixture(t)
	p := f.start(s)
	if got := p.Status(); got.State != "ready" || !slices.Equal(got.Warnings, []string{"explained: level 9 is very loud"}) {
		t.Errorf("status: %+v", got)
	}
	if !strings.Contains(f.logs.String(), "explained: level 9 is very loud") {
		t.Errorf("logged: %s", f.logs.String())
	}
	s.Config = config(`{"level":"1"}`)
	if err := f.Reload(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got := p.Status().Warnings; got != nil {
		t.Errorf("after the reload: %q", got)
	}
}

func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2*maxDiagnostic)
	var said []*pluginv1.Diagnostic
	for range 2 * maxDiagnostics {
		said = append(said, &pluginv1.Diagnostic{Severity: pluginv1.Severity_SEVERITY_WARNING, Summary: long})
	}
	for _, c := range []Config{nil, config("{}")} {
		warnings, err := explain(Spec{Config: c}, nil, said)
		if err != nil || len(warnings) != maxDiagnostics || len(warnings[0]) > maxDiagnostic+100 {
			t.Errorf("%d warnings of %d bytes, %v", len(warnings), len(warnings[0]), err)
		}
	}
}

// What a process that works says it cannot do is told until it can, or another process is in its place.
func TestReport(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := spec(t, "authorizer", "good")
	p := f.start(s)
	const said = "2 errors:\nx.rego:2: bad\n\tallow if {\n\t         ^\nx.rego:9: worse\n"
	reported := func(want ...string) {
		t.Helper()
		if got := f.Problems(); !slices.Equal(got, want) {
			t.Errorf("problems: %q, want %q", got, want)
		}
	}
	p.Report(said)
	reported(`authorizer "test": 2 errors: x.rego:2: bad; x.rego:9: worse`)
	if got := p.Status(); got.Problem != said || got.State != "ready" {
		t.Errorf("status: %+v", got)
	}
	p.Report("")
	reported()
	p.Report(said)
	if err := f.Reload(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	reported()
	p.Report(said)
	f.Stop()
	p.Report("too late")
	if got := p.Status().Problem; got != "" {
		t.Errorf("of a process that is gone: %q", got)
	}
}

// CheckOffline judges by what was said earlier: whether the contract is one that this host knows, and then the block.
func TestCheckOffline(t *testing.T) {
	t.Parallel()
	s := Spec{Kind: "authorizer", Name: "test", Binary: "/nowhere", Config: config("{}")}
	said := Description{Name: "test", Version: "1", Kinds: []string{"authorizer"}, Services: []string{"mezzo.authorizer.v1.AuthorizerService"}}
	if err := CheckOffline(s, said); err != nil {
		t.Error(err)
	}
	said.Services = []string{"mezzo.authorizer.v9.AuthorizerService"}
	if err := CheckOffline(s, said); err == nil || !strings.HasPrefix(err.Error(), `authorizer "test": `) ||
		!strings.Contains(err.Error(), "v9") || !strings.Contains(err.Error(), "mezzo.authorizer.v1") {
		t.Errorf("a contract of another release: %v", err)
	}
}
