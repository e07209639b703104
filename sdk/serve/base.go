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
	warned := &warnings{log: b.log}
	host := sdk.Host{Logger: b.log, Instance: r.GetInstance(), DataDir: r.GetDataDir(), ToolsOnly: r.GetToolsOnly(), Warned: warned.add}
	problems, err := b.def.build(ctx, host, config)
	for _, e := range leaves(err) {
		problems = append(problems, located(e))
	}
	if len(problems) == 0 {
		b.gate.open()
	}
	diagnostics := b.diagnostics(pluginv1.Severity_SEVERITY_ERROR, problems)
	return &pluginv1.ConfigureResponse{
		Diagnostics: append(diagnostics, b.diagnostics(pluginv1.Severity_SEVERITY_WARNING, warned.take())...),
	}, nil
}

// located is an error with the path that it carries.
func located(err error) schema.Problem {
	var at *sdk.ConfigProblem
	if errors.As(err, &at) {
		return schema.Problem{Path: at.Path, Err: at.Err}
	}
	return schema.Problem{Err: err}
}

func (b *base) diagnostics(severity pluginv1.Severity, problems []schema.Problem) []*pluginv1.Diagnostic {
	var out []*pluginv1.Diagnostic
	for _, p := range problems {
		out = append(out, &pluginv1.Diagnostic{Severity: severity, Path: schema.Resolve(b.def.schema, p.Path), Summary: p.Err.Error()})
	}
	return out
}

// warnings gathers what a constructor warns of, until it is taken; what comes later is logged.
type warnings struct {
	log *slog.Logger

	mu    sync.Mutex
	list  []schema.Problem
	taken bool
}

func (w *warnings) add(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken {
		w.log.Warn("warning about the configuration", "warning", err.Error())
		return
	}
	w.list = append(w.list, located(err))
}

func (w *warnings) take() []schema.Problem {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = true
	return w.list
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
