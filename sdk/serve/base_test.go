package serve_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	p := start(t, "cycler")
	d, err := pluginv1.NewPluginServiceClient(p).Describe(t.Context(), &pluginv1.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if d.GetName() != "cycler" || d.GetVersion() != "1.2.3" || d.GetDoc() != "Offers everything." ||
		strings.Join(d.GetKinds(), " ") != "allocator" || strings.Join(d.GetServices(), " ") != "mezzo.allocator.v1.AllocatorService" {
		t.Errorf("described as %v", d)
	}
	if n := len(d.GetSchema().GetAttributes()); n != 5 || d.GetSchema().GetBlocks()[0].GetName() != "rule" {
		t.Errorf("schema: %v", d.GetSchema())
	}
	h, err := healthv1.NewHealthClient(p).Check(t.Context(), &healthv1.HealthCheckRequest{Service: "plugin"})
	if err != nil || h.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", h, err)
	}
}

func TestConfigureProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, config, path, summary string }{
		{"unknown attribute", `{"mod": "all"}`, "mod", `there is no attribute or block "mod"`},
		{"null", `{"mode": null}`, "mode", "null is no value"},
		{"enum", `{"mode": "some"}`, "mode", `"some" is none of all, none`},
		{"int as a number", `{"count": 4}`, "count", "expected a string"},
		{"too many", `{"count": "11"}`, "count", "11 is more than the most, 10"},
		{"too few bytes", `{"limit": "1023"}`, "limit", "1023 is less than the least, 1024"},
		{"required in a block", `{"rule": [{"match": "x"}, {}]}`, "rule[1].match", `"match" is required`},
		{"the plugin's own, in a block", `{"rule": [{"match": "x"}, {"match": "bad"}]}`, "rule[1].match", "bad matches nothing"},
		{"the plugin's own, in a map", `{"labels": {"bad": "x"}}`, "labels{bad}", "a label is bad"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "cycler")
			r, err := pluginv1.NewPluginServiceClient(p).Configure(t.Context(), &pluginv1.ConfigureRequest{ConfigJson: []byte(c.config)})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.GetDiagnostics()) != 1 {
				t.Fatalf("diagnostics: %v", r.GetDiagnostics())
			}
			d := r.GetDiagnostics()[0]
			if pathText(d.GetPath()) != c.path || d.GetSummary() != c.summary || d.GetSeverity() != pluginv1.Severity_SEVERITY_ERROR {
				t.Errorf("got %s: %s", pathText(d.GetPath()), d.GetSummary())
			}
			stream, err := allocatorv1.NewAllocatorServiceClient(p).Run(t.Context())
			if err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != codes.FailedPrecondition {
				t.Errorf("a call without configuration: %v", err)
			}
		})
	}
}

// A constructor's warnings are told with their places, beside errors, and do not keep the plugin from working.
func TestConfigureWarnings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config string
		want   []string
		works  bool
	}{
		{`{"rule": [{"match": "x"}, {"match": "odd"}], "mode": "none"}`, []string{"WARNING rule[1].match: odd matches little", "WARNING : nothing is offered"}, true},
		{`{"rule": [{"match": "odd"}, {"match": "bad"}]}`, []string{"ERROR rule[1].match: bad matches nothing", "WARNING rule[0].match: odd matches little"}, false},
	} {
		p := start(t, "cycler")
		r, err := pluginv1.NewPluginServiceClient(p).Configure(t.Context(), &pluginv1.ConfigureRequest{ConfigJson: []byte(c.config)})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range r.GetDiagnostics() {
			got = append(got, strings.TrimPrefix(d.GetSeverity().String(), "SEVERITY_")+" "+pathText(d.GetPath())+": "+d.GetSummary())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q", c.config, got)
		}
		stream, err := allocatorv1.NewAllocatorServiceClient(p).Explain(t.Context(), &allocatorv1.ExplainRequest{FrameworkId: "f"})
		if works := status.Code(err) != codes.FailedPrecondition; works != c.works {
			t.Errorf("%s: a call: %v, %v", c.config, stream, err)
		}
		if c.works {
			eventually(t, "a late warning is logged", func() bool { return strings.Contains(p.stderr.String(), "mode: still nothing") })
		}
	}
}

func pathText(path []*pluginv1.Step) string {
	text := ""
	for _, s := range path {
		switch s := s.GetStep().(type) {
		case *pluginv1.Step_Attribute:
			if text != "" {
				text += "."
			}
			text += s.Attribute
		case *pluginv1.Step_Index:
			text += "[" + string(rune('0'+s.Index)) + "]"
		case *pluginv1.Step_Key:
			text += "{" + s.Key + "}"
		case *pluginv1.Step_Label:
			text += "<" + s.Label + ">"
		}
	}
	return text
}

// For its tools alone a plugin is configured with what is required left out, but with nothing that is wrong.
func TestConfigureForTools(t *testing.T) {
	t.Parallel()
	for config, problems := range map[string]int{`{"rule": [{}]}`: 0, `{"rule": [{}], "count": 4}`: 1, `{"rule": [{"mach": "x"}]}`: 1} {
		r, err := pluginv1.NewPluginServiceClient(start(t, "cycler")).Configure(t.Context(), &pluginv1.ConfigureRequest{
			ConfigJson: []byte(config), DataDir: t.TempDir(), ToolsOnly: true,
		})
		if err != nil || len(r.GetDiagnostics()) != problems {
			t.Errorf("%s: %v, %v", config, r.GetDiagnostics(), err)
		}
	}
}

func TestConfigureOnce(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "cycler", `{"rule": [{"match": "x"}]}`)
	_, err := pluginv1.NewPluginServiceClient(p).Configure(t.Context(), &pluginv1.ConfigureRequest{ConfigJson: []byte(`{}`)})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("configured twice: %v", err)
	}
	eventually(t, "the plugin's log", func() bool {
		log := p.stderr.String()
		return strings.Contains(log, `"@message":"made"`) && strings.Contains(log, `"@level":"info"`) &&
			strings.Contains(log, `"instance":"test"`) && strings.Contains(log, `{x 1m30s}`)
	})
}

func TestStartedByHand(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), testPlugin+"=cycler")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "cycler 1.2.3 is a Mezzo allocator plugin") {
		t.Errorf("err %v, output %s", err, out)
	}
}

// exited tells whether a process is gone. go-plugin waits for it, so it does not stay a zombie.
func exited(p *plugin) func() bool {
	return func() bool { return p.cmd.Process.Signal(syscall.Signal(0)) != nil || p.client.Exited() }
}

func TestEndsWithItsHost(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "authorizer", `{}`)
	// A call in flight does not keep it.
	done := make(chan error, 1)
	go func() {
		_, err := authorizerv1.NewAuthorizerServiceClient(p).Authorize(context.Background(), hangRequest(t))
		done <- err
	}()
	revisions(t, p)
	eventually(t, "a call in flight", hangs(p))
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the plugin's end", exited(p))
	if err := <-done; status.Code(err) != codes.Unavailable && status.Code(err) != codes.Canceled {
		t.Errorf("the call in flight: %v", err)
	}
}

// hangs tells whether the plugin is in a call that hangs.
func hangs(p *plugin) func() bool {
	return func() bool { return strings.Contains(p.stderr.String(), `"@level":"warn","@message":"hanging"`) }
}

// revisions opens the stream of revisions and reads the first, so that the plugin is known to serve.
func revisions(t *testing.T, p *plugin) authorizerv1.AuthorizerService_RevisionsClient {
	t.Helper()
	stream, err := authorizerv1.NewAuthorizerServiceClient(p).Revisions(t.Context(), &authorizerv1.RevisionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := stream.Recv(); err != nil || r.GetRevision() != "r1" {
		t.Fatalf("revision %v, %v", r, err)
	}
	return stream
}

func TestTerminates(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "authorizer", `{}`)
	revisions(t, p)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the plugin's end", exited(p))
}

func TestDrain(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "authorizer", `{}`)
	client := authorizerv1.NewAuthorizerServiceClient(p)
	stream := revisions(t, p)
	hang, cancel := context.WithCancel(t.Context())
	defer cancel()
	hanging := make(chan error, 1)
	go func() {
		_, err := client.Authorize(hang, hangRequest(t))
		hanging <- err
	}()
	base := pluginv1.NewPluginServiceClient(p)
	eventually(t, "a call in flight", hangs(p))
	short, cancelShort := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancelShort()
	if _, err := base.Drain(short, &pluginv1.DrainRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("drain with a call in flight: %v", err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v", err)
	}
	if _, err := client.Filter(t.Context(), &authorizerv1.FilterRequest{Action: "view_task"}); status.Code(err) != codes.Unavailable {
		t.Errorf("a call while draining: %v", err)
	}
	cancel()
	if err := <-hanging; status.Code(err) != codes.Canceled {
		t.Errorf("the call in flight: %v", err)
	}
	if _, err := base.Drain(t.Context(), &pluginv1.DrainRequest{}); err != nil {
		t.Errorf("drain with nothing in flight: %v", err)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "isolator", `{}`)
	client := isolatorv1.NewIsolatorServiceClient(p)
	r := &isolatorv1.PrepareRequest{OperationId: "1", Spec: &isolatorv1.Spec{Container: &isolatorv1.Container{Id: "panic"}}}
	for range 2 { // a panic is not an answer to remember, and leaves no lock behind
		if _, err := client.Prepare(t.Context(), r); status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "cannot prepare") {
			t.Fatalf("a panic: %v", err)
		}
	}
	r.Spec.Container.Id, r.OperationId = "c", "2"
	if _, err := client.Prepare(t.Context(), r); err != nil {
		t.Errorf("after a panic: %v", err)
	}
	// The stack begins where it was: what shows a line cut off shows that.
	at := regexp.MustCompile(`"stack":"[^\\]*\\n\\t[^\\]*plugins_test\.go:`)
	eventually(t, "the panic's stack in the log", func() bool { return at.MatchString(p.stderr.String()) })
}
