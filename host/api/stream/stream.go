// Package stream is the sending side of an event stream: a bounded queue between whoever makes events, who must
// never wait, and a client that may read slowly or not at all. Events go out as RecordIO.
//
// It may import host/api/endpoint and sdk/mesos.
package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/recordio"
)

// Limit bounds what waits for a client. Mesos has no such bound, and a client that stops reading makes its
// master run out of memory.
type Limit struct {
	// Records is the most events.
	Records int
	// Bytes is the most bytes, as the events' binary encodings count.
	Bytes int
}

// DefaultLimit holds some minutes of a busy framework's events.
func DefaultLimit() Limit { return Limit{Records: 64 << 10, Bytes: 32 << 20} }

// closeTimeout is how long a client may take to read what was sent before its stream was closed.
const closeTimeout = 30 * time.Second

// ErrSlow is why a stream ends whose client does not keep up.
var ErrSlow = errors.New("the client reads too slowly")

// Stream is one client's events. All methods are safe for concurrent use; Serve is called once.
type Stream struct {
	limit Limit
	wake  chan struct{}

	mu       sync.Mutex
	queue    []proto.Message
	bytes    int
	closed   bool
	err      error
	deadline func(time.Time) // by when what is written must have been taken
}

// New returns an empty stream.
func New(limit Limit) *Stream {
	return &Stream{limit: limit, wake: make(chan struct{}, 1), deadline: func(time.Time) {}}
}

// Send queues an event, which must not change any more, and never waits. It tells whether the stream took it: a
// stream that is full gives its client up, and one that has been closed takes no more.
func (s *Stream) Send(m proto.Message) bool {
	size := proto.Size(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if len(s.queue) >= s.limit.Records || s.bytes+size > s.limit.Bytes {
		s.drop(ErrSlow)
		return false
	}
	s.queue = append(s.queue, m)
	s.bytes += size
	s.notify()
	return true
}

// Close ends the stream once what is queued has been sent, or its client has not read it in time.
func (s *Stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.deadline(time.Now().Add(closeTimeout))
	s.notify()
}

// drop ends the stream at once, with what is queued unsent. The lock is held.
func (s *Stream) drop(err error) {
	if s.err == nil {
		s.err = err
	}
	s.closed, s.queue, s.bytes = true, nil, 0
	s.deadline(past)
	s.notify()
}

func (s *Stream) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Serve writes the header and then the events, each as one record in one HTTP chunk, since there are clients that
// take a chunk for a record. It returns when the stream has been closed and all is sent (nil), when it has been
// dropped, when the client is gone, or when ctx is done.
func (s *Stream) Serve(ctx context.Context, w http.ResponseWriter, media endpoint.Media) error {
	control := http.NewResponseController(w)
	s.setDeadline(func(t time.Time) { _ = control.SetWriteDeadline(t) })
	w.Header().Set("Content-Type", media.String())
	w.WriteHeader(http.StatusOK)
	if err := control.Flush(); err != nil {
		return fmt.Errorf("begin event stream: %w", err)
	}
	var body, record []byte
	for {
		batch, more, err := s.take()
		if err != nil {
			return err
		}
		for _, m := range batch {
			if body, err = endpoint.AppendEncoded(body[:0], media, m); err != nil {
				return err
			}
			record = recordio.Append(record[:0], body)
			if err := s.write(w, control, record); err != nil {
				return err
			}
		}
		if len(batch) > 0 {
			continue
		}
		if !more {
			_ = control.SetWriteDeadline(time.Time{}) // the connection may serve other requests
			return nil
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *Stream) write(w http.ResponseWriter, control *http.ResponseController, record []byte) error {
	_, err := w.Write(record)
	if err == nil {
		err = control.Flush()
	}
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return fmt.Errorf("write event: %w", err)
}

// past is a deadline that interrupts a write that waits for the client's window.
var past = time.Unix(1, 0)

func (s *Stream) setDeadline(f func(time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = f
	switch {
	case s.err != nil:
		f(past)
	case s.closed:
		f(time.Now().Add(closeTimeout))
	}
}

// take returns what is queued, and whether more may come.
func (s *Stream) take() (batch []proto.Message, more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch, s.queue, s.bytes = s.queue, nil, 0
	return batch, !s.closed, s.err
}
