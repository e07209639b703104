package serve

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/internal/schema"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// base serves the contract that all kinds have in common.
type base struct {
	pluginv1.UnimplementedPluginServiceServer
	def  *definition
	gate *gate
	log  *slog.Logger

	mu         sync.Mutex
	configured bool // whether Configure was called; a process is configured once
}

// Describe says what the plugin is.
func (b *base) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	return &pluginv1.DescribeResponse{
		Name:     b.def.name,
		Version:  b.def.version,
		Kinds:    []string{b.def.kind},
		Services: b.def.services,
		Schema:   b.def.schema,
		Doc:      b.def.doc,
	}, nil
}

// Configure builds the plugin. What is wrong with the configuration is the answer, and not an error.
func (b *base) Configure(ctx context.Context, r *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.configured {
		return nil, status.Error(codes.FailedPrecondition, "the plugin is configured already; a process is configured once")
	}
	config := r.GetConfigJson()
	if len(config) == 0 {
		config = []byte("{}")
	}
	if !json.Valid(config) {
		return nil, status.Error(codes.InvalidArgument, "config_json is not JSON")
	}
	if r.GetDataDir() != "" && !filepath.IsAbs(r.GetDataDir()) {
		return nil, status.Errorf(codes.InvalidArgument, "data_dir %q is not absolute", r.GetDataDir())
	}
	b.configured = true
	host := sdk.Host{Logger: b.log, Instance: r.GetInstance(), DataDir: r.GetDataDir(), ToolsOnly: r.GetToolsOnly()}
	problems, err := b.def.build(ctx, host, config)
	diagnostics := b.diagnostics(problems, err)
	if len(diagnostics) == 0 {
		b.gate.open()
	}
	return &pluginv1.ConfigureResponse{Diagnostics: diagnostics}, nil
}

// diagnostics makes one of every problem, and of every error that the constructor's error is made of.
func (b *base) diagnostics(problems []schema.Problem, err error) []*pluginv1.Diagnostic {
	for _, e := range leaves(err) {
		p := schema.Problem{Err: e}
		var located *sdk.ConfigProblem
		if errors.As(e, &located) {
			p = schema.Problem{Path: located.Path, Err: located.Err}
		}
		problems = append(problems, p)
	}
	var out []*pluginv1.Diagnostic
	for _, p := range problems {
		out = append(out, &pluginv1.Diagnostic{
			Severity: pluginv1.Severity_SEVERITY_ERROR,
			Path:     schema.Resolve(b.def.schema, p.Path),
			Summary:  p.Err.Error(),
		})
	}
	return out
}

// leaves is the errors that errors.Join has put together.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, leaves(e)...)
	}
	return out
}

// Drain makes the plugin come to rest.
func (b *base) Drain(ctx context.Context, _ *pluginv1.DrainRequest) (*pluginv1.DrainResponse, error) {
	if err := b.gate.drain(ctx); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	return &pluginv1.DrainResponse{}, nil
}
