// Package link carries the messages between agents and the leading master: one gRPC connection an agent, always
// dialled by the agent, with an ordered stream for control and one for data. It knows nothing of what the messages
// mean, apart from which stream each belongs to; it may import gRPC and the generated messages, and nothing else of
// the host.
package link

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
)

const (
	// maxMessage bounds one message either way. Registrations are cut into chunks well below it.
	maxMessage = 8 << 20
	// maxQueued bounds the messages that wait for one peer. A peer that lets more pile up is cut off: on
	// reconnecting it is told everything that still holds.
	maxQueued = 1 << 16
	// connectionKey is the metadata by which a data stream names the control stream it belongs to.
	connectionKey = "mezzo-connection"
	// leaderKey is the trailer by which a master that does not lead names the one that does.
	leaderKey = "mezzo-leader"
	// helloTimeout bounds how long a new connection may take to say Hello and to open its data stream.
	helloTimeout = 10 * time.Second
)

// transport settings shared by both ends: dead connections are noticed by HTTP/2 pings, whatever the state
// machines do.
var (
	serverKeepalive = keepalive.ServerParameters{Time: 20 * time.Second, Timeout: 20 * time.Second}
	clientKeepalive = keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 20 * time.Second, PermitWithoutStream: true}
	enforcement     = keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}
)

func serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.KeepaliveParams(serverKeepalive), grpc.KeepaliveEnforcementPolicy(enforcement),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
	}
}

// forControl says whether a message of the master belongs on the control stream.
func forControl(m *linkv1.ToAgent) bool {
	switch m.Body.(type) {
	case *linkv1.ToAgent_Welcome, *linkv1.ToAgent_Ping:
		return true
	}
	return false
}

// toControl says whether a message of an agent belongs on the control stream.
func toControl(m *linkv1.ToMaster) bool {
	switch m.Body.(type) {
	case *linkv1.ToMaster_Hello, *linkv1.ToMaster_Pong:
		return true
	}
	return false
}
