//go:build unix

package pluginhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/internal/testbinary"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

var testPlugin string

func TestMain(m *testing.M) {
	if dir := os.Getenv("MEZZO_TEST_HOST"); dir != "" {
		runHost(dir)
	}
	testbinary.Main(m, &testPlugin)
}

// logs is a log that tests look into.
type logs struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// fixture is a host with short times.
type fixture struct {
	*Host
	t       *testing.T
	options Options
	logs    *logs
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	l := &logs{}
	o := Options{
		RuntimeDir: filepath.Join(testbinary.ShortDir(t), "run"), DataDir: filepath.Join(testbinary.ShortDir(t), "data"),
		Logger:       slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})),
		StartTimeout: 20 * time.Second, StopTimeout: 2 * time.Second, DrainTimeout: 10 * time.Second,
		HealthInterval: 100 * time.Millisecond, HealthTimeout: 2 * time.Second,
	}
	f := &fixture{Host: New(o), t: t, options: o, logs: l}
	t.Cleanup(func() {
		pids := f.pids()
		f.Stop()
		for _, pid := range pids {
			if alive(pid) {
				t.Errorf("process %d is there after Stop", pid)
			}
		}
		if _, err := os.Stat(o.RuntimeDir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the runtime folder is there after Stop: %v", err)
		}
	})
	return f
}

func (f *fixture) pids() []int {
	var pids []int
	for _, s := range f.List() {
		if s.PID != 0 {
			pids = append(pids, s.PID)
		}
	}
	return pids
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// config is a configuration that is JSON already.
type config string

func (c config) JSON(*pluginv1.Block) ([]byte, error) { return []byte(c), nil }

func (c config) Explain(_ *pluginv1.Block, diagnostics []*pluginv1.Diagnostic) (warnings []string, err error) {
	for _, d := range diagnostics {
		if d.GetSeverity() == pluginv1.Severity_SEVERITY_WARNING {
			warnings = append(warnings, "explained: "+d.GetSummary())
		} else {
			err = fmt.Errorf("explained: %s", d.GetSummary())
		}
	}
	return warnings, err
}

func (c config) At(name string, err error) error { return fmt.Errorf("at %s: %w", name, err) }

func spec(t *testing.T, kind, mode string) Spec {
	t.Helper()
	return Spec{Kind: kind, Name: "test", Binary: testbinary.As(t, testPlugin, kind, mode), Config: config("{}")}
}

func (f *fixture) start(specs ...Spec) *Plugin {
	f.t.Helper()
	if err := f.Start(f.t.Context(), specs, Strict); err != nil {
		f.t.Fatal(err)
	}
	return f.all()[0]
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// authorize makes a call, and returns the revision that answered, which is the configuration's marker.
func authorize(ctx context.Context, p *Plugin, principal string) (string, error) {
	answer, err := authorizerv1.NewAuthorizerServiceClient(p.Conn()).Authorize(ctx, &authorizerv1.AuthorizeRequest{
		Subject: &authorizerv1.Subject{Principal: principal}, Action: "run_task",
	})
	return answer.GetRevision(), err
}

func TestStartCallStop(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(spec(t, "authorizer", "good"), spec(t, "isolator", "good"), spec(t, "allocator", "good"))
	p, err := f.Plugin("authorizer", "test")
	if err != nil {
		t.Fatal(err)
	}
	if revision, err := authorize(t.Context(), p, "alice"); err != nil || revision != "none" {
		t.Fatalf("%q, %v", revision, err)
	}
	s := p.Status()
	if s.State != supervise.Ready || s.Version != "1.2.3" || s.PID == 0 || s.Memory == 0 || len(s.SHA256) != 64 || s.Restarts != 0 {
		t.Errorf("status %+v", s)
	}
	if len(s.RPCs) != 1 || s.RPCs[0].Method != "Authorize" || s.RPCs[0].Count != 1 || s.RPCs[0].P99 == 0 {
		t.Errorf("calls %+v", s.RPCs)
	}
	if got := f.Problems(); len(got) != 0 {
		t.Errorf("problems %q", got)
	}
	if _, err := f.Plugin("authorizer", "other"); !errors.Is(err, ErrNoPlugin) {
		t.Errorf("an unknown plugin gives %v", err)
	}
	pid := s.PID
	f.Stop()
	if alive(pid) {
		t.Error("the process is there after Stop")
	}
	if _, err := authorize(t.Context(), p, "alice"); !errors.Is(err, ErrDown) {
		t.Errorf("a call after Stop gives %v", err)
	}
}

// TestPrivileges looks at what a plugin process has of its host.
func TestPrivileges(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test needs root")
	}
	t.Setenv("MEZZO_TEST_SECRET", "secret")
	t.Setenv("MEZZO_TEST_PASSED", "passed")
	f := newFixture(t)
	s := spec(t, "authorizer", "good")
	s.User, s.Env = "nobody", []string{"MEZZO_TEST_PASSED", "MEZZO_TEST_NOT_SET"}
	p := f.start(s)
	pid := p.Status().PID
	status := procStatus(t, pid)
	for name, want := range map[string]string{"Uid": "65534\t65534\t65534\t65534", "Gid": "65534\t65534\t65534\t65534", "Groups": "", "CapEff": "0000000000000000"} {
		if status[name] != want {
			t.Errorf("%s is %q, want %q", name, status[name], want)
		}
	}
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range strings.Split(string(environment), "\x00") {
		name, _, _ := strings.Cut(e, "=")
		names = append(names, name)
	}
	if got := strings.Join(names, " "); strings.Contains(got, "SECRET") || strings.Contains(got, "HOME") || strings.Contains(got, "NOT_SET") || !strings.Contains(got, "MEZZO_TEST_PASSED") {
		t.Errorf("the environment has %s", got)
	}
	if pgid, err := syscall.Getpgid(pid); err != nil || pgid != pid {
		t.Errorf("process group %d, %v; want its own, %d", pgid, err, pid)
	}
	folders, err := filepath.Glob(f.options.RuntimeDir + "/*/plugin-dir*")
	if err != nil || len(folders) != 1 {
		t.Fatalf("socket folders %v, %v", folders, err)
	}
	info, err := os.Stat(folders[0])
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 65534 || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket folder belongs to %d with mode %v", uid, info.Mode())
	}
	if _, err := authorize(t.Context(), p, "alice"); err != nil {
		t.Error(err)
	}
}

func procStatus(t *testing.T, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		out[name] = strings.TrimSpace(value)
	}
	return out
}

// TestDoesNotStart has a case for each way in which a plugin may not start: the error says what is wrong and
// nothing stays.
func TestDoesNotStart(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		change func(*Spec)
		mode   string
		want   []string
	}{
		"no such binary":   {change: func(s *Spec) { s.Binary = "/nowhere/authorizer-x" }, want: []string{"there is no plugin program /nowhere/authorizer-x"}},
		"a folder":         {change: func(s *Spec) { s.Binary = "/tmp" }, want: []string{"/tmp is not a program but a folder"}},
		"not executable":   {change: func(s *Spec) { s.Binary = "/etc/passwd" }, want: []string{"chmod +x"}},
		"wrong checksum":   {change: func(s *Spec) { s.SHA256 = sum }, want: []string{"the checksum does not match", sum}},
		"unknown user":     {change: func(s *Spec) { s.User = "no-such-user" }, want: []string{`user "no-such-user"`}},
		"wrong kind":       {change: func(s *Spec) { s.Kind = "isolator" }, want: []string{"is no isolator; it is: authorizer"}},
		"bad config":       {change: func(s *Spec) { s.Config = config(`{"path":"/nowhere"}`) }, want: []string{"explained: stat /nowhere"}},
		"old contract":     {mode: "old", want: []string{"mezzo.authorizer.v0.Service", "mezzo.authorizer.v1.AuthorizerService", "authorizer-old"}},
		"ends early":       {mode: "early", want: []string{"exit status 3", "the moon is in the wrong phase"}},
		"says nothing":     {mode: "mute", want: []string{"not ready in time"}},
		"says garbage":     {mode: "garbage", want: []string{`it printed "Hello! I am a plugin`, "with nothing before it"}},
		"listens wherever": {mode: "elsewhere", want: []string{"/run/elsewhere.sock, which is not a socket in its folder"}},
		"other protocol":   {mode: "protocol", want: []string{"incompatible API version"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			if c.mode == "mute" {
				f.Host.options.StartTimeout = 6 * time.Second // which it takes, and another is to start in it
			}
			mode := c.mode
			if mode == "" {
				mode = "good"
			}
			s := spec(t, "authorizer", mode)
			if c.change != nil {
				c.change(&s)
			}
			good := spec(t, "isolator", "good")
			good.Name = "first"
			err := f.Start(t.Context(), []Spec{good, s}, Strict)
			if err == nil {
				t.Fatal("it has started")
			}
			for _, want := range append(c.want, s.String()+": ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
			if log := f.logs.String(); strings.Contains(log, "retry_in") {
				t.Errorf("the log says that it is tried again: %s", log)
			}
			eventually(t, "no process is left", func() bool { return len(running(good.Binary))+len(running(s.Binary)) == 0 })
			if _, err := os.Stat(f.options.RuntimeDir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the runtime folder is there: %v", err)
			}
		})
	}
}

// running gives the processes that were started as the given program.
func running(argv0 string) []int {
	var out []int
	entries, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, e := range entries {
		text, err := os.ReadFile(e)
		if name, _, _ := strings.Cut(string(text), "\x00"); err == nil && name == argv0 && argv0 != "" {
			pid, _ := strconv.Atoi(strings.Split(e, "/")[2])
			out = append(out, pid)
		}
	}
	return out
}

func TestChecksumRequired(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Host.options.RequireChecksum = true
	err := f.Start(t.Context(), []Spec{spec(t, "authorizer", "good")}, Strict)
	if err == nil || !strings.Contains(err.Error(), "no sha256 is configured") {
		t.Fatalf("got %v", err)
	}
}

// TestDegraded goes on without a plugin that does not start, and takes it in once it does.
func TestDegraded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	missing := spec(t, "authorizer", "good")
	saved := missing.Binary + ".saved"
	if err := os.Rename(missing.Binary, saved); err != nil {
		t.Fatal(err)
	}
	if err := f.Start(t.Context(), []Spec{missing}, Degraded); err != nil {
		t.Fatal(err)
	}
	if got := f.Problems(); len(got) != 1 || !strings.Contains(got[0], "there is no plugin program") {
		t.Errorf("problems %q", got)
	}
	p := f.all()[0]
	if _, err := authorize(t.Context(), p, "alice"); !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), "no plugin program") {
		t.Errorf("a call gives %v", err)
	}
	if err := os.Rename(saved, missing.Binary); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the plugin is ready", func() bool { return p.Status().State == supervise.Ready })
}
