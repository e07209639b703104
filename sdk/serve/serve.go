package serve

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"

	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/internal/schema"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
	authorizerv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/authorizer/v1"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// Constructor makes a plugin of a configuration. It is called once, and leaves nothing behind when it
// returns an error. sdk.ConfigError says which attribute an error is about, and Host.Warn warns of one.
type Constructor[C, T any] func(ctx context.Context, h sdk.Host, config C) (T, error)

// Option changes what a plugin says about itself.
type Option func(*definition)

// Doc is a line for people: what the plugin is for.
func Doc(text string) Option { return func(d *definition) { d.doc = text } }

// definition is a plugin before it is configured, with the vendor's types gone.
type definition struct {
	name, version, kind, doc string
	services                 []string
	schema                   *pluginv1.Block
	// build makes the plugin, ready to serve.
	build func(ctx context.Context, h sdk.Host, config []byte) ([]schema.Problem, error)
	// register adds the kind's services.
	register func(s *grpc.Server, b *base)
}

// Allocator runs an allocator that looks at the whole cluster each time. It does not return.
func Allocator[C any, T allocator.Cycler](name, version string, construct Constructor[C, T], opts ...Option) {
	EventAllocator(name, version, func(ctx context.Context, h sdk.Host, c C) (allocator.Allocator, error) {
		v, err := construct(ctx, h, c)
		if err != nil {
			return nil, err
		}
		return allocator.FromCycler(v, allocator.DefaultInterval), nil
	}, opts...)
}

// EventAllocator runs an allocator that follows events. It does not return.
func EventAllocator[C any, T allocator.Allocator](name, version string, construct Constructor[C, T], opts ...Option) {
	server := &allocatorServer{}
	d := define(handshake.KindAllocator, name, version, construct, opts, func(v T) { server.allocator = v })
	d.services = []string{allocatorv1.AllocatorService_ServiceDesc.ServiceName}
	d.register = func(s *grpc.Server, b *base) {
		server.base = b
		allocatorv1.RegisterAllocatorServiceServer(s, server)
	}
	run(d)
}

// Authorizer runs an authorizer. One that has the methods of authorizer.PolicyTools serves them. It does
// not return.
func Authorizer[C any, T authorizer.Authorizer](name, version string, construct Constructor[C, T], opts ...Option) {
	server, tools := &authorizerServer{}, &policyToolsServer{}
	hasTools := implements[T, authorizer.PolicyTools]()
	d := define(handshake.KindAuthorizer, name, version, construct, opts, func(v T) {
		server.authorizer = v
		tools.tools, _ = any(v).(authorizer.PolicyTools)
	})
	d.services = []string{authorizerv1.AuthorizerService_ServiceDesc.ServiceName}
	if hasTools {
		d.services = append(d.services, authorizerv1.PolicyToolsService_ServiceDesc.ServiceName)
	}
	d.register = func(s *grpc.Server, _ *base) {
		authorizerv1.RegisterAuthorizerServiceServer(s, server)
		if hasTools {
			authorizerv1.RegisterPolicyToolsServiceServer(s, tools)
		}
	}
	run(d)
}

// Isolator runs an isolator. One that has the methods of isolator.ResourceContributor or isolator.Launcher
// serves them. It does not return.
func Isolator[C any, T isolator.Isolator](name, version string, construct Constructor[C, T], opts ...Option) {
	server := newIsolatorServer()
	contributes, launches := implements[T, isolator.ResourceContributor](), implements[T, isolator.Launcher]()
	d := define(handshake.KindIsolator, name, version, construct, opts, func(v T) {
		server.isolator = v
		server.contributor, _ = any(v).(isolator.ResourceContributor)
		server.launcher, _ = any(v).(isolator.Launcher)
	})
	d.services = []string{isolatorv1.IsolatorService_ServiceDesc.ServiceName}
	if contributes {
		d.services = append(d.services, isolatorv1.ContributorService_ServiceDesc.ServiceName)
	}
	if launches {
		d.services = append(d.services, isolatorv1.LauncherService_ServiceDesc.ServiceName)
	}
	d.register = func(s *grpc.Server, _ *base) {
		isolatorv1.RegisterIsolatorServiceServer(s, server)
		if contributes {
			isolatorv1.RegisterContributorServiceServer(s, contributorServer{s: server})
		}
		if launches {
			isolatorv1.RegisterLauncherServiceServer(s, launcherServer{s: server})
		}
	}
	run(d)
}

// implements tells whether a T is always an I.
func implements[T, I any]() bool { return reflect.TypeFor[T]().Implements(reflect.TypeFor[I]()) }

// define derives what is common to all kinds. A mistake in the vendor's configuration struct ends the
// process: nothing can be served with it.
func define[C, T any](kind, name, version string, construct Constructor[C, T], opts []Option, use func(T)) *definition {
	d := &definition{kind: kind, name: name, version: version}
	for _, o := range opts {
		o(d)
	}
	var err error
	if d.schema, err = schema.Derive(reflect.TypeFor[C]()); err != nil {
		fmt.Fprintf(os.Stderr, "%s plugin %s: derive the configuration's schema: %v\n", kind, name, err)
		os.Exit(1)
	}
	d.build = func(ctx context.Context, h sdk.Host, config []byte) ([]schema.Problem, error) {
		problems := schema.Check(d.schema, config)
		if h.ToolsOnly {
			problems = slices.DeleteFunc(problems, func(p schema.Problem) bool { return p.Missing })
		}
		if len(problems) > 0 {
			return problems, nil
		}
		var c C
		if problems := schema.Decode(config, &c); len(problems) > 0 {
			return problems, nil
		}
		v, err := construct(ctx, h, c)
		if err == nil {
			use(v)
		}
		return nil, err
	}
	return d
}
