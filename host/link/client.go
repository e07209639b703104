package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/host/link/linkgrpc"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
)

// Back-off between attempts to reach a master.
const (
	minRedial = 50 * time.Millisecond
	maxRedial = 5 * time.Second
)

var errRedial = errors.New("connection given up by the agent")

// Agent is told what happens on an agent's connection, one call after another.
type Agent interface {
	// Hello is asked for what to say first.
	Hello() *linkv1.Hello
	// Welcomed tells of a new connection to the leading master at an address.
	Welcomed(conn, master string, epoch uint64, w *linkv1.Welcome)
	// Received tells of any other message.
	Received(conn string, msg *linkv1.ToAgent)
	// Gone tells that the connection has ended.
	Gone(conn string)
}

// Client keeps an agent connected to whichever master leads. Its methods are safe for concurrent use.
type Client struct {
	masters []string
	creds   credentials.TransportCredentials
	agent   Agent
	log     *slog.Logger

	mu   sync.Mutex
	live *connection
}

// connection is one connection.
type connection struct {
	id            string
	control, data *queue[*linkv1.ToMaster]
	cancel        context.CancelCauseFunc
	over          chan struct{} // closed when it has ended
}

// NewClient returns a client of the masters at these addresses (host:port). creds may be nil for plain text.
func NewClient(masters []string, creds credentials.TransportCredentials, a Agent, log *slog.Logger) *Client {
	if creds == nil {
		creds = insecure.NewCredentials()
	}
	return &Client{masters: masters, creds: creds, agent: a, log: log}
}

// Run connects, and connects again, until the context ends.
func (c *Client) Run(ctx context.Context) {
	wait := minRedial
	next, hint := 0, ""
	said := map[string]string{} // why a master could not be reached, by address: once is enough
	for ctx.Err() == nil {
		addr := hint
		if addr == "" {
			addr = c.masters[next%len(c.masters)]
			next++
		}
		welcomed, leader, err := c.connect(ctx, addr)
		switch {
		case ctx.Err() != nil:
			return
		case welcomed:
			if !errors.Is(err, errRedial) { // what the agent does not want now it may not want at once
				wait = minRedial
			}
			clear(said)
			c.log.Info("connection to master ended", "master", addr, "cause", err)
		default:
			level := slog.LevelDebug
			if text := fmt.Sprint(err); said[addr] != text && leader == "" {
				said[addr], level = text, slog.LevelWarn
				if status.Code(err) == codes.FailedPrecondition { // it is there, and none leads yet, as at its start
					level = slog.LevelInfo
				}
			}
			c.log.Log(ctx, level, "cannot connect to master", "master", addr, "error", err, "leader", leader)
		}
		if hint = leader; hint != "" && hint != addr {
			continue
		}
		pause(ctx, wait/2+rand.N(wait/2))
		wait = min(wait*2, maxRedial)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Send queues a message on a connection; it never waits. A connection that is gone swallows it.
func (c *Client) Send(conn string, msg *linkv1.ToMaster) {
	s := c.connection(conn)
	if s == nil {
		return
	}
	q := s.data
	if toControl(msg) {
		q = s.control
	}
	if !q.push(msg) {
		s.cancel(errRedial)
	}
}

// Redial gives a connection up; Run dials anew.
func (c *Client) Redial(conn string) {
	if s := c.connection(conn); s != nil {
		s.cancel(errRedial)
	}
}

// Finish has the present connection end once the master has read all that was sent, and waits for that, or for ctx.
// It is for an agent that is about to end: Run dials anew.
func (c *Client) Finish(ctx context.Context) {
	c.mu.Lock()
	s := c.live
	c.mu.Unlock()
	if s == nil {
		return
	}
	s.data.finish()
	select {
	case <-s.over:
	case <-ctx.Done():
	}
}

func (c *Client) connection(id string) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live == nil || c.live.id != id {
		return nil
	}
	return c.live
}

// connect holds one connection until it ends. It reports whether a master welcomed the agent, and otherwise the
// leader's address if the master named it.
func (c *Client) connect(ctx context.Context, addr string) (welcomed bool, leader string, err error) {
	cc, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(c.creds),
		grpc.WithKeepaliveParams(clientKeepalive),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return false, "", fmt.Errorf("dial %s: %w", addr, err)
	}
	defer cc.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errRedial)
	svc := linkgrpc.NewLinkServiceClient(cc)
	control, err := svc.Control(ctx)
	if err != nil {
		return false, "", err
	}
	first, err := greet(control, c.agent.Hello(), cancel)
	if err != nil {
		return false, leaderOf(control), err
	}
	w := first.GetWelcome()
	s := &connection{id: w.Connection, control: newQueue[*linkv1.ToMaster](), data: newQueue[*linkv1.ToMaster](), cancel: cancel, over: make(chan struct{})}
	data, err := svc.Data(metadata.AppendToOutgoingContext(ctx, connectionKey, w.Connection))
	if err != nil {
		return false, "", err
	}
	c.use(s)
	c.agent.Welcomed(s.id, addr, first.Epoch, w)
	err = c.exchange(ctx, s, control, data)
	close(s.over)
	c.use(nil)
	c.agent.Gone(s.id)
	return true, "", err
}

func (c *Client) use(s *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = s
}

func greet(control linkgrpc.LinkService_ControlClient, hello *linkv1.Hello, cancel context.CancelCauseFunc) (*linkv1.ToAgent, error) {
	late := time.AfterFunc(helloTimeout, func() { cancel(fmt.Errorf("no welcome within %s", helloTimeout)) })
	defer late.Stop()
	// An error of Send is io.EOF; Recv tells the cause.
	_ = control.Send(&linkv1.ToMaster{Body: &linkv1.ToMaster_Hello{Hello: hello}})
	first, err := control.Recv()
	if err != nil {
		return nil, err
	}
	if first.GetWelcome() == nil {
		return nil, fmt.Errorf("the master answered Hello by %T", first.Body)
	}
	return first, nil
}

func leaderOf(control linkgrpc.LinkService_ControlClient) string {
	if v := control.Trailer().Get(leaderKey); len(v) == 1 {
		return v[0]
	}
	return ""
}

// exchange moves messages until one of the streams ends, and returns when all four directions have.
func (c *Client) exchange(ctx context.Context, s *connection, control linkgrpc.LinkService_ControlClient, data linkgrpc.LinkService_DataClient) error {
	var all sync.WaitGroup
	var order sync.Mutex // the agent hears one message at a time, whichever stream it came by
	receive := func(recv func() (*linkv1.ToAgent, error)) {
		for {
			msg, err := recv()
			if err != nil {
				s.cancel(err)
				return
			}
			order.Lock()
			c.agent.Received(s.id, msg)
			order.Unlock()
		}
	}
	all.Go(func() { receive(control.Recv) })
	all.Go(func() { receive(data.Recv) })
	all.Go(func() { s.cancel(drain(ctx, s.control, control.Send)) })
	all.Go(func() {
		err := drain(ctx, s.data, data.Send)
		if errors.Is(err, errFinished) && data.CloseSend() == nil {
			return // the master ends the streams when it has read everything
		}
		s.cancel(err)
	})
	all.Wait()
	return context.Cause(ctx)
}
