//go:build unix

package pluginhost

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
)

// TestReload replaces a plugin under load: no call fails, and none is answered by the old process after one
// was by the new.
func TestReload(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := spec(t, "authorizer", "good")
	s.Config = config(`{"marker":"a","pause":"5000000"}`)
	p := f.start(s)
	old := p.Status().PID
	var stop, replaced atomic.Bool
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for !stop.Load() {
				after := replaced.Load()
				revision, err := authorize(t.Context(), p, "alice")
				switch {
				case err != nil:
					t.Errorf("a call failed: %v", err)
					return
				case revision == "b":
					replaced.Store(true)
				case after:
					t.Error("the old process answered after the new one had")
				}
			}
		})
	}
	var recovered atomic.Int32
	p.OnStart(func(context.Context, grpc.ClientConnInterface, *Description) error { recovered.Add(1); return nil })
	s.Config = config(`{"marker":"b"}`)
	if err := f.Reload(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if revision, err := authorize(t.Context(), p, "alice"); err != nil || revision != "b" {
		t.Errorf("after the reload: %q, %v", revision, err)
	}
	stop.Store(true)
	callers.Wait()
	if status := p.Status(); status.PID == old || status.State != supervise.Ready || status.Restarts != 0 {
		t.Errorf("status %+v", status)
	}
	if recovered.Load() != 1 || alive(old) {
		t.Errorf("recovered %d times; the old process is alive: %v", recovered.Load(), alive(old))
	}
}

// TestFailedReload leaves the present process as it was.
func TestFailedReload(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Host.options.DrainTimeout = 100 * time.Millisecond
	s := spec(t, "authorizer", "good")
	s.Config = config(`{"marker":"a"}`)
	p := f.start(s)
	old := p.Status().PID
	check := func(what string, next Spec, want string) {
		t.Helper()
		err := f.Reload(t.Context(), next)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
		if revision, err := authorize(t.Context(), p, "alice"); err != nil || revision != "a" || p.Status().PID != old {
			t.Errorf("%s: then %q, %v, %+v", what, revision, err, p.Status())
		}
	}
	bad := s
	bad.Config = config(`{"path":"/nowhere"}`)
	check("a bad configuration", bad, "explained: stat /nowhere")
	bad = s
	bad.Binary = "/nowhere"
	check("a missing program", bad, "there is no plugin program")
	p.OnStart(func(context.Context, grpc.ClientConnInterface, *Description) error {
		return errors.New("cannot find it")
	})
	check("a failing recovery", s, "recover: cannot find it; the present process goes on")
	p.OnStart(nil)
	if err := f.Reload(t.Context(), Spec{Kind: "authorizer", Name: "other"}); !errors.Is(err, ErrNoPlugin) {
		t.Errorf("an unknown plugin gives %v", err)
	}
}

// TestReloadWaitsForCalls: calls that do not end in time keep the present process.
func TestReloadWaitsForCalls(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Host.options.DrainTimeout = 200 * time.Millisecond
	s := spec(t, "authorizer", "good")
	s.Config = config(`{"marker":"a","pause":"3600000000000"}`)
	s.Timeout = time.Hour
	p := f.start(s)
	ctx, cancel := context.WithCancel(t.Context())
	var caller sync.WaitGroup
	caller.Go(func() { _, _ = authorize(ctx, p, "alice") })
	eventually(t, "the call is in flight", func() bool {
		p.route.mu.Lock()
		defer p.route.mu.Unlock()
		return p.route.target.calls == 1
	})
	next := s
	next.Config = config(`{"marker":"b"}`)
	if err := f.Reload(t.Context(), next); err == nil || !strings.Contains(err.Error(), "1 calls to the present process did not end in time") {
		t.Errorf("got %v", err)
	}
	cancel()
	caller.Wait()
	if err := f.Reload(t.Context(), next); err != nil {
		t.Error(err)
	}
}

// TestReloadEndsStreams: a stream ends with the process it leads to, and a new one leads to the new process.
func TestReloadEndsStreams(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := spec(t, "authorizer", "good")
	s.Config = config(`{"marker":"a"}`)
	p := f.start(s)
	client := authorizerv1.NewAuthorizerServiceClient(p.WaitingConn())
	open := func() (string, grpc.ServerStreamingClient[authorizerv1.RevisionsResponse]) {
		stream, err := client.Revisions(t.Context(), &authorizerv1.RevisionsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		first, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return first.GetRevision(), stream
	}
	revision, stream := open()
	next := s
	next.Config = config(`{"marker":"b"}`)
	if err := f.Reload(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	// It is the host that ends it, before the old process is asked to drain.
	if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("the old stream gives %v", err)
	}
	again, _ := open()
	if revision != "a" || again != "b" {
		t.Errorf("revisions %q and %q", revision, again)
	}
}

// TestReloadOfDownPlugin starts it at once.
func TestReloadOfDownPlugin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := spec(t, "authorizer", "early")
	if err := f.Start(t.Context(), []Spec{s}, Degraded); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it backs off", func() bool { return f.List()[0].Restarts >= 2 })
	if err := f.Reload(t.Context(), spec(t, "authorizer", "good")); err != nil {
		t.Fatal(err)
	}
	if got := f.List()[0]; got.State != supervise.Ready {
		t.Errorf("status %+v", got)
	}
	kill(t, f.List()[0].PID, syscall.SIGKILL)
	eventually(t, "the new one is restarted", func() bool { return f.List()[0].State == supervise.Ready })
}
