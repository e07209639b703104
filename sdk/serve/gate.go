package serve

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/errorconv"
)

// gate lets calls of a kind's services in once the plugin is configured, and none while it drains.
type gate struct {
	log *slog.Logger
	// draining ends the streams.
	draining context.Context //nolint:containedctx // it is the state of the gate itself
	cancel   context.CancelCauseFunc

	mu       sync.Mutex
	isOpen   bool
	inFlight int
	idle     chan struct{} // closed when nothing is in flight; made by drain
}

var errDraining = errors.New("the plugin is draining")

func newGate(log *slog.Logger) *gate {
	g := &gate{log: log}
	g.draining, g.cancel = context.WithCancelCause(context.Background())
	return g
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.isOpen = true
}

func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.draining.Err() != nil:
		return status.Error(codes.Unavailable, errDraining.Error())
	case !g.isOpen:
		return status.Error(codes.FailedPrecondition, "the plugin is not configured")
	}
	g.inFlight++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	if g.inFlight == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// drain refuses new calls, ends the streams and waits until nothing is in flight.
func (g *gate) drain(ctx context.Context) error {
	g.cancel(errDraining)
	g.mu.Lock()
	if g.inFlight == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// guarded tells whether a method is one of a kind's services.
func guarded(method string) bool {
	return strings.HasPrefix(method, "/mezzo.") && !strings.HasPrefix(method, "/mezzo.plugin.")
}

// unary is around every call: it keeps the gate, and makes statuses of errors and panics.
func (g *gate) unary(ctx context.Context, r any, info *grpc.UnaryServerInfo, call grpc.UnaryHandler) (resp any, err error) {
	defer func() { err = g.caught(recover(), info.FullMethod, err) }()
	if guarded(info.FullMethod) {
		if err := g.enter(); err != nil {
			return nil, err
		}
		defer g.leave()
	}
	return call(ctx, r)
}

// stream is around every stream, as unary is around calls. Draining ends the stream's context.
func (g *gate) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, call grpc.StreamHandler) (err error) {
	defer func() { err = g.caught(recover(), info.FullMethod, err) }()
	if !guarded(info.FullMethod) {
		return call(srv, s)
	}
	if err := g.enter(); err != nil {
		return err
	}
	defer g.leave()
	ctx, cancel := context.WithCancelCause(s.Context())
	defer cancel(nil)
	stop := context.AfterFunc(g.draining, func() { cancel(errDraining) })
	defer stop()
	err = call(srv, drainable{ServerStream: s, ctx: ctx})
	if err != nil && errors.Is(context.Cause(ctx), errDraining) {
		return nil
	}
	return err
}

// drainable is a stream whose context ends when the plugin drains.
type drainable struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // gRPC's interface asks for it
}

// Context is the stream's.
func (d drainable) Context() context.Context { return d.ctx }

// caught makes a status of what a call ended with.
func (g *gate) caught(panicked any, method string, err error) error {
	if panicked == nil {
		return errorconv.ToStatus(err)
	}
	g.log.Error("plugin panicked", "method", method, "panic", panicked, "stack", panicStack(string(debug.Stack())))
	return status.Errorf(codes.Internal, "panic: %v", panicked)
}

// panicStack is a stack from where it panicked on: a log line that is cut off still has that.
func panicStack(stack string) string {
	i := strings.LastIndex(stack, "\npanic(")
	if i < 0 {
		return stack
	}
	from := strings.SplitN(stack[i+1:], "\n", 3) // the call of panic, and its line
	return from[len(from)-1]
}
