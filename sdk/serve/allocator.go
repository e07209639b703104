package serve

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/allocatorconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
)

// allocatorServer is the wire's end of an Allocator. It serves one Run at a time; a new one ends the one
// before it.
type allocatorServer struct {
	allocatorv1.UnimplementedAllocatorServiceServer
	allocator allocator.Allocator
	base      *base

	mu      sync.Mutex
	current *allocation
}

// allocation is the Run that is going on.
type allocation struct {
	cancel  context.CancelCauseFunc
	done    chan struct{}
	explain chan explainCall
}

// explainCall is a question that the Run's loop answers, so that the plugin's calls never overlap.
type explainCall struct {
	framework string
	answer    chan explainAnswer // of capacity 1
}

type explainAnswer struct {
	explanation allocator.Explanation
	err         error
}

var errSuperseded = errors.New("another Run has begun")

// Run allocates for as long as the stream is open.
func (s *allocatorServer) Run(stream grpc.BidiStreamingServer[allocatorv1.RunRequest, allocatorv1.RunResponse]) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	a := &allocation{cancel: cancel, done: make(chan struct{}), explain: make(chan explainCall)}
	if err := s.begin(ctx, a); err != nil {
		return err
	}
	defer s.end(a)

	in, out, sent := make(chan received, 64), make(chan *outgoing, 64), make(chan struct{})
	// The receiver ends when the stream does, which is after this returns; it touches nothing of the plugin's.
	wire := allocatorconv.NewPluginStream(stream)
	go receive(ctx, wire, in)
	go func() {
		defer close(sent)
		if err := send(wire, out); err != nil {
			cancel(err)
		}
	}()
	l := newLoop(s.allocator, in, out, a.explain, s.base.log)
	err := l.run(ctx)
	close(out)
	select {
	case <-sent:
	case <-ctx.Done(): // the host may have stopped reading; the sender ends with the stream
	}
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// begin makes a the current Run, after the one before it has ended.
func (s *allocatorServer) begin(ctx context.Context, a *allocation) error {
	for {
		s.mu.Lock()
		before := s.current
		if before == nil {
			s.current = a
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		before.cancel(status.Error(codes.Aborted, errSuperseded.Error()))
		select {
		case <-before.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *allocatorServer) end(a *allocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = nil
	close(a.done)
}

// Explain says why a framework is not offered more.
func (s *allocatorServer) Explain(ctx context.Context, r *allocatorv1.ExplainRequest) (*allocatorv1.ExplainResponse, error) {
	s.mu.Lock()
	a := s.current
	s.mu.Unlock()
	if a == nil {
		return nil, status.Error(codes.Unavailable, "the plugin does not know the cluster: no Run is open")
	}
	call := explainCall{framework: r.GetFrameworkId(), answer: make(chan explainAnswer, 1)}
	select {
	case a.explain <- call:
	case <-a.done:
		return nil, status.Error(codes.Unavailable, "the Run has ended")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case answer := <-call.answer:
		if answer.err != nil {
			return nil, answer.err
		}
		return allocatorconv.ExplanationToProto(answer.explanation), nil
	case <-a.done:
		return nil, status.Error(codes.Unavailable, "the Run has ended")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// received is a message of the host, decoded, or the reason why there is none.
type received struct {
	allocatorconv.Request
	err error
}

// receive decodes what comes until the stream ends; err is the last then, and io.EOF is a regular end.
func receive(ctx context.Context, stream *allocatorconv.PluginStream, in chan<- received) {
	defer close(in)
	for {
		m, err := stream.Recv()
		select {
		case in <- received{m, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// outgoing is what the plugin tells, before it is encoded. One of the fields is set.
type outgoing struct {
	allocations []allocator.Allocation
	inverse     []allocator.InverseOffer
	progress    *uint64
	lost        string // why a snapshot is wanted
}

// send encodes what comes until the channel is closed. After an error it only empties the channel.
func send(stream *allocatorconv.PluginStream, out <-chan *outgoing) error {
	var failed error
	for o := range out {
		if failed == nil {
			failed = stream.Send(o.encode())
		}
	}
	return failed
}

func (o *outgoing) encode() allocatorconv.Frame {
	switch {
	case o.allocations != nil:
		return allocatorconv.AllocationsFrame(o.allocations)
	case o.inverse != nil:
		return allocatorconv.InverseOffersFrame(o.inverse)
	case o.progress != nil:
		return allocatorconv.ProgressFrame(*o.progress)
	default:
		return allocatorconv.SnapshotRequestFrame(o.lost)
	}
}

// clock is the time as the loop tells it to the plugin.
func clock() time.Time { return time.Now() }
