package link_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/link"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
)

// master records what it is told, one line an event.
type master struct{ events chan string }

func (m master) Connected(conn, _, _ string, h *linkv1.Hello) {
	m.events <- "connected " + h.AgentId + " " + conn
}
func (m master) Received(_ string, msg *linkv1.ToMaster) {
	m.events <- fmt.Sprintf("received %s%d", msg.GetUpdate().GetFrameworkId(), msg.GetPong().GetNumber())
}
func (m master) Gone(conn string) { m.events <- "gone " + conn }

type agent struct{ events chan string }

func (a agent) Hello() *linkv1.Hello { return &linkv1.Hello{AgentId: "a1"} }
func (a agent) Welcomed(conn, _ string, epoch uint64, w *linkv1.Welcome) {
	a.events <- fmt.Sprintf("welcomed %s %d %s", w.MasterId, epoch, conn)
}
func (a agent) Received(_ string, msg *linkv1.ToAgent) {
	a.events <- fmt.Sprintf("received %d %s%d", msg.Epoch, msg.GetKillTask().GetTaskId(), msg.GetPing().GetNumber())
}
func (a agent) Gone(conn string) { a.events <- "gone " + conn }

func want(t *testing.T, events chan string, format string) (rest string) {
	t.Helper()
	select {
	case got := <-events:
		if _, err := fmt.Sscanf(got, format+" %s", &rest); err != nil && got != format {
			t.Fatalf("told %q, want %q", got, format)
		}
		return rest
	case <-time.After(20 * time.Second):
		t.Fatalf("not told %q within 20 s", format)
		return ""
	}
}

func serve(t *testing.T) (*link.Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := link.NewServer(nil, slog.New(slog.DiscardHandler))
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return s, l.Addr().String()
}

func connect(t *testing.T, a link.Agent, masters ...string) *link.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := link.NewClient(masters, nil, a, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

func TestAgentFollowsTheLeader(t *testing.T) {
	t.Parallel()
	follower, followerAddr := serve(t)
	leader, leaderAddr := serve(t)
	m := master{make(chan string, 100)}
	leader.Lead(7, &linkv1.Welcome{MasterId: "m1"}, m)
	follower.Follow(leaderAddr)

	a := agent{make(chan string, 5000)}
	c := connect(t, a, followerAddr)
	conn := want(t, m.events, "connected a1")
	if got := want(t, a.events, "welcomed m1 7"); got != conn {
		t.Fatalf("the ends name the connection %q and %q", conn, got)
	}
	leader.Send(conn, &linkv1.ToAgent{Body: &linkv1.ToAgent_Ping{Ping: &linkv1.Ping{Number: 3}}})
	want(t, a.events, "received 7 3")
	c.Send(conn, &linkv1.ToMaster{Body: &linkv1.ToMaster_Pong{Pong: &linkv1.Pong{Number: 3}}})
	want(t, m.events, "received 3")

	// Data keeps its order.
	for i := range 1000 {
		leader.Send(conn, &linkv1.ToAgent{Body: &linkv1.ToAgent_KillTask{KillTask: &linkv1.KillTask{TaskId: fmt.Sprintf("t%d-", i)}}})
	}
	for i := range 1000 {
		want(t, a.events, fmt.Sprintf("received 7 t%d-0", i))
	}

	// A new period of leadership is a new connection, with the new epoch.
	leader.Lead(9, &linkv1.Welcome{MasterId: "m2"}, m)
	want(t, m.events, "gone")
	want(t, a.events, "gone")
	again := want(t, m.events, "connected a1")
	want(t, a.events, "welcomed m2 9")
	if again == conn {
		t.Fatal("the new connection has the old one's name")
	}
	// What is said on a connection that is gone reaches nobody.
	leader.Send(conn, &linkv1.ToAgent{Body: &linkv1.ToAgent_Shutdown{Shutdown: &linkv1.Shutdown{}}})
	c.Send(conn, &linkv1.ToMaster{Body: &linkv1.ToMaster_Unregister{Unregister: &linkv1.Unregister{}}})

	// The agent's own wish to start over.
	c.Redial(again)
	want(t, a.events, "gone")
	want(t, m.events, "gone")
	third := want(t, m.events, "connected a1")
	want(t, a.events, "welcomed m2 9")
	leader.Close(third)
	want(t, m.events, "gone")
	want(t, m.events, "connected a1")
}

// unwilling gives up every connection at once, as an agent does that has heard of a later master.
type unwilling struct {
	client *link.Client
	times  chan time.Time
}

func (u *unwilling) Hello() *linkv1.Hello { return &linkv1.Hello{AgentId: "a1"} }
func (u *unwilling) Welcomed(conn, _ string, _ uint64, _ *linkv1.Welcome) {
	u.times <- time.Now()
	u.client.Redial(conn)
}
func (u *unwilling) Received(string, *linkv1.ToAgent) {}
func (u *unwilling) Gone(string)                      {}

func TestAgentThatGivesUpTakesItsTime(t *testing.T) {
	t.Parallel()
	s, addr := serve(t)
	s.Lead(1, &linkv1.Welcome{MasterId: "m"}, master{make(chan string, 1000)})
	u := &unwilling{times: make(chan time.Time, 1000)}
	u.client = link.NewClient([]string{addr}, nil, u, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); u.client.Run(ctx) }()
	defer func() { cancel(); <-done }()
	first := <-u.times
	for range 5 {
		<-u.times
	}
	// The waits are at least the halves of 50, 100, 200, 400 and 800 ms.
	if took := time.Since(first); took < 775*time.Millisecond {
		t.Errorf("five more connections within %v", took)
	}
}

func TestAgentFindsAMasterThatStartsLate(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	a := agent{make(chan string, 10)}
	connect(t, a, addr)
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	s := link.NewServer(nil, slog.New(slog.DiscardHandler))
	go s.Serve(l)
	defer s.Stop()
	s.Lead(1, &linkv1.Welcome{MasterId: "late"}, master{make(chan string, 10)})
	want(t, a.events, "welcomed late 1")
}

func TestOneWhoDoesNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	s, addr := serve(t)
	m := master{make(chan string, 10)}
	s.Lead(1, &linkv1.Welcome{MasterId: "m"}, m)
	a := agent{make(chan string, 1)} // its second event blocks it
	c := link.NewClient([]string{addr}, nil, a, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	defer func() {
		cancel()
		for {
			select {
			case <-a.events:
			case <-done:
				return
			}
		}
	}()
	conn := want(t, m.events, "connected a1")
	filler := make([]byte, 1<<10)
	for i := 0; len(m.events) == 0; i++ {
		if i > 1<<20 {
			t.Fatal("the queue grew past a million messages")
		}
		s.Send(conn, &linkv1.ToAgent{Body: &linkv1.ToAgent_Message{Message: &linkv1.FrameworkMessage{Data: filler}}})
	}
	want(t, m.events, "gone")
}

func TestLastWordsAreRead(t *testing.T) {
	t.Parallel()
	s, addr := serve(t)
	m := master{make(chan string, 5000)}
	s.Lead(1, &linkv1.Welcome{MasterId: "m"}, m)
	a := agent{make(chan string, 5000)}
	ctx, cancel := context.WithCancel(t.Context())
	c := link.NewClient([]string{addr}, nil, a, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	conn := want(t, m.events, "connected a1")
	want(t, a.events, "welcomed m 1")
	const words = 1000
	for i := range words {
		c.Send(conn, &linkv1.ToMaster{Body: &linkv1.ToMaster_Update{Update: &linkv1.StatusUpdate{FrameworkId: fmt.Sprintf("f%d-", i)}}})
	}
	finish, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	c.Finish(finish)
	cancel()
	<-done
	for i := range words {
		want(t, m.events, fmt.Sprintf("received f%d-0", i))
	}
	want(t, m.events, "gone")
}
