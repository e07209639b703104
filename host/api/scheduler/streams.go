package scheduler

import (
	"sync"

	"github.com/mezzo-cluster/mezzo/host/api/stream"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// Streams are the open event streams of all frameworks: the way by which the state machine's events reach them.
// All methods are safe for concurrent use and none of them waits.
type Streams struct {
	limit stream.Limit
	// lost is told of a stream that ended before its framework was known, once it is.
	lost func(framework string, id master.StreamID)
	// sent counts events.
	sent *counter

	mu   sync.Mutex
	open map[master.StreamID]*subscription
}

// subscription is one SUBSCRIBE's stream.
type subscription struct {
	events *stream.Stream
	// framework is empty until the machine has sent something.
	framework string
	// gone is set if the client went before the machine had sent anything.
	gone bool
}

// NewStreams returns Streams with none open. lost is called, on a goroutine of its own, for a stream whose
// client was gone before the machine answered its SUBSCRIBE.
func NewStreams(limit stream.Limit, lost func(framework string, id master.StreamID)) *Streams {
	return &Streams{limit: limit, lost: lost, sent: newCounter(), open: map[master.StreamID]*subscription{}}
}

// begin opens a stream.
func (s *Streams) begin(id master.StreamID) *stream.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := stream.New(s.limit)
	s.open[id] = &subscription{events: events}
	return events
}

// end forgets a stream and returns its framework. If that is not known yet, the stream is kept in mind until the
// machine names it.
func (s *Streams) end(id master.StreamID) (framework string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, ok := s.open[id]
	if !ok {
		return ""
	}
	if sub.framework == "" {
		sub.gone = true
		return ""
	}
	delete(s.open, id)
	return sub.framework
}

// forget drops a stream that the machine never heard of.
func (s *Streams) forget(id master.StreamID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}

// Send queues an event for a framework's stream. A stream that is no longer open is no error: the
// machine has been told, or is about to be.
func (s *Streams) Send(framework string, id master.StreamID, event *scheduler.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, ok := s.open[id]
	if !ok {
		return
	}
	sub.framework = framework
	if sub.gone {
		delete(s.open, id)
		if framework != "" { // an ERROR for a framework that was never made has none
			go s.lost(framework, id)
		}
		return
	}
	if sub.events.Send(event) && framework != "" {
		s.sent.event(framework, event.GetType())
	}
}

// Close ends a stream after what was sent on it.
func (s *Streams) Close(id master.StreamID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub, ok := s.open[id]; ok {
		delete(s.open, id)
		sub.events.Close()
	}
}

// CloseAll ends all streams, as when this master stops leading.
func (s *Streams) CloseAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, sub := range s.open {
		delete(s.open, id)
		sub.events.Close()
	}
}

// Len returns how many streams are open.
func (s *Streams) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}
