package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/host/link/linkgrpc"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
)

// Handler is told what happens on a master's connections. The calls for one connection come one after another,
// Connected first and Gone last; those of different connections come concurrently.
type Handler interface {
	// Connected tells of a new agent; principal is its authenticated name, if it has one.
	Connected(conn, principal, address string, hello *linkv1.Hello)
	// Received tells of a message other than Hello.
	Received(conn string, msg *linkv1.ToMaster)
	// Gone tells that the connection has ended.
	Gone(conn string)
}

// Server is a master's end of the link. Its methods are safe for concurrent use.
type Server struct {
	linkgrpc.UnimplementedLinkServiceServer
	grpc *grpc.Server
	log  *slog.Logger

	mu    sync.Mutex
	term  *term // nil while this master does not lead
	other string
}

// term is one period of leadership; its connections end with it.
type term struct {
	epoch   uint64
	welcome *linkv1.Welcome
	handler Handler
	conns   map[string]*conn
}

type conn struct {
	id            string
	control, data *queue[*linkv1.ToAgent]
	// attached is closed when the data stream has come.
	attached chan struct{}
	once     sync.Once
	ctx      context.Context
	cancel   context.CancelCauseFunc
	// told orders what the handler is told of this connection; ended is set before it is told Gone.
	told  sync.Mutex
	ended bool
}

var errGivenUp = errors.New("connection closed by the master")

// NewServer returns a server that does not lead. creds may be nil for plain text.
func NewServer(creds credentials.TransportCredentials, log *slog.Logger) *Server {
	opts := serverOptions()
	if creds != nil {
		opts = append(opts, grpc.Creds(creds))
	}
	s := &Server{grpc: grpc.NewServer(opts...), log: log}
	linkgrpc.RegisterLinkServiceServer(s.grpc, s)
	return s
}

// Serve accepts connections until Stop.
func (s *Server) Serve(l net.Listener) error { return s.grpc.Serve(l) }

// Stop ends every connection.
func (s *Server) Stop() {
	s.Follow("")
	s.grpc.Stop()
}

// Lead begins a period of leadership: agents are welcomed and the handler is told of them.
func (s *Server) Lead(epoch uint64, welcome *linkv1.Welcome, h Handler) {
	s.Follow("")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term = &term{epoch: epoch, welcome: welcome, handler: h, conns: map[string]*conn{}}
}

// Follow ends the period of leadership, if there is one, with all its connections. leader is where agents are
// sent, empty if that is not known.
func (s *Server) Follow(leader string) {
	s.mu.Lock()
	t := s.term
	s.term, s.other = nil, leader
	var conns []*conn
	if t != nil {
		for _, c := range t.conns {
			conns = append(conns, c)
		}
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.cancel(errGivenUp)
	}
}

// Send queues a message for an agent; it never waits. A connection that is gone swallows it.
func (s *Server) Send(id string, msg *linkv1.ToAgent) {
	s.mu.Lock()
	t := s.term
	var c *conn
	if t != nil {
		c = t.conns[id]
	}
	s.mu.Unlock()
	if c == nil {
		return
	}
	msg.Epoch = t.epoch
	q := c.data
	if forControl(msg) {
		q = c.control
	}
	if !q.push(msg) {
		s.log.Warn("agent does not read what it is sent; closing its connection", "conn", id)
		c.cancel(errGivenUp)
	}
}

// Close ends a connection, after what is queued has had a moment to be sent.
func (s *Server) Close(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term == nil {
		return
	}
	if c := s.term.conns[id]; c != nil {
		time.AfterFunc(time.Second, func() { c.cancel(errGivenUp) })
	}
}

// Control implements the service.
func (s *Server) Control(stream linkgrpc.LinkService_ControlServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	hello := first.GetHello()
	if hello == nil {
		return status.Error(codes.InvalidArgument, "the first message of a connection is Hello")
	}
	t, c, err := s.open(stream)
	if err != nil {
		return err
	}
	defer s.forget(t, c)
	go s.awaitData(c)
	principal, address := identify(stream.Context())
	t.handler.Connected(c.id, principal, address, hello)
	defer c.end(t.handler)
	go s.receive(c, t.handler, stream.Recv)
	return s.send(c, c.control, stream.Send)
}

// open admits a new connection and puts the welcome at the head of its queue.
func (s *Server) open(stream linkgrpc.LinkService_ControlServer) (*term, *conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term == nil {
		if s.other != "" {
			stream.SetTrailer(metadata.Pairs(leaderKey, s.other))
		}
		return nil, nil, status.Error(codes.FailedPrecondition, "this master does not lead")
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	c := &conn{
		id: uuid.NewString(), control: newQueue[*linkv1.ToAgent](), data: newQueue[*linkv1.ToAgent](),
		attached: make(chan struct{}), ctx: ctx, cancel: cancel,
	}
	s.term.conns[c.id] = c
	w := &linkv1.Welcome{
		MasterId: s.term.welcome.MasterId, Version: s.term.welcome.Version, Capabilities: s.term.welcome.Capabilities,
		MasterInfo: s.term.welcome.MasterInfo, Connection: c.id,
	}
	c.control.push(&linkv1.ToAgent{Epoch: s.term.epoch, Body: &linkv1.ToAgent_Welcome{Welcome: w}})
	return s.term, c, nil
}

func (s *Server) forget(t *term, c *conn) {
	c.cancel(errGivenUp)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(t.conns, c.id)
}

func (s *Server) awaitData(c *conn) {
	timer := time.NewTimer(helloTimeout)
	defer timer.Stop()
	select {
	case <-c.attached:
	case <-c.ctx.Done():
	case <-timer.C:
		c.cancel(fmt.Errorf("the data stream was not opened within %s", helloTimeout))
	}
}

// Data implements the service.
func (s *Server) Data(stream linkgrpc.LinkService_DataServer) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	ids := md.Get(connectionKey)
	if len(ids) != 1 {
		return status.Error(codes.InvalidArgument, "the data stream names its connection in "+connectionKey)
	}
	s.mu.Lock()
	t := s.term
	var c *conn
	if t != nil {
		c = t.conns[ids[0]]
	}
	s.mu.Unlock()
	if c == nil {
		return status.Error(codes.NotFound, "no such connection")
	}
	first := false
	c.once.Do(func() { first = true; close(c.attached) })
	if !first {
		return status.Error(codes.AlreadyExists, "the connection has its data stream")
	}
	defer c.cancel(errGivenUp)
	go s.receive(c, t.handler, stream.Recv)
	return s.send(c, c.data, stream.Send)
}

// receive passes messages on until the stream ends, and the connection with it.
func (s *Server) receive(c *conn, h Handler, recv func() (*linkv1.ToMaster, error)) {
	for {
		msg, err := recv()
		if err != nil {
			c.cancel(err)
			return
		}
		c.told.Lock()
		if !c.ended {
			h.Received(c.id, msg)
		}
		c.told.Unlock()
	}
}

// end tells the handler that the connection is gone; it hears nothing more of it.
func (c *conn) end(h Handler) {
	c.told.Lock()
	defer c.told.Unlock()
	c.ended = true
	h.Gone(c.id)
}

func (s *Server) send(c *conn, q *queue[*linkv1.ToAgent], send func(*linkv1.ToAgent) error) error {
	err := drain(c.ctx, q, send)
	c.cancel(err)
	if errors.Is(context.Cause(c.ctx), errGivenUp) {
		return status.Error(codes.Unavailable, errGivenUp.Error())
	}
	return err
}

// identify says who is at the other end: the common name of a verified client certificate, and the address.
func identify(ctx context.Context) (principal, address string) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "", ""
	}
	if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.VerifiedChains) > 0 {
		principal = info.State.VerifiedChains[0][0].Subject.CommonName
	}
	return principal, p.Addr.String()
}
