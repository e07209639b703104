//go:build unix

package authorizer

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/internal/testbinary"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
	"github.com/mezzo-cluster/mezzo/sdk"
	contract "github.com/mezzo-cluster/mezzo/sdk/authorizer"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

var testPlugin string

func TestMain(m *testing.M) { testbinary.Main(m, &testPlugin) }

type config string

func (c config) JSON(*pluginv1.Block) ([]byte, error) { return []byte(c), nil }
func (c config) Explain(_ *pluginv1.Block, d []*pluginv1.Diagnostic) ([]string, error) {
	return nil, errors.New(d[0].GetSummary())
}
func (c config) At(_ string, err error) error { return err }

func start(t *testing.T, mode string, c config) (*pluginhost.Host, *pluginhost.Plugin, pluginhost.Spec) {
	t.Helper()
	h := pluginhost.New(pluginhost.Options{
		RuntimeDir: filepath.Join(testbinary.ShortDir(t), "run"), Logger: slog.New(slog.DiscardHandler), StopTimeout: time.Second,
	})
	s := pluginhost.Spec{Kind: "authorizer", Name: "test", Binary: testbinary.As(t, testPlugin, "authorizer", mode), Config: c, Timeout: 5 * time.Second}
	if err := h.Start(t.Context(), []pluginhost.Spec{s}, pluginhost.Strict); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	return h, h.Of("authorizer")[0], s
}

func request(principal string, objects int) contract.Request {
	r := contract.Request{Subject: contract.Subject{Principal: principal}, Action: contract.RunTask}
	for range objects {
		r.Objects = append(r.Objects, contract.Object{Kind: contract.TaskKind, Fields: map[string]any{"user": "root"}})
	}
	return r
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	_, p, _ := start(t, "good", `{"marker":"r1"}`)
	a := New(p)
	for _, objects := range []int{0, 1, 5000} {
		answer, err := a.Authorize(t.Context(), request("alice", objects))
		if err != nil || len(answer.Decisions) != max(1, objects) || !answer.Decisions[0].Allowed || answer.Revision != "r1" {
			t.Errorf("%d objects: %d decisions, %v", objects, len(answer.Decisions), err)
		}
	}
	answer, err := a.Authorize(t.Context(), request("nobody", 1))
	if err != nil || answer.Decisions[0].Allowed || answer.Decisions[0].Reason == "" {
		t.Errorf("%+v, %v", answer, err)
	}
	filter, err := a.Filter(t.Context(), contract.Subject{Principal: "nobody"}, contract.ViewTask)
	if err != nil || filter.Predicate.Op != contract.False {
		t.Errorf("%+v, %v", filter, err)
	}
}

// TestLies: an answer that does not fit the question is an error, and counted as a bug of the plugin.
func TestLies(t *testing.T) {
	t.Parallel()
	_, p, _ := start(t, "lies", `{"marker":"r1"}`)
	a := New(p)
	_, err := a.Authorize(t.Context(), request("alice", 1))
	if err == nil || !strings.HasPrefix(err.Error(), `authorizer "test": the plugin breaks its contract: 3 decisions about 1 objects`) || sdk.CodeOf(err) != sdk.Unknown {
		t.Errorf("got %v", err)
	}
	if _, err := a.Filter(t.Context(), contract.Subject{}, contract.ViewTask); err == nil || !strings.Contains(err.Error(), "revision") {
		t.Errorf("got %v", err)
	}
	if got := p.Status().Bugs; got != 2 {
		t.Errorf("%d bugs", got)
	}
}

// TestDown: nothing is allowed while the plugin is away, and the error says so at once.
func TestDown(t *testing.T) {
	t.Parallel()
	h, p, _ := start(t, "good", `{"marker":"r1"}`)
	a := New(p)
	h.Stop()
	_, err := a.Authorize(t.Context(), request("alice", 1))
	if !errors.Is(err, pluginhost.ErrDown) || sdk.CodeOf(err) != sdk.Unavailable || !strings.HasPrefix(err.Error(), `authorizer "test": `) {
		t.Errorf("got %v", err)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	_, p, s := start(t, "good", `{"pause":"3600000000000"}`)
	_ = s
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := New(p).Authorize(ctx, request("alice", 1))
	if sdk.CodeOf(err) != sdk.DeadlineExceeded || sdk.CodeOf(err).Final() {
		t.Errorf("got %v (%v)", err, sdk.CodeOf(err))
	}
}

// TestRevisions follows the policy over a crash and a reload.
func TestRevisions(t *testing.T) {
	t.Parallel()
	h, p, s := start(t, "good", `{"marker":"r1"}`)
	ctx, cancel := context.WithCancel(t.Context())
	revisions := make(chan string, 10)
	done := make(chan error, 1)
	go func() {
		done <- New(p).Revisions(ctx, func(r contract.Revision) error { revisions <- r.ID; return nil })
	}()
	next := func(want string) {
		t.Helper()
		select {
		case got := <-revisions:
			if got != want {
				t.Errorf("revision %q, want %q", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("no revision comes")
		}
	}
	next("r1")
	pid := p.Status().PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	next("r1")
	for p.Status().State != supervise.Ready || p.Status().PID == pid {
		time.Sleep(5 * time.Millisecond)
	}
	s.Config = config(`{"marker":"r2"}`)
	if err := h.Reload(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	next("r2")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
