package serve

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/allocatorconv"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// drainTime is how long a SIGTERM waits for calls in flight.
const drainTime = 5 * time.Second

// run serves the plugin until its host ends it. It does not return.
func run(d *definition) {
	if os.Getenv(handshake.CookieKey) != handshake.CookieValue {
		fmt.Fprintf(os.Stderr, "%s %s is a Mezzo %s plugin: the mezzo program starts it. "+
			"`mezzo plugin inspect %s` shows what it can be configured with.\n", d.name, d.version, d.kind, os.Args[0])
		os.Exit(1)
	}
	log := newLogger(os.Stderr, os.Getenv(handshake.LogLevel))
	p := &process{def: d, base: &base{def: d, gate: newGate(log), log: log}}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion:  handshake.ProtocolVersion,
			MagicCookieKey:   handshake.CookieKey,
			MagicCookieValue: handshake.CookieValue,
		},
		Plugins:    goplugin.PluginSet{handshake.PluginName: p},
		GRPCServer: p.server,
		// go-plugin's own lines, which are of no interest unless something is wrong.
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
	})
	os.Exit(0)
}

// process is the plugin as go-plugin sees it.
type process struct {
	goplugin.NetRPCUnsupportedPlugin
	def  *definition
	base *base
}

// GRPCServer adds the plugin's services, and begins to watch for the host's end.
func (p *process) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pluginv1.RegisterPluginServiceServer(s, p.base)
	p.def.register(s, p.base)
	if os.Getenv(handshake.WatchStdin) == "1" {
		go p.watchHost(os.Stdin, s)
	}
	go p.watchSignals(s)
	return nil
}

// GRPCClient is for hosts; a plugin has no use for it.
func (p *process) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return c, nil
}

func (p *process) server(opts []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(opts,
		grpc.MaxRecvMsgSize(handshake.MaxMessage),
		// Both ends are on one machine, so what matters is to wait for each other as little as possible.
		grpc.InitialWindowSize(4<<20),
		grpc.InitialConnWindowSize(16<<20),
		grpc.ForceServerCodecV2(allocatorconv.Codec()),
		grpc.UnaryInterceptor(p.base.gate.unary),
		grpc.StreamInterceptor(p.base.gate.stream),
	)...)
}

// watchHost ends the server, and with it the process, when the host's end of stdin is closed: the host is
// gone, whatever it died of.
func (p *process) watchHost(stdin io.Reader, s *grpc.Server) {
	_, err := io.Copy(io.Discard, stdin)
	p.base.log.Info("the host is gone; ending", slog.Any("error", err))
	stop(s)
}

// stop ends the server, and the process if calls in flight do not heed their contexts.
func stop(s *grpc.Server) {
	time.AfterFunc(drainTime, func() { os.Exit(1) })
	s.Stop()
}

// watchSignals drains at SIGTERM. go-plugin ignores SIGINT: a Ctrl-C is the host's business.
func (p *process) watchSignals(s *grpc.Server) {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	<-terminate
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := p.base.gate.drain(ctx); err != nil {
		p.base.log.Warn("calls are in flight still; ending", "error", err)
	}
	stop(s)
}
