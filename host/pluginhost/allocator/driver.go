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

// Master is what a driver needs of the master that it works for. Propose may be called while another method
// is being called; the others are called one after the other.
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

// Driver keeps one allocator plugin at work for one master, over all restarts of the plugin.
//
// Update and Answer are called by whoever carries out the master's effects, in their order, and never wait.
type Driver struct {
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

	lookEvery, stuckAfter time.Duration
}

// Stats says how a driver is doing.
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
	// Accepted is how many proposals of this generation the master has accepted; Refused how many it has refused since the
	// last of those, and Refusal why the latest.
	Accepted uint64 `json:"accepted"`
	Refused  int    `json:"refused"`
	Refusal  string `json:"refusal,omitempty"`
}

// New makes a driver for a plugin of the kind allocator.
func New(p *pluginhost.Plugin, m Master, logger *slog.Logger) *Driver {
	return &Driver{
		plugin:  p,
		master:  m,
		logger:  logger.With("kind", "allocator", "plugin", p.Spec().Name),
		queue:   newQueue(maxQueued),
		conn:    p.WaitingConn(),
		explain: allocatorv1.NewAllocatorServiceClient(p.Conn()),

		lookEvery: lookEvery, stuckAfter: stuckAfter,
	}
}

// Update tells of something that happened. seq grows with each.
func (d *Driver) Update(seq uint64, u contract.Update) { d.queue.update(seq, u) }

// Answer tells what became of proposals of a generation. Those of an earlier one are void.
func (d *Driver) Answer(generation uint64, answers []contract.Answer) {
	d.mu.Lock()
	present := generation == d.generation
	if present {
		d.stats.Unanswered -= len(answers)
		d.stats.count(answers)
	}
	d.mu.Unlock()
	if present {
		d.queue.answer(answers)
	}
}

// count notes what became of proposals.
func (s *Stats) count(answers []contract.Answer) {
	for _, a := range answers {
		if a.Accepted() {
			s.Accepted++
			s.Refused, s.Refusal = 0, ""
		} else {
			s.Refused, s.Refusal = s.Refused+1, a.Refused
		}
	}
}

// Stats tells how the driver is doing.
func (d *Driver) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	stats := d.stats
	stats.Queued = d.queue.len()
	return stats
}

// Bounds of an explanation.
const (
	maxReasons    = 10_000
	maxReasonText = 4 << 10
)

// Explain asks the plugin why a framework is not offered more.
func (d *Driver) Explain(ctx context.Context, framework string) (contract.Explanation, error) {
	response, err := d.explain.Explain(ctx, &allocatorv1.ExplainRequest{FrameworkId: framework})
	if err != nil {
		return contract.Explanation{}, d.plugin.Wrap(err)
	}
	if n := len(response.GetReasons()); n > maxReasons {
		return contract.Explanation{}, d.plugin.Bug("an explanation of %d reasons", n)
	}
	for _, r := range response.GetReasons() {
		if len(r.GetText()) > maxReasonText {
			r.Text = r.GetText()[:maxReasonText] + "..."
		}
	}
	return allocatorconv.ExplanationFromProto(framework, response), nil
}

// Run keeps the plugin at work until ctx ends, whose error it returns, or the master fails.
func (d *Driver) Run(ctx context.Context) error {
	defer d.queue.close()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		began := time.Now()
		err := d.once(ctx)
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
		d.logger.Warn("the allocator's stream ended; it is opened again", "error", d.plugin.Wrap(err).Error())
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

// masterError is a failure of the master's side, which ends the driver.
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
func (d *Driver) begin(ctx context.Context, stream *allocatorconv.HostStream) error {
	if err := d.pause(ctx); err != nil {
		return err
	}
	d.queue.open()
	snapshot := d.master.Snapshot()
	d.queue.since(snapshot.Sequence)
	d.mu.Lock()
	d.latest++
	d.generation = d.latest
	d.stats.Generation, d.stats.Unanswered = d.generation, 0
	d.stats.Snapshots++
	d.stats.Sent, d.stats.Considered = snapshot.Sequence, 0
	d.stats.Accepted, d.stats.Refused, d.stats.Refusal = 0, 0, ""
	generation := d.generation
	d.mu.Unlock()
	if err := d.master.Ready(ctx, generation); err != nil {
		return ofMaster(err)
	}
	return stream.SendSnapshot(snapshot)
}

func (d *Driver) pause(ctx context.Context) error {
	d.mu.Lock()
	d.generation, d.stats.Generation = 0, 0
	d.mu.Unlock()
	d.queue.close()
	return ofMaster(d.master.Pause(ctx))
}

// propose hands a checked batch to the master.
func (d *Driver) propose(ctx context.Context, batch []contract.Allocation) error {
	d.mu.Lock()
	generation := d.generation
	d.stats.Unanswered += len(batch)
	tooMany := d.stats.Unanswered > maxUnanswered
	d.mu.Unlock()
	switch {
	case generation == 0:
		return nil // between two generations everything is void
	case tooMany:
		return d.plugin.Bug("more than %d proposals without an answer", maxUnanswered)
	}
	return ofMaster(d.master.Propose(ctx, generation, batch))
}

var errRetry = sdk.Errorf(sdk.Unavailable, "the stream ended")
