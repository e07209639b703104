package allocator

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	contract "github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/allocatorconv"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
)

const (
	maxBatch      = handshake.MaxBatch
	maxChunk      = handshake.MaxChunk
	maxUnanswered = handshake.MaxUnanswered
)

type runStream = grpc.BidiStreamingClient[allocatorv1.RunRequest, allocatorv1.RunResponse]

// once works with one process of the plugin, as long as its stream lasts.
func (s *Session) once(outer context.Context) error {
	group, ctx := errgroup.WithContext(outer)
	stream, err := s.stream.Run(ctx)
	if err != nil {
		return err
	}
	again := make(chan string, 1) // the plugin asks for a snapshot
	group.Go(func() error {
		if err := s.begin(ctx, stream.Send); err != nil {
			return s.sendError(stream, err)
		}
		return s.sendError(stream, s.tell(ctx, stream.Send, again))
	})
	group.Go(func() error { return s.listen(ctx, stream, again) })
	err = group.Wait()
	if pauseErr := s.pause(outer); pauseErr != nil && outer.Err() == nil {
		return pauseErr
	}
	return err
}

// sendError finds the reason for a send that failed: gRPC says only io.EOF there, and the reason to Recv,
// which listen calls.
func (s *Session) sendError(stream runStream, err error) error {
	if errors.Is(err, io.EOF) {
		<-stream.Context().Done()
		return errRetry
	}
	return err
}

// tell sends what is in the queue, as it comes.
func (s *Session) tell(ctx context.Context, send func(*allocatorv1.RunRequest) error, again <-chan string) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case reason := <-again:
			s.logger.Info("the allocator asks for a snapshot", "reason", reason)
			if err := s.begin(ctx, send); err != nil {
				return err
			}
		case <-s.queue.wake:
		}
		entries, lost := s.queue.take()
		if lost {
			s.logger.Warn("the allocator is too slow; it gets a snapshot instead of updates", "updates", maxQueued)
			if err := s.begin(ctx, send); err != nil {
				return err
			}
			continue
		}
		if err := s.flush(entries, send); err != nil {
			return err
		}
	}
}

// flush sends entries in their order, as few messages as that allows.
func (s *Session) flush(entries []entry, send func(*allocatorv1.RunRequest) error) error {
	updates := &allocatorv1.Updates{}
	sendUpdates := func() error {
		if len(updates.Updates) == 0 {
			return nil
		}
		err := send(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Updates{Updates: updates}})
		s.mu.Lock()
		s.stats.Sent = max(s.stats.Sent, updates.Sequence)
		s.mu.Unlock()
		updates = &allocatorv1.Updates{}
		return err
	}
	for _, e := range entries {
		if e.update == nil {
			if err := sendUpdates(); err != nil {
				return err
			}
			if err := sendAnswers(e.answers, send); err != nil {
				return err
			}
			continue
		}
		updates.Updates = append(updates.Updates, allocatorconv.UpdateToProto(e.update))
		updates.Sequence = e.seq
		if len(updates.Updates) == maxBatch {
			if err := sendUpdates(); err != nil {
				return err
			}
		}
	}
	return sendUpdates()
}

func sendAnswers(answers []contract.Answer, send func(*allocatorv1.RunRequest) error) error {
	for len(answers) > 0 {
		n := min(len(answers), maxBatch)
		message := &allocatorv1.Answers{Answers: make([]*allocatorv1.Answer, n)}
		for i, a := range answers[:n] {
			message.Answers[i] = allocatorconv.AnswerToProto(a)
		}
		if err := send(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Answers{Answers: message}}); err != nil {
			return err
		}
		answers = answers[n:]
	}
	return nil
}

// listen takes what the plugin proposes.
func (s *Session) listen(ctx context.Context, stream runStream, again chan<- string) error {
	l := &listener{session: s}
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errRetry
		}
		if err != nil {
			return err
		}
		switch m := response.GetMessage().(type) {
		case *allocatorv1.RunResponse_Allocations:
			err = l.allocations(ctx, m.Allocations.GetAllocations())
		case *allocatorv1.RunResponse_InverseOffers:
			err = l.inverse(m.InverseOffers.GetInverseOffers())
		case *allocatorv1.RunResponse_Progress:
			err = l.progress(m.Progress.GetSequence())
		case *allocatorv1.RunResponse_SnapshotRequest:
			select {
			case again <- cut(m.SnapshotRequest.GetReason()):
			default: // it is on its way
			}
		}
		if err != nil {
			return err
		}
	}
}

// listener holds a plugin's proposals against the contract.
type listener struct {
	session *Session
	last    uint64 // the id of the latest proposal
}

func (l *listener) allocations(ctx context.Context, in []*allocatorv1.Allocation) error {
	if len(in) > maxBatch {
		return l.session.plugin.Bug("a batch of %d allocations", len(in))
	}
	batch := make([]contract.Allocation, 0, len(in))
	for _, p := range in {
		if err := l.grows(p.GetId()); err != nil {
			return err
		}
		a, err := allocatorconv.AllocationFromProto(p)
		if err != nil {
			l.session.plugin.CountBug()
			l.session.queue.answer([]contract.Answer{{ID: p.GetId(), Refused: err.Error()}})
			continue
		}
		batch = append(batch, a)
	}
	if len(batch) == 0 {
		return nil
	}
	return l.session.propose(ctx, batch)
}

func (l *listener) grows(id uint64) error {
	if id <= l.last {
		return l.session.plugin.Bug("the proposal %d comes after the proposal %d", id, l.last)
	}
	l.last = id
	return nil
}

// inverse refuses inverse offers: this master has no maintenance to plan for.
func (l *listener) inverse(in []*allocatorv1.InverseOffer) error {
	if len(in) > maxBatch {
		return l.session.plugin.Bug("a batch of %d inverse offers", len(in))
	}
	for _, p := range in {
		if err := l.grows(p.GetId()); err != nil {
			return err
		}
		l.session.queue.answer([]contract.Answer{{ID: p.GetId(), Refused: "no maintenance is planned"}})
	}
	return nil
}

func (l *listener) progress(sequence uint64) error {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if sequence > s.stats.Sent {
		return s.plugin.Bug("it has considered update %d, and was told of %d", sequence, s.stats.Sent)
	}
	s.stats.Considered = sequence
	return nil
}

func cut(text string) string {
	if len(text) <= maxReasonText {
		return text
	}
	return text[:maxReasonText] + "..."
}
