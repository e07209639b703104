package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/allocatorconv"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
)

const (
	// gather is how long updates may go on coming before those that are there are acted upon.
	gather = 50 * time.Millisecond
	// proposeAtOnce is the most allocations in one go: the host deals with them while the allocator makes the next.
	proposeAtOnce = 250
	// retry is how long to wait after Allocate returned an error.
	retry = time.Second
)

// loop makes all calls of an Allocator during one Run, one after the other.
type loop struct {
	allocator allocator.Allocator
	in        <-chan received
	out       chan<- *outgoing
	explain   <-chan explainCall
	log       *slog.Logger

	ready    bool   // a snapshot is there, and the allocator has taken all that came since
	partial  bool   // the first chunks of the snapshot called sequence are there
	due      bool   // something has happened since the last Allocate
	sequence uint64 // of the last update that the allocator was given
	told     uint64 // of the last Progress
	untold   bool   // no Progress since the snapshot
	next     time.Time
	pending  pending
}

func newLoop(
	a allocator.Allocator, in <-chan received, out chan<- *outgoing, explain <-chan explainCall, log *slog.Logger,
) *loop {
	return &loop{allocator: a, in: in, out: out, explain: explain, log: log}
}

// run returns nil when the stream or ctx has ended.
func (l *loop) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var wake <-chan time.Time
		if l.ready && !l.due && !l.next.IsZero() {
			timer.Reset(time.Until(l.next))
			wake = timer.C
		}
		if !l.canAllocate() || !l.due {
			if ended, err := l.wait(ctx, wake); ended {
				return err
			}
		}
		if ended, err := l.gather(ctx); ended {
			return err
		}
		if l.due && l.canAllocate() {
			if err := l.allocate(ctx); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (l *loop) canAllocate() bool { return l.ready && l.pending.len() < handshake.MaxUnanswered }

// wait blocks until something happens.
func (l *loop) wait(ctx context.Context, wake <-chan time.Time) (ended bool, err error) {
	select {
	case r, open := <-l.in:
		return l.take(ctx, r, open)
	case call := <-l.explain:
		l.answerExplain(call)
	case <-wake:
		l.due = true
	case <-ctx.Done():
		return true, nil
	}
	return false, nil
}

// gather takes what else is there already, so that one Allocate considers it all.
func (l *loop) gather(ctx context.Context) (ended bool, err error) {
	for until := clock().Add(gather); clock().Before(until); {
		select {
		case r, open := <-l.in:
			if ended, err := l.take(ctx, r, open); ended {
				return ended, err
			}
		case call := <-l.explain:
			l.answerExplain(call)
		case <-ctx.Done():
			return true, nil
		default:
			return false, nil
		}
	}
	return false, nil
}

// take gives a message to the allocator.
func (l *loop) take(ctx context.Context, r received, open bool) (ended bool, err error) {
	switch {
	case !open, errors.Is(r.err, io.EOF):
		return true, nil
	case r.err != nil:
		return true, r.err
	case r.Kind == allocatorconv.SnapshotRequestChunk:
		err := l.takeChunk(&r.Request)
		return err != nil, err
	case !l.ready:
		return false, nil // of no use until the snapshot that was asked for
	case r.Kind == allocatorconv.UpdatesRequest:
		l.sequence = r.Sequence
		l.lostIf(ctx, l.allocator.Update(clock(), r.Updates))
	case r.Kind == allocatorconv.AnswersRequest:
		l.takeAnswers(ctx, r.Answers)
	default:
		return false, nil // nothing that this version knows
	}
	l.due = true
	return false, nil
}

// takeChunk gives a part of a snapshot to the allocator, which need not wait for the rest of it to be there.
func (l *loop) takeChunk(r *allocatorconv.Request) error {
	switch {
	case r.First:
		l.pending.void()
		l.allocator.Reset()
		l.ready, l.partial, l.sequence = false, true, r.Sequence
	case !l.partial || l.sequence != r.Sequence:
		return status.Errorf(codes.InvalidArgument, "chunk of snapshot %d without its first", r.Sequence)
	}
	if err := l.allocator.Update(clock(), r.Updates); err != nil {
		return fmt.Errorf("take snapshot %d: %w", r.Sequence, err)
	}
	if r.Last {
		l.ready, l.partial, l.due, l.untold, l.next = true, false, true, true, time.Time{}
	}
	return nil
}

func (l *loop) takeAnswers(ctx context.Context, answers []allocator.Answer) {
	valid, allocated, err := l.pending.settle(answers)
	if err != nil {
		l.lostIf(ctx, err)
		return
	}
	if len(valid) > 0 {
		l.lostIf(ctx, l.allocator.Answer(clock(), valid))
	}
	if len(allocated) > 0 && l.ready {
		l.lostIf(ctx, l.allocator.Update(clock(), allocated))
	}
}

// emit hands a message to the sender, unless the Run ends.
func (l *loop) emit(ctx context.Context, o *outgoing) {
	select {
	case l.out <- o:
	case <-ctx.Done():
	}
}

// lostIf asks for a snapshot if there is an error: the allocator does not know the cluster any more.
func (l *loop) lostIf(ctx context.Context, err error) {
	if err == nil {
		return
	}
	l.log.Error("the allocator lost track; asking for a snapshot", "error", err)
	l.ready = false
	l.emit(ctx, &outgoing{lost: err.Error()})
}

// allocate lets the allocator propose until it has nothing more to propose, or something else is to do.
func (l *loop) allocate(ctx context.Context) error {
	limit := min(proposeAtOnce, handshake.MaxUnanswered-l.pending.len())
	proposed, next, err := l.allocator.Allocate(ctx, clock(), limit)
	if err != nil {
		if ctx.Err() == nil {
			l.log.Error("allocate; trying again soon", "error", err, "after", retry)
		}
		l.due, l.next = false, clock().Add(retry)
		return nil
	}
	if err := l.propose(ctx, proposed, limit); err != nil {
		return err
	}
	l.next = next
	if len(proposed) == limit {
		return nil // there may be more: due stays
	}
	l.due = false
	if err := l.inverse(ctx); err != nil {
		return err
	}
	if d, ok := l.allocator.(allocator.Deferrer); ok && d.Deferred() {
		return nil
	}
	if l.untold || l.told != l.sequence {
		l.told, l.untold = l.sequence, false
		sequence := l.sequence
		l.emit(ctx, &outgoing{progress: &sequence})
	}
	return nil
}

func (l *loop) propose(ctx context.Context, proposed []allocator.Allocation, limit int) error {
	if len(proposed) == 0 {
		return nil
	}
	if len(proposed) > limit {
		return bug("%d allocations proposed, of at most %d", len(proposed), limit)
	}
	for i := range proposed {
		if !l.pending.add(&proposed[i]) {
			return bug("allocation %d has an id that is not greater than the one before", proposed[i].ID)
		}
	}
	l.emit(ctx, &outgoing{allocations: proposed})
	return nil
}

func (l *loop) inverse(ctx context.Context) error {
	o, ok := l.allocator.(allocator.InverseOfferer)
	if !ok {
		return nil
	}
	offers, err := o.InverseOffers(ctx, clock(), handshake.MaxBatch)
	switch {
	case err != nil:
		l.log.Error("make inverse offers; trying again soon", "error", err, "after", retry)
		l.next = earlier(l.next, clock().Add(retry))
	case len(offers) > handshake.MaxBatch:
		return bug("%d inverse offers made, of at most %d", len(offers), handshake.MaxBatch)
	case len(offers) > 0:
		l.emit(ctx, &outgoing{inverse: offers})
	}
	return nil
}

// earlier is the earlier of two times, of which a zero one does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func bug(format string, args ...any) error {
	return status.Errorf(codes.Internal, "the allocator has a bug: "+format, args...)
}

func (l *loop) answerExplain(call explainCall) {
	if !l.ready {
		call.answer <- explainAnswer{err: status.Error(codes.Unavailable, "the plugin has no snapshot yet")}
		return
	}
	e, err := l.allocator.Explain(clock(), call.framework)
	call.answer <- explainAnswer{explanation: e, err: err}
}
