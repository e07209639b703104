package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake/clientcert"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// barePlugin is configured once, and does nothing before.
type barePlugin struct {
	rawPlugin
	configured atomic.Bool
}

func (p *barePlugin) Configure(context.Context, *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	if !p.configured.CompareAndSwap(false, true) {
		return nil, status.Error(codes.FailedPrecondition, "configured already")
	}
	return &pluginv1.ConfigureResponse{}, nil
}

func (p *barePlugin) gate(ctx context.Context, r any, info *grpc.UnaryServerInfo, call grpc.UnaryHandler) (any, error) {
	if !p.configured.Load() && strings.HasPrefix(info.FullMethod, "/mezzo.authorizer.") {
		return nil, status.Error(codes.FailedPrecondition, "not configured")
	}
	return call(ctx, r)
}

// serveBare serves without go-plugin, as a program in another language does that has no more than it needs: no
// TLS, no health, no Shutdown. A line with a certificate is one that it was not asked for.
func serveBare(certified bool) {
	socket := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "bare")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	p := &barePlugin{rawPlugin: rawPlugin{kind: "authorizer", service: authorizerv1.AuthorizerService_ServiceDesc.ServiceName}}
	s := grpc.NewServer(grpc.UnaryInterceptor(p.gate))
	pluginv1.RegisterPluginServiceServer(s, p)
	authorizerv1.RegisterAuthorizerServiceServer(s, lyingAuthorizer{})
	certificate := ""
	if certified {
		config, _, err := clientcert.New()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		certificate = base64.RawStdEncoding.EncodeToString(config.Certificates[0].Certificate[0])
	}
	if os.Getenv(handshake.WatchStdin) == "1" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	fmt.Printf("1|1|unix|%s|grpc|%s\n", socket, certificate)
	_ = s.Serve(listener)
	os.Exit(1)
}
