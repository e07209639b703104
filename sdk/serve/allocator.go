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
	go receive(ctx, stream, in)
	go func() {
		defer close(sent)
		if err := send(stream, out); err != nil {
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

// received is a message of the host, decoded. One of the fields is set.
type received struct {
	snapshot *allocator.Snapshot
	updates  []allocator.Update
	answers  []allocator.Answer
	err      error
	sequence uint64 // of updates
}

// receive decodes what comes until the stream ends; err is the last then, and nil is a regular end.
func receive(ctx context.Context, stream grpc.BidiStreamingServer[allocatorv1.RunRequest, allocatorv1.RunResponse], in chan<- received) {
	defer close(in)
	var d snapshotDecoder
	for {
		m, err := stream.Recv()
		r := received{err: err}
		if err == nil {
			r, err = d.decode(m)
		}
		if err != nil {
			r.err = err
		}
		if r.snapshot == nil && r.updates == nil && r.answers == nil && r.err == nil {
			continue // a chunk that is not the last, or nothing that this version knows
		}
		select {
		case in <- r:
		case <-ctx.Done():
			return
		}
		if r.err != nil {
			return
		}
	}
}

// snapshotDecoder puts a snapshot's chunks together.
type snapshotDecoder struct{ snapshot *allocator.Snapshot }

func (d *snapshotDecoder) decode(m *allocatorv1.RunRequest) (received, error) {
	switch m := m.GetMessage().(type) {
	case *allocatorv1.RunRequest_Snapshot:
		return d.chunk(m.Snapshot)
	case *allocatorv1.RunRequest_Updates:
		updates, err := allocatorconv.UpdatesFromProto(m.Updates.GetUpdates())
		if err != nil {
			return received{}, status.Error(codes.InvalidArgument, err.Error())
		}
		return received{updates: updates, sequence: m.Updates.GetSequence()}, nil
	case *allocatorv1.RunRequest_Answers:
		answers := make([]allocator.Answer, 0, len(m.Answers.GetAnswers()))
		for _, a := range m.Answers.GetAnswers() {
			answers = append(answers, allocatorconv.AnswerFromProto(a))
		}
		return received{answers: answers}, nil
	default:
		return received{}, nil
	}
}

func (d *snapshotDecoder) chunk(c *allocatorv1.SnapshotChunk) (received, error) {
	switch {
	case c.GetFirst():
		d.snapshot = &allocator.Snapshot{Sequence: c.GetSequence()}
	case d.snapshot == nil || d.snapshot.Sequence != c.GetSequence():
		return received{}, status.Errorf(codes.InvalidArgument, "chunk of snapshot %d without its first", c.GetSequence())
	}
	updates, err := allocatorconv.UpdatesFromProto(c.GetUpdates())
	if err != nil {
		return received{}, status.Error(codes.InvalidArgument, err.Error())
	}
	d.snapshot.Updates = append(d.snapshot.Updates, updates...)
	if !c.GetLast() {
		return received{}, nil
	}
	whole := d.snapshot
	d.snapshot = nil
	return received{snapshot: whole}, nil
}

// outgoing is what the plugin tells, before it is encoded. One of the fields is set.
type outgoing struct {
	allocations []allocator.Allocation
	inverse     []allocator.InverseOffer
	progress    *uint64
	lost        string // why a snapshot is wanted
}

// send encodes what comes until the channel is closed. After an error it only drains the channel.
func send(stream grpc.BidiStreamingServer[allocatorv1.RunRequest, allocatorv1.RunResponse], out <-chan *outgoing) error {
	var failed error
	for o := range out {
		if failed == nil {
			failed = stream.Send(o.encode())
		}
	}
	return failed
}

func (o *outgoing) encode() *allocatorv1.RunResponse {
	switch {
	case o.allocations != nil:
		m := &allocatorv1.Allocations{Allocations: make([]*allocatorv1.Allocation, 0, len(o.allocations))}
		for i := range o.allocations {
			m.Allocations = append(m.Allocations, allocatorconv.AllocationToProto(&o.allocations[i]))
		}
		return &allocatorv1.RunResponse{Message: &allocatorv1.RunResponse_Allocations{Allocations: m}}
	case o.inverse != nil:
		m := &allocatorv1.InverseOffers{}
		for i := range o.inverse {
			m.InverseOffers = append(m.InverseOffers, allocatorconv.InverseOfferToProto(&o.inverse[i]))
		}
		return &allocatorv1.RunResponse{Message: &allocatorv1.RunResponse_InverseOffers{InverseOffers: m}}
	case o.progress != nil:
		m := &allocatorv1.Progress{Sequence: *o.progress}
		return &allocatorv1.RunResponse{Message: &allocatorv1.RunResponse_Progress{Progress: m}}
	default:
		m := &allocatorv1.SnapshotRequest{Reason: o.lost}
		return &allocatorv1.RunResponse{Message: &allocatorv1.RunResponse_SnapshotRequest{SnapshotRequest: m}}
	}
}

// clock is the time as the loop tells it to the plugin.
func clock() time.Time { return time.Now() }
