//go:build unix

package isolator

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/internal/testbinary"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
	"github.com/mezzo-cluster/mezzo/sdk"
	contract "github.com/mezzo-cluster/mezzo/sdk/isolator"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

var testPlugin string

func TestMain(m *testing.M) { testbinary.Main(m, &testPlugin) }

type config string

func (c config) JSON(*pluginv1.Block) ([]byte, error) { return []byte(c), nil }
func (c config) Explain(_ *pluginv1.Block, d []*pluginv1.Diagnostic) ([]string, error) {
	return nil, errors.New(d[0].GetSummary())
}
func (c config) At(_ string, err error) error { return err }

type fixture struct {
	*Isolator
	t    *testing.T
	host *pluginhost.Host
	spec pluginhost.Spec
	data string
}

func start(t *testing.T, mode string) *fixture {
	t.Helper()
	data := testbinary.ShortDir(t)
	h := pluginhost.New(pluginhost.Options{
		RuntimeDir: filepath.Join(testbinary.ShortDir(t), "run"), DataDir: data, Logger: slog.New(slog.DiscardHandler), StopTimeout: time.Second,
	})
	s := pluginhost.Spec{Kind: "isolator", Name: "test", Binary: testbinary.As(t, testPlugin, "isolator", mode), Config: config("{}")}
	if err := h.Start(t.Context(), []pluginhost.Spec{s}, pluginhost.Strict); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	i := New(h.Of("isolator")[0], slog.New(slog.DiscardHandler))
	return &fixture{Isolator: i, t: t, host: h, spec: s, data: filepath.Join(data, "isolator-test", "containers")}
}

// files are the containers that the plugin has something of.
func (f *fixture) files() []string {
	names, err := filepath.Glob(f.data + "/*")
	if err != nil {
		f.t.Fatal(err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return names
}

// killed kills the plugin and waits until it is back.
func (f *fixture) killed() {
	f.t.Helper()
	before := f.plugin.Status()
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		f.t.Fatal(err)
	}
	f.eventually("the plugin is back", func() bool {
		s := f.plugin.Status()
		return s.State == supervise.Ready && s.PID != before.PID
	})
}

func (f *fixture) eventually(what string, condition func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("never: %s", what)
		}
	}
}

func container(id string) contract.Container { return contract.Container{ID: id, Instance: "agent-1"} }

func TestLife(t *testing.T) {
	t.Parallel()
	f, ctx := start(t, "good"), t.Context()
	if unknown, err := f.Recover(ctx, "agent-1", nil); err != nil || len(unknown) != 0 {
		t.Fatalf("%v, %v", unknown, err)
	}
	c := container("c1")
	plan, err := f.Prepare(ctx, contract.Spec{Container: c, Sandbox: "/tmp"})
	if err != nil || plan.Handle.Plugin != "test" || plan.Handle.Version != "1.2.3" || len(plan.Handle.Data) == 0 || !slices.Contains(plan.Env, "MARKER=none") {
		t.Fatalf("%+v, %v", plan, err)
	}
	c.Handle = plan.Handle
	if err := f.Isolate(ctx, c, 1); err != nil {
		t.Error(err)
	}
	if err := f.Update(ctx, c, resource.Resources{}, nil); err != nil {
		t.Error(err)
	}
	usage, err := f.Usage(ctx, []contract.Container{c, container("other")})
	if err != nil || len(usage) != 1 || usage["c1"].Processes == nil {
		t.Errorf("%v, %v", usage, err)
	}
	if statuses, err := f.Status(ctx, []contract.Container{c}); err != nil || len(statuses) != 1 {
		t.Errorf("%v, %v", statuses, err)
	}
	for range 2 {
		if err := f.Cleanup(ctx, c); err != nil {
			t.Error(err)
		}
	}
	if err := f.Isolate(ctx, c, 1); sdk.CodeOf(err) != sdk.NotFound || !strings.HasPrefix(err.Error(), `isolator "test": container c1`) {
		t.Errorf("got %v", err)
	}
}

// TestRestart: a plugin that is started again hears of the containers there are, and what else it finds is
// cleaned up.
func TestRestart(t *testing.T) {
	t.Parallel()
	f, ctx := start(t, "good"), t.Context()
	if _, err := f.Recover(ctx, "agent-1", nil); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"kept", "gone"} {
		if _, err := f.Prepare(ctx, contract.Spec{Container: container(id)}); err != nil {
			t.Fatal(err)
		}
	}
	f.mu.Lock()
	delete(f.known, "gone") // as if the agent had never heard of it
	f.mu.Unlock()
	f.killed()
	if got := f.files(); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("the plugin has %v", got)
	}
}

// TestCallsWaitForPlugin: a launch waits while the plugin is down, and ends with its context.
func TestCallsWaitForPlugin(t *testing.T) {
	t.Parallel()
	f, ctx := start(t, "good"), t.Context()
	if _, err := f.Recover(ctx, "agent-1", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Prepare(ctx, contract.Spec{Container: container("c1")}); err != nil {
		t.Fatal(err)
	}
	pid := f.plugin.Status().PID
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	// This Prepare kills the plugin each time that it is tried.
	_, err := f.Prepare(short, contract.Spec{Container: container("c2"), Labels: map[string]string{"misbehave": "dies"}})
	if err == nil || sdk.CodeOf(err).Final() || !strings.HasPrefix(err.Error(), `isolator "test": `) {
		t.Errorf("got %v (%v)", err, sdk.CodeOf(err))
	}
	// The next call meets the plugin down, and waits.
	if err := f.Isolate(ctx, container("c1"), 1); err != nil {
		t.Errorf("a call that may wait: %v", err)
	}
	if f.plugin.Status().PID == pid {
		t.Error("the plugin was not killed: the test shows nothing")
	}
}

// TestWatch follows a container over a crash of the plugin, to its end.
func TestWatch(t *testing.T) {
	t.Parallel()
	f, ctx := start(t, "good"), t.Context()
	if _, err := f.Recover(ctx, "agent-1", nil); err != nil {
		t.Fatal(err)
	}
	c := container("c1")
	plan, err := f.Prepare(ctx, contract.Spec{Container: c, Labels: map[string]string{"limit": "yes"}})
	if err != nil {
		t.Fatal(err)
	}
	c.Handle = plan.Handle
	limits := make(chan contract.Limitation, 10)
	var watch sync.WaitGroup
	watch.Go(func() {
		if err := f.Watch(ctx, c, func(l contract.Limitation) error { limits <- l; return nil }); err != nil {
			t.Error(err)
		}
	})
	if l := <-limits; l.Reason != contract.LimitationMemory || l.Used != 2 {
		t.Errorf("%+v", l)
	}
	f.killed()
	<-limits // told again
	if err := f.host.Reload(ctx, f.spec); err != nil {
		t.Fatal(err)
	}
	<-limits
	if err := f.Cleanup(ctx, c); err != nil {
		t.Fatal(err)
	}
	watch.Wait()
}

func TestLies(t *testing.T) {
	t.Parallel()
	f, ctx := start(t, "lies"), t.Context()
	if _, err := f.Recover(ctx, "agent-1", nil); err == nil || !strings.Contains(err.Error(), "breaks its contract") {
		t.Errorf("Recover: %v", err)
	}
	if _, err := f.Prepare(ctx, contract.Spec{Container: container("c1")}); err == nil || !strings.Contains(err.Error(), "/sys/fs/cgroup/../../../etc") {
		t.Errorf("Prepare: %v", err)
	}
	usage, err := f.Usage(ctx, []contract.Container{container("c1")})
	if err != nil || len(usage) != 1 {
		t.Errorf("Usage: %v, %v", usage, err)
	}
	if got := f.plugin.Status().Bugs; got != 2 {
		t.Errorf("%d bugs", got)
	}
}

func TestCheckPlan(t *testing.T) {
	t.Parallel()
	good := contract.Plan{
		Env: []string{"A=b"}, CgroupPaths: []string{"/sys/fs/cgroup/cpu/mezzo/x"},
		Mounts:     []contract.Mount{{Destination: "/x", Type: "bind", Source: "/y"}, {Destination: "/t", Type: "tmpfs", Source: "tmpfs"}},
		Devices:    []contract.Device{{Path: "/dev/null", Type: "c", Access: "rwm"}},
		Namespaces: []contract.Namespace{{Type: contract.NetworkNamespace, Path: "/run/netns/x"}},
		Rlimits:    []contract.Rlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: 2}},
		Prestart:   []contract.Command{{Path: "/bin/true"}}, RootFS: "/roots/1",
	}
	if err := checkPlan(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*contract.Plan){
		"handle":           func(p *contract.Plan) { p.Handle.Data = make([]byte, 64<<10+1) },
		"env":              func(p *contract.Plan) { p.Env = []string{"A"} },
		"env name":         func(p *contract.Plan) { p.Env = []string{"=A"} },
		"many":             func(p *contract.Plan) { p.Env = slices.Repeat([]string{"A=b"}, 1001) },
		"destination":      func(p *contract.Plan) { p.Mounts[0].Destination = "x" },
		"dots":             func(p *contract.Plan) { p.Mounts[0].Destination = "/a/../b" },
		"bind source":      func(p *contract.Plan) { p.Mounts[0].Source = "y" },
		"device type":      func(p *contract.Plan) { p.Devices[0].Type = "cb" },
		"device access":    func(p *contract.Plan) { p.Devices[0].Access = "x" },
		"namespace":        func(p *contract.Plan) { p.Namespaces[0].Type = "net" },
		"namespace twice":  func(p *contract.Plan) { p.Namespaces = append(p.Namespaces, p.Namespaces[0]) },
		"rlimit":           func(p *contract.Plan) { p.Rlimits[0].Soft = 3 },
		"prestart":         func(p *contract.Plan) { p.Prestart[0].Path = "true" },
		"cgroup elsewhere": func(p *contract.Plan) { p.CgroupPaths[0] = "/etc" },
		"rootfs":           func(p *contract.Plan) { p.RootFS = "root\x00" },
	} {
		p := good
		p.Mounts, p.Devices, p.Namespaces = slices.Clone(p.Mounts), slices.Clone(p.Devices), slices.Clone(p.Namespaces)
		p.Rlimits, p.Prestart, p.CgroupPaths = slices.Clone(p.Rlimits), slices.Clone(p.Prestart), slices.Clone(p.CgroupPaths)
		if change(&p); checkPlan(p) == nil {
			t.Errorf("%s: the plan is taken", name)
		}
	}
}
