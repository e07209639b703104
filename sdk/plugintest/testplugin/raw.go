package main

import (
	"context"
	"os"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
)

// rawPlugin serves what package serve would not let pass.
type rawPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	pluginv1.UnimplementedPluginServiceServer
	kind    string
	service string
	add     func(*grpc.Server)
}

// serve does not return.
func (p *rawPlugin) serve() {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: handshake.ProtocolVersion, MagicCookieKey: handshake.CookieKey, MagicCookieValue: handshake.CookieValue,
		},
		Plugins:    goplugin.PluginSet{handshake.PluginName: p},
		GRPCServer: goplugin.DefaultGRPCServer,
	})
	os.Exit(0)
}

func (p *rawPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pluginv1.RegisterPluginServiceServer(s, p)
	p.add(s)
	return nil
}

func (p *rawPlugin) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return c, nil
}

func (p *rawPlugin) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	return &pluginv1.DescribeResponse{Name: "test", Version: version, Kinds: []string{p.kind}, Services: []string{p.service}}, nil
}

func (p *rawPlugin) Configure(context.Context, *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	return &pluginv1.ConfigureResponse{}, nil
}

func (p *rawPlugin) Drain(context.Context, *pluginv1.DrainRequest) (*pluginv1.DrainResponse, error) {
	return &pluginv1.DrainResponse{}, nil
}

// serveOld says that it serves a version of the kind's contract which never was.
func serveOld(kind string) {
	(&rawPlugin{kind: kind, service: "mezzo." + kind + ".v0.Service", add: func(*grpc.Server) {}}).serve()
}

// serveLies answers nonsense, for the kinds where package serve sees to it that vendors do not.
func serveLies(kind string) {
	switch kind {
	case "authorizer":
		(&rawPlugin{kind: kind, service: authorizerv1.AuthorizerService_ServiceDesc.ServiceName, add: func(s *grpc.Server) {
			authorizerv1.RegisterAuthorizerServiceServer(s, lyingAuthorizer{})
		}}).serve()
	case "allocator":
		(&rawPlugin{kind: kind, service: allocatorv1.AllocatorService_ServiceDesc.ServiceName, add: func(s *grpc.Server) {
			allocatorv1.RegisterAllocatorServiceServer(s, lyingAllocator{})
		}}).serve()
	}
}

// lyingAuthorizer decides about more than it was asked, and forgets to say by which policy.
type lyingAuthorizer struct {
	authorizerv1.UnimplementedAuthorizerServiceServer
}

func (lyingAuthorizer) Authorize(context.Context, *authorizerv1.AuthorizeRequest) (*authorizerv1.AuthorizeResponse, error) {
	allowed := &authorizerv1.Decision{Allowed: true}
	return &authorizerv1.AuthorizeResponse{Decisions: []*authorizerv1.Decision{allowed, allowed, allowed}, Revision: "1"}, nil
}

func (lyingAuthorizer) Filter(context.Context, *authorizerv1.FilterRequest) (*authorizerv1.FilterResponse, error) {
	return &authorizerv1.FilterResponse{Answer: &authorizerv1.FilterResponse_Predicate{
		Predicate: &authorizerv1.Predicate{Op: authorizerv1.Op_OP_TRUE},
	}}, nil
}

// lyingAllocator gives away what is not there, and counts backwards.
type lyingAllocator struct {
	allocatorv1.UnimplementedAllocatorServiceServer
}

func (lyingAllocator) Run(stream grpc.BidiStreamingServer[allocatorv1.RunRequest, allocatorv1.RunResponse]) error {
	for id := uint64(10); ; {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		if r.GetSnapshot() == nil || !r.GetSnapshot().GetLast() {
			continue
		}
		for range 2 {
			id--
			a := &allocatorv1.Allocation{
				Id: id, FrameworkId: "nobody", Role: "*", AgentId: "nowhere",
				Resources: &resourcev1.Resources{Items: []*resourcev1.Resource{{Name: "cpus", Scalar: 1_000_000}}},
			}
			m := &allocatorv1.RunResponse_Allocations{Allocations: &allocatorv1.Allocations{Allocations: []*allocatorv1.Allocation{a}}}
			if err := stream.Send(&allocatorv1.RunResponse{Message: m}); err != nil {
				return err
			}
		}
	}
}
