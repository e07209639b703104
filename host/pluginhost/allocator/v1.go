package allocator

import (
	"context"
	"errors"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/status"

	contract "github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/allocatorconv"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
)

const (
	maxBatch      = handshake.MaxBatch
	maxUnanswered = handshake.MaxUnanswered
)

// once works with one process of the plugin, as long as its stream lasts.
func (d *Driver) once(outer context.Context) error {
	group, ctx := errgroup.WithContext(outer)
	stream, err := allocatorconv.OpenRun(ctx, d.conn)
	if err != nil {
		return err
	}
	again := make(chan string, 1) // the plugin asks for a snapshot
	group.Go(func() error {
		if err := d.begin(ctx, stream); err != nil {
			return d.sendError(stream, err)
		}
		return d.sendError(stream, d.tell(ctx, stream, again))
	})
	group.Go(func() error { return d.listen(ctx, stream, again) })
	group.Go(func() error { return d.watch(ctx) })
	err = group.Wait()
	if pauseErr := d.pause(outer); pauseErr != nil && outer.Err() == nil {
		return pauseErr
	}
	return err
}

// sendError finds the reason for a send that failed: gRPC says only io.EOF there, and the reason to Recv,
// which listen calls.
func (d *Driver) sendError(stream *allocatorconv.HostStream, err error) error {
	if errors.Is(err, io.EOF) {
		<-stream.Context().Done()
		return errRetry
	}
	return err
}

// tell sends what is in the queue, as it comes.
func (d *Driver) tell(ctx context.Context, stream *allocatorconv.HostStream, again <-chan string) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case reason := <-again:
			d.logger.Info("the allocator asks for a snapshot", "reason", reason)
			if err := d.begin(ctx, stream); err != nil {
				return err
			}
		case <-d.queue.wake:
		}
		entries, lost := d.queue.take()
		if lost {
			d.logger.Warn("the allocator is too slow; it gets a snapshot instead of updates", "updates", maxQueued)
			if err := d.begin(ctx, stream); err != nil {
				return err
			}
			continue
		}
		if err := d.flush(entries, stream); err != nil {
			return err
		}
	}
}

// flush sends entries in their order, as few messages as that allows.
func (d *Driver) flush(entries []entry, stream *allocatorconv.HostStream) error {
	updates := make([]contract.Update, 0, min(len(entries), maxBatch))
	for i, e := range entries {
		if e.update == nil {
			for answers := range slices.Chunk(e.answers, maxBatch) {
				if err := stream.SendAnswers(answers); err != nil {
					return err
				}
			}
			continue
		}
		updates = append(updates, e.update)
		if len(updates) < maxBatch && i+1 < len(entries) && entries[i+1].update != nil {
			continue
		}
		// Noted before it is sent: the plugin may have considered it before this goroutine goes on.
		d.mu.Lock()
		d.stats.Sent = max(d.stats.Sent, e.seq)
		d.mu.Unlock()
		if err := stream.SendUpdates(e.seq, updates); err != nil {
			return err
		}
		updates = updates[:0]
	}
	return nil
}

// listen takes what the plugin proposes.
func (d *Driver) listen(ctx context.Context, stream *allocatorconv.HostStream, again chan<- string) error {
	l := &listener{driver: d}
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errRetry
		}
		if _, isStatus := status.FromError(err); !isStatus {
			return d.plugin.Bug("a message that cannot be read: %w", err)
		}
		if err != nil {
			return err
		}
		if err := l.take(ctx, &response); err != nil {
			return err
		}
		if response.SnapshotRequest != nil {
			select {
			case again <- cut(*response.SnapshotRequest):
			default: // it is on its way
			}
		}
	}
}

// listener holds a plugin's proposals against the contract.
type listener struct {
	driver *Driver
	last   uint64 // the id of the latest proposal
}

func (l *listener) take(ctx context.Context, r *allocatorconv.Response) error {
	d := l.driver
	if n := len(r.Allocations) + len(r.Bad) + len(r.Inverse); n > maxBatch {
		return d.plugin.Bug("a batch of %d proposals", n)
	}
	if err := l.grow(r); err != nil {
		return err
	}
	for _, bad := range r.Bad {
		d.plugin.CountBug()
		d.queue.answer([]contract.Answer{{ID: bad.ID, Refused: bad.Err.Error()}})
	}
	for i := range r.Inverse {
		d.queue.answer([]contract.Answer{{ID: r.Inverse[i].ID, Refused: "no maintenance is planned"}})
	}
	if r.Progress != nil {
		if err := l.progress(*r.Progress); err != nil {
			return err
		}
	}
	if len(r.Allocations) == 0 {
		return nil
	}
	return d.propose(ctx, r.Allocations)
}

// grow sees to it that the ids of proposals grow, since an answer names nothing else.
func (l *listener) grow(r *allocatorconv.Response) error {
	before := l.last
	check := func(previous *uint64, id uint64) error {
		if id <= *previous {
			return l.driver.plugin.Bug("the proposal %d comes after the proposal %d", id, *previous)
		}
		*previous, l.last = id, max(l.last, id)
		return nil
	}
	good, bad, inverse := before, before, before
	for i := range r.Allocations {
		if err := check(&good, r.Allocations[i].ID); err != nil {
			return err
		}
	}
	for _, b := range r.Bad {
		if err := check(&bad, b.ID); err != nil {
			return err
		}
	}
	for i := range r.Inverse {
		if err := check(&inverse, r.Inverse[i].ID); err != nil {
			return err
		}
	}
	return nil
}

func (l *listener) progress(sequence uint64) error {
	d := l.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	if sequence > d.stats.Sent {
		return d.plugin.Bug("it has considered update %d, and was told of %d", sequence, d.stats.Sent)
	}
	d.stats.Considered = sequence
	return nil
}

func cut(text string) string {
	if len(text) <= maxReasonText {
		return text
	}
	return text[:maxReasonText] + "..."
}
