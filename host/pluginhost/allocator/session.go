package allocator

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/sdk"
	contract "github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/allocatorconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
)

// Master is what a session needs of the master that it works for. Its methods are called by one goroutine
// at a time.
type Master interface {
	// Pause tells the master that there is no allocator, and returns when the master will accept no proposal
	// of an earlier generation any more. What it has accepted is in the next snapshot.
	Pause(ctx context.Context) error
	// Snapshot is the cluster as it is.
	Snapshot() contract.Snapshot
	// Ready tells the master that proposals of a new generation are coming.
	Ready(ctx context.Context, generation uint64) error
	// Propose hands a batch over, waiting while the master has too much to do.
	Propose(ctx context.Context, generation uint64, batch []contract.Allocation) error
}

// maxQueued is how many updates may wait for the plugin before a snapshot is cheaper than they are.
const maxQueued = 50_000

// Session keeps one allocator plugin at work for one master, over all restarts of the plugin.
//
// Update and Answer are called by whoever carries out the master's effects, in their order, and never wait.
type Session struct {
	plugin  *pluginhost.Plugin
	master  Master
	logger  *slog.Logger
	queue   *queue
	conn    *pluginhost.Conn
	explain allocatorv1.AllocatorServiceClient

	mu         sync.Mutex
	generation uint64 // 0 while there is none
	latest     uint64 // the latest generation there was
	stats      Stats
}

// Stats says how a session is doing.
type Stats struct {
	// Generation is the present one; 0 while the plugin does not work.
	Generation uint64 `json:"generation"`
	// Snapshots counts how often the plugin was given one.
	Snapshots uint64 `json:"snapshots"`
	// Queued is how many updates wait for the plugin.
	Queued int `json:"queued"`
	// Sent and Considered are the sequences of the last update that was sent, and of the last that the plugin
	// says it has considered.
	Sent       uint64 `json:"sent"`
	Considered uint64 `json:"considered"`
	// Unanswered is how many proposals the master has yet to answer.
	Unanswered int `json:"unanswered"`
}

// New makes a session for a plugin of the kind allocator.
func New(p *pluginhost.Plugin, m Master, logger *slog.Logger) *Session {
	return &Session{
		plugin:  p,
		master:  m,
		logger:  logger.With("kind", "allocator", "plugin", p.Spec().Name),
		queue:   newQueue(maxQueued),
		conn:    p.WaitingConn(),
		explain: allocatorv1.NewAllocatorServiceClient(p.Conn()),
	}
}

// Update tells of something that happened. seq grows with each.
func (s *Session) Update(seq uint64, u contract.Update) { s.queue.update(seq, u) }

// Answer tells what became of proposals of a generation. Those of an earlier one are void.
func (s *Session) Answer(generation uint64, answers []contract.Answer) {
	s.mu.Lock()
	present := generation == s.generation
	if present {
		s.stats.Unanswered -= len(answers)
	}
	s.mu.Unlock()
	if present {
		s.queue.answer(answers)
	}
}

// Stats tells how the session is doing.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Queued = s.queue.len()
	return stats
}

// Bounds of an explanation.
const (
	maxReasons    = 10_000
	maxReasonText = 4 << 10
)

// Explain asks the plugin why a framework is not offered more.
func (s *Session) Explain(ctx context.Context, framework string) (contract.Explanation, error) {
	response, err := s.explain.Explain(ctx, &allocatorv1.ExplainRequest{FrameworkId: framework})
	if err != nil {
		return contract.Explanation{}, s.plugin.Wrap(err)
	}
	if n := len(response.GetReasons()); n > maxReasons {
		return contract.Explanation{}, s.plugin.Bug("an explanation of %d reasons", n)
	}
	for _, r := range response.GetReasons() {
		if len(r.GetText()) > maxReasonText {
			r.Text = r.GetText()[:maxReasonText] + "..."
		}
	}
	return allocatorconv.ExplanationFromProto(framework, response), nil
}

// Run keeps the plugin at work until ctx ends, whose error it returns, or the master fails.
func (s *Session) Run(ctx context.Context) error {
	defer s.queue.close()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		began := time.Now()
		err := s.once(ctx)
		var failed *masterError
		if errors.As(err, &failed) {
			return failed.err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(began) > time.Minute {
			pause = minPause
		}
		s.logger.Warn("the allocator's stream ended; it is opened again", "error", s.plugin.Wrap(err).Error())
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

const (
	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second
)

// masterError is a failure of the master's side, which ends the session.
type masterError struct{ err error }

func (e *masterError) Error() string { return e.err.Error() }

func ofMaster(err error) error {
	if err == nil {
		return nil
	}
	return &masterError{err}
}

// begin gives the plugin a snapshot of a new generation: everything earlier is void. Proposals that the
// plugin made before it saw the snapshot may be taken for the new generation; it knows how to take answers
// to them.
func (s *Session) begin(ctx context.Context, stream *allocatorconv.HostStream) error {
	if err := s.pause(ctx); err != nil {
		return err
	}
	s.queue.open()
	snapshot := s.master.Snapshot()
	s.queue.since(snapshot.Sequence)
	s.mu.Lock()
	s.latest++
	s.generation = s.latest
	s.stats.Generation, s.stats.Unanswered = s.generation, 0
	s.stats.Snapshots++
	s.stats.Sent = snapshot.Sequence
	generation := s.generation
	s.mu.Unlock()
	if err := s.master.Ready(ctx, generation); err != nil {
		return ofMaster(err)
	}
	return stream.SendSnapshot(snapshot)
}

func (s *Session) pause(ctx context.Context) error {
	s.mu.Lock()
	s.generation, s.stats.Generation = 0, 0
	s.mu.Unlock()
	s.queue.close()
	return ofMaster(s.master.Pause(ctx))
}

// propose hands a checked batch to the master.
func (s *Session) propose(ctx context.Context, batch []contract.Allocation) error {
	s.mu.Lock()
	generation := s.generation
	s.stats.Unanswered += len(batch)
	tooMany := s.stats.Unanswered > maxUnanswered
	s.mu.Unlock()
	switch {
	case generation == 0:
		return nil // between two generations everything is void
	case tooMany:
		return s.plugin.Bug("more than %d proposals without an answer", maxUnanswered)
	}
	return ofMaster(s.master.Propose(ctx, generation, batch))
}

var errRetry = sdk.Errorf(sdk.Unavailable, "the stream ended")
