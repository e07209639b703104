//go:build windows

package windows

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/authorizer"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/cgroup"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/process"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
	contract "github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// The test plugin and, in a process that is to be killed, the folder and the plugin of a host.
const (
	pluginVariable = "MEZZO_TEST_PLUGIN"
	hostVariable   = "MEZZO_TEST_HOST"
	runVariable    = "MEZZO_TEST_RUN"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(hostVariable); dir != "" {
		runHost(dir, os.Getenv(runVariable))
	}
	os.Exit(m.Run())
}

// newDir is a folder for a test. It is removed step by step, since Wine 8 cannot do what os.RemoveAll asks of it.
func newDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mz")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		eventually(t, dir+" is removed", func() bool {
			clearDir(t, dir)
			return os.Remove(dir) == nil
		})
	})
	return dir
}

// clearDir removes what is in a folder.
func clearDir(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			clearDir(t, path)
		}
		_ = os.Remove(path)
	}
}

// removesAll tells whether os.RemoveAll, with which a host tidies up, works here.
func removesAll(t *testing.T) bool {
	t.Helper()
	full := filepath.Join(newDir(t), "full")
	if err := os.MkdirAll(filepath.Join(full, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := os.RemoveAll(full)
	if err != nil && !errors.Is(err, windows.ERROR_INVALID_FUNCTION) {
		t.Fatal(err)
	}
	return err == nil
}

// as copies the test plugin to a name that says how it behaves.
func as(t *testing.T, mode string) string {
	t.Helper()
	from := os.Getenv(pluginVariable)
	if from == "" {
		t.Fatalf("%s is not set; scripts/windows sets it", pluginVariable)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(newDir(t), "authorizer-"+mode+".exe")
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
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

func options(dir string, log io.Writer) pluginhost.Options {
	return pluginhost.Options{
		RuntimeDir: filepath.Join(dir, "run"), DataDir: filepath.Join(dir, "data"), Logger: slog.New(slog.NewTextHandler(log, nil)),
		StartTimeout: 20 * time.Second, StopTimeout: 2 * time.Second, HealthInterval: 200 * time.Millisecond,
	}
}

func newSpec(binary string) pluginhost.Spec {
	return pluginhost.Spec{Kind: "authorizer", Name: "test", Binary: binary}
}

// start starts a host with one plugin. Both end with the test.
func start(t *testing.T, mode string) (*pluginhost.Host, *pluginhost.Plugin, *logs) {
	t.Helper()
	l := &logs{}
	h := pluginhost.New(options(newDir(t), l))
	if err := h.Start(t.Context(), []pluginhost.Spec{newSpec(as(t, mode))}, pluginhost.Strict); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	p, err := h.Plugin("authorizer", "test")
	if err != nil {
		t.Fatal(err)
	}
	return h, p, l
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// watched is a process that is known by a handle, so that its id cannot become another's.
type watched struct{ handle windows.Handle }

func watch(t *testing.T, pid int) watched {
	t.Helper()
	h, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		t.Fatalf("open process %d: %v", pid, err)
	}
	t.Cleanup(func() { _ = windows.CloseHandle(h) })
	return watched{h}
}

func (w watched) alive() bool {
	event, err := windows.WaitForSingleObject(w.handle, 0)
	return err == nil && event == uint32(windows.WAIT_TIMEOUT)
}

func (w watched) kill(t *testing.T) {
	t.Helper()
	if err := windows.TerminateProcess(w.handle, 9); err != nil {
		t.Fatal(err)
	}
}

// TestStartCallStop calls a plugin, which sees only what it is meant to, and stops it.
func TestStartCallStop(t *testing.T) {
	h, p, _ := start(t, "good")
	answer, err := authorizer.New(p).Authorize(t.Context(), contract.Request{Subject: contract.Subject{Principal: "alice"}, Action: "run_task"})
	if err != nil || len(answer.Decisions) != 1 || !answer.Decisions[0].Allowed {
		t.Fatalf("%+v, %v", answer, err)
	}
	s := p.Status()
	if s.State != supervise.Ready || len(s.SHA256) != 64 || s.PID == 0 {
		t.Errorf("status %+v", s)
	}
	process := watch(t, s.PID)
	began := time.Now()
	h.Stop()
	if process.alive() {
		t.Error("it is there after Stop")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("asked to end, it took %v: it was killed", took)
	}
}

// TestKilledIsRestarted: the end of a plugin is seen, and what it has started ends with it.
func TestKilledIsRestarted(t *testing.T) {
	_, p, l := start(t, "grandchild")
	child := watch(t, grandchild(t, l))
	first := p.Status().PID
	watch(t, first).kill(t)
	eventually(t, "it is restarted", func() bool { s := p.Status(); return s.State == supervise.Ready && s.PID != first })
	if child.alive() {
		t.Error("the grandchild is there")
	}
	if got := p.Status().LastError; !strings.Contains(got, "exit status 9") {
		t.Errorf("it does not say how it ended: %s", got)
	}
}

// grandchild reads the process that a plugin has started off what it prints.
func grandchild(t *testing.T, l *logs) (pid int) {
	t.Helper()
	eventually(t, "it has a grandchild", func() bool {
		_, after, found := strings.Cut(l.String(), "grandchild ")
		number, _, line := strings.Cut(after, "\"")
		var err error
		pid, err = strconv.Atoi(number)
		return found && line && err == nil
	})
	return pid
}

// runHost is a host in a process of its own, to be killed.
func runHost(dir, binary string) {
	l := &logs{}
	h := pluginhost.New(options(dir, io.MultiWriter(l, os.Stderr)))
	if err := h.Start(context.Background(), []pluginhost.Spec{newSpec(binary)}, pluginhost.Strict); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("plugin", h.List()[0].PID)
	select {}
}

// TestHostIsKilled: a plugin ends with its host, which could not tell it anything, and with what it has started. One of
// the two plugins does not even look whether its host is there.
func TestHostIsKilled(t *testing.T) {
	for _, mode := range []string{"grandchild", "lies"} {
		t.Run(mode, func(t *testing.T) {
			dir := newDir(t)
			host := exec.Command(os.Args[0])
			host.Env = append(os.Environ(), hostVariable+"="+dir, runVariable+"="+as(t, mode))
			l := &logs{}
			host.Stderr = l
			out, err := host.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = host.Process.Kill() })
			line, err := bufio.NewReader(out).ReadString('\n')
			pid, wrong := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "plugin ")))
			if err != nil || wrong != nil {
				t.Fatalf("the host says %q, %v", line, err)
			}
			family := []watched{watch(t, pid)}
			if mode == "grandchild" {
				family = append(family, watch(t, grandchild(t, l)))
			}
			other := pluginhost.New(options(dir, l))
			if err := other.Start(t.Context(), nil, pluginhost.Strict); err == nil || !strings.Contains(err.Error(), "another mezzo") {
				t.Errorf("a second host in the same folder: %v", err)
			}
			for _, w := range family {
				if !w.alive() {
					t.Fatal("the test shows nothing")
				}
			}
			if err := host.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = host.Wait()
			for _, w := range family {
				eventually(t, "it ends", func() bool { return !w.alive() })
			}
			if !removesAll(t) {
				clearDir(t, filepath.Join(dir, "run"))
			}
			next := pluginhost.New(options(dir, l))
			if err := next.Start(t.Context(), nil, pluginhost.Strict); err != nil {
				t.Fatal(err)
			}
			next.Stop()
			if _, err := os.Stat(filepath.Join(dir, "run")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the runtime folder is there: %v", err)
			}
		})
	}
}

// TestMuteIsKilled: a plugin that says nothing, and does not look at what it is told, is ended.
func TestMuteIsKilled(t *testing.T) {
	l := &logs{}
	o := options(newDir(t), l)
	o.StartTimeout = 2 * time.Second
	binary := as(t, "mute")
	err := pluginhost.New(o).Start(t.Context(), []pluginhost.Spec{newSpec(binary)}, pluginhost.Strict)
	if err == nil || !strings.Contains(err.Error(), "was not ready in time") && !strings.Contains(err.Error(), "timeout") {
		t.Fatalf("got %v", err)
	}
	// The program of a process that runs cannot be written to.
	if err := os.WriteFile(binary, nil, 0o755); err != nil {
		t.Errorf("it runs: %v", err)
	}
}

// TestCannotBeReplaced: what was hashed is what is executed, since nothing else can come in its place meanwhile.
func TestCannotBeReplaced(t *testing.T) {
	path := as(t, "good")
	other := as(t, "old")
	b, err := process.OpenBinary(path, "")
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func() error{
		"rename":    func() error { return os.Rename(path, path+".away") },
		"replace":   func() error { return os.Rename(other, path) },
		"remove":    func() error { return os.Remove(path) },
		"overwrite": func() error { return os.WriteFile(path, []byte("something else"), 0o755) },
	} {
		if err := change(); err == nil {
			t.Errorf("%s: it was possible", what)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Errorf("once closed: %v", err)
	}
}

// TestNotHere: what Windows does not have is refused, by name.
func TestNotHere(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*pluginhost.Spec)
		want   string
	}{
		"user":   {func(s *pluginhost.Spec) { s.User = "nobody" }, `run as user "nobody", group "": not possible on Windows`},
		"group":  {func(s *pluginhost.Spec) { s.Group = "nogroup" }, `group "nogroup": not possible on Windows`},
		"cgroup": {func(s *pluginhost.Spec) { s.Cgroup = &cgroup.Limits{} }, "no cgroup can be made: windows has none"},
		"tls":    {func(s *pluginhost.Spec) { s.Plain = true }, "are not spoken to without TLS"},
		"sum":    {func(s *pluginhost.Spec) { s.SHA256 = strings.Repeat("0", 64) }, process.ErrChecksum.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpec(as(t, "good"))
			c.change(&s)
			err := pluginhost.New(options(newDir(t), io.Discard)).Start(t.Context(), []pluginhost.Spec{s}, pluginhost.Strict)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestOnlyOwnPorts: a plugin cannot have its host connect to another machine, or to what a machine on Linux has.
func TestOnlyOwnPorts(t *testing.T) {
	b, err := process.OpenBinary(as(t, "good"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p, err := process.New(process.Spec{Binary: b, SocketDir: newDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.PluginToHost("tcp", "127.0.0.1:1234"); err != nil {
		t.Error(err)
	}
	for _, a := range [][2]string{{"tcp", "10.0.0.1:80"}, {"tcp", "localhost:80"}, {"tcp", "127.0.0.1:0"}, {"unix", `C:\x.sock`}, {"udp", "127.0.0.1:53"}} {
		if _, _, err := p.PluginToHost(a[0], a[1]); err == nil {
			t.Errorf("%v is taken", a)
		}
	}
}
