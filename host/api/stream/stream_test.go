package stream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/recordio"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

func event(message string) *scheduler.Event {
	return &scheduler.Event{Type: scheduler.Event_ERROR.Enum(), Error: &scheduler.Event_Error{Message: &message}}
}

func TestAllThatWasSentArrivesInOrder(t *testing.T) {
	t.Parallel()
	s := New(Limit{Records: 10_000, Bytes: 1 << 20})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.Serve(r.Context(), w, endpoint.Protobuf); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	go func() {
		for i := range 5000 {
			if !s.Send(event(string(rune('a' + i%26)))) {
				t.Error("an event was not taken")
			}
		}
		s.Close()
	}()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	records := recordio.NewReader(resp.Body, 1<<20)
	for i := range 5000 {
		record, err := records.Next()
		if err != nil {
			t.Fatal(err)
		}
		got := &scheduler.Event{}
		if err := proto.Unmarshal(record, got); err != nil || got.GetError().GetMessage() != string(rune('a'+i%26)) {
			t.Fatalf("event %d: %v %v", i, got, err)
		}
	}
	if _, err := records.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]Limit{"records": {Records: 10, Bytes: 1 << 20}, "bytes": {Records: 1 << 20, Bytes: 10 * proto.Size(event("x"))}} {
		s := New(limit)
		for i := range 10 {
			if !s.Send(event("x")) {
				t.Fatalf("%s: event %d was not taken", name, i)
			}
		}
		if first, second := s.Send(event("x")), s.Send(event("x")); first || second {
			t.Errorf("%s: no bound", name)
		}
		err := s.Serve(t.Context(), httptest.NewRecorder(), endpoint.JSON)
		if !errors.Is(err, ErrSlow) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEndOfTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(DefaultLimit())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Serve(ctx, httptest.NewRecorder(), endpoint.JSON) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// chunks remembers each write.
type chunks struct {
	httptest.ResponseRecorder
	mu     sync.Mutex
	writes [][]byte
}

func (c *chunks) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes = append(c.writes, bytes.Clone(p))
	return len(p), nil
}

func TestEachRecordIsOneWrite(t *testing.T) {
	t.Parallel()
	s := New(DefaultLimit())
	for range 3 {
		s.Send(event("x"))
	}
	s.Close()
	w := &chunks{}
	if err := s.Serve(t.Context(), w, endpoint.JSON); err != nil {
		t.Fatal(err)
	}
	if len(w.writes) != 3 || string(w.writes[0]) != "40\n"+`{"type":"ERROR","error":{"message":"x"}}` {
		t.Errorf("%q", w.writes)
	}
}

// TestClosedStreamThatIsNotRead does not wait for its client for ever.
func TestClosedStreamThatIsNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(DefaultLimit())
		served := make(chan error, 1)
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			served <- s.Serve(r.Context(), w, endpoint.JSON)
			panic(http.ErrAbortHandler)
		})
		client, far := net.Pipe()
		server := &http.Server{Handler: handler}
		go func() { _ = server.Serve(&oneConn{conn: far}) }()
		if _, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, make([]byte, len("HTTP/1.1 200 OK\r\n"))); err != nil {
			t.Fatal(err)
		}
		s.Send(event("x"))
		s.Close()
		closed := time.Now()
		if err := <-served; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("served: %v", err)
		}
		if waited := time.Since(closed); waited != closeTimeout {
			t.Errorf("after %s", waited)
		}
	})
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn net.Conn
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, net.ErrClosed
	}
	conn := l.conn
	l.conn = nil
	return conn, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
