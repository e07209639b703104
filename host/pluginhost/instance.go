package pluginhost

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// instance is one process of a plugin, described and configured.
type instance struct {
	*link
	description Description
	service     string // the newest service that both sides know
	started     time.Time
	warnings    []string // what the plugin says about the configuration, which it has taken

	// streams ends when calls that stay open are to end: the process is gone or replaced.
	streams    context.Context
	endStreams context.CancelFunc

	calls int           // in flight; guarded by route.mu
	idle  chan struct{} // closed when calls comes to 0, if somebody waits; guarded by route.mu
}

// newInstance starts a process and configures it. It has no side effects beyond that, so it can be done
// beside the process that acts.
func newInstance(ctx context.Context, o Options, s Spec, log *output) (_ *instance, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.StartTimeout)
	defer cancel()
	i, err := describedInstance(ctx, o, s, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			i.endStreams()
			i.stop(o)
		}
	}()
	if i.service, err = s.Service(i.description); err != nil {
		return nil, s.at("binary", err)
	}
	if err := i.configure(ctx, o, s); err != nil {
		return nil, err
	}
	return i, nil
}

// describedInstance starts a process and asks what it is.
func describedInstance(ctx context.Context, o Options, s Spec, log *output) (_ *instance, err error) {
	l, err := launch(ctx, o, s, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.stop(o)
		}
	}()
	i := &instance{link: l, started: time.Now()}
	answer, err := pluginv1.NewPluginServiceClient(l.conn).Describe(ctx, &pluginv1.DescribeRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask %s to describe itself: %w%s", s.Binary, plain(err), log.said())
	}
	if i.description, err = description(answer, l.sha256); err != nil {
		return nil, fmt.Errorf("%s describes itself wrongly: %w", s.Binary, err)
	}
	i.streams, i.endStreams = context.WithCancel(context.Background())
	return i, nil
}

// maxNames bounds the lists of a description, maxName each name in them.
const (
	maxNames = 64
	maxName  = 255
)

func description(a *pluginv1.DescribeResponse, sha256 string) (Description, error) {
	d := Description{
		Name: a.GetName(), Version: a.GetVersion(), Kinds: a.GetKinds(), Services: a.GetServices(),
		Capabilities: a.GetCapabilities(), Doc: a.GetDoc(), Schema: a.GetSchema(), SHA256: sha256,
	}
	switch {
	case d.Name == "" || len(d.Name) > maxName:
		return d, fmt.Errorf("the name %.40q is empty or too long", d.Name)
	case d.Version == "" || len(d.Version) > maxName:
		return d, fmt.Errorf("the version %.40q is empty or too long", d.Version)
	case len(d.Kinds) > maxNames || len(d.Services) > maxNames || len(d.Capabilities) > maxNames:
		return d, fmt.Errorf("it lists more than %d kinds, services or capabilities", maxNames)
	}
	for _, name := range slices.Concat(d.Kinds, d.Services, d.Capabilities) {
		if name == "" || len(name) > maxName {
			return d, fmt.Errorf("the kind, service or capability %.40q is empty or too long", name)
		}
	}
	if d.Schema == nil {
		d.Schema = &pluginv1.Block{}
	}
	return d, nil
}

// Service is the newest service of the kind that this host and what describes itself so both know.
func (s Spec) Service(d Description) (string, error) {
	known, ok := services[s.Kind]
	if !ok {
		return "", fmt.Errorf("%q is not a kind of plugin", s.Kind)
	}
	if !slices.Contains(d.Kinds, s.Kind) {
		return "", fmt.Errorf("%s (%s %s) is no %s; it is: %s", s.Binary, d.Name, d.Version, s.Kind, orNothing(d.Kinds))
	}
	if s.ToolsOnly && !slices.Contains(d.Services, tools[s.Kind]) {
		return "", fmt.Errorf("%s (%s %s) has no tools: it does not serve %s, which plugins of the kind %s may do or not",
			s.Binary, d.Name, d.Version, tools[s.Kind], s.Kind)
	}
	for _, service := range known {
		if slices.Contains(d.Services, service) {
			return service, nil
		}
	}
	return "", fmt.Errorf("%s (%s %s) and this program have no version of the %s contract in common: the plugin serves %s, the program knows %s; "+
		"use a plugin built for a version that the program knows, or the program that the plugin was built for",
		s.Binary, d.Name, d.Version, s.Kind, orNothing(d.Services), strings.Join(known, ", "))
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

func (i *instance) configure(ctx context.Context, o Options, s Spec) error {
	config := []byte("{}")
	if s.Config != nil {
		var err error
		if config, err = s.Config.JSON(i.description.Schema); err != nil {
			return err
		}
	}
	dir, err := i.dataDir(o, s)
	if err != nil {
		return err
	}
	answer, err := pluginv1.NewPluginServiceClient(i.conn).Configure(ctx, &pluginv1.ConfigureRequest{
		ConfigJson: config, Instance: s.Name, DataDir: dir, ToolsOnly: s.ToolsOnly,
	})
	if err != nil {
		return fmt.Errorf("configure %s: %w%s", s.Binary, plain(err), i.output.said())
	}
	i.warnings, err = explain(s, i.description.Schema, answer.GetDiagnostics())
	for _, w := range i.warnings {
		i.output.logger.Warn("the plugin warns about its configuration", "warning", w)
	}
	return err
}

// maxDiagnostics bounds what a plugin may have to say about its configuration, maxDiagnostic each text of it in bytes.
const (
	maxDiagnostics = 100
	maxDiagnostic  = 16 << 10
)

func explain(s Spec, schema *pluginv1.Block, diagnostics []*pluginv1.Diagnostic) (warnings []string, err error) {
	if len(diagnostics) > maxDiagnostics {
		diagnostics = diagnostics[:maxDiagnostics]
	}
	for _, d := range diagnostics {
		d.Summary, d.Detail = cut(d.GetSummary()), cut(d.GetDetail())
	}
	if s.Config != nil && len(diagnostics) > 0 {
		return s.Config.Explain(schema, diagnostics)
	}
	var wrong []string
	for _, d := range diagnostics {
		text := d.GetSummary()
		if d.GetDetail() != "" {
			text += ": " + d.GetDetail()
		}
		if d.GetSeverity() == pluginv1.Severity_SEVERITY_WARNING {
			warnings = append(warnings, text)
		} else {
			wrong = append(wrong, text)
		}
	}
	if len(wrong) > 0 {
		err = fmt.Errorf("the configuration: %s", strings.Join(wrong, "; "))
	}
	return warnings, err
}

func cut(text string) string {
	if len(text) <= maxDiagnostic {
		return text
	}
	return strings.ToValidUTF8(text[:maxDiagnostic], "") + "..."
}

// dataDir makes the folder in which the plugin may keep things.
func (i *instance) dataDir(o Options, s Spec) (string, error) {
	if o.DataDir == "" {
		return "", nil
	}
	if err := os.MkdirAll(o.DataDir, 0o711); err != nil {
		return "", fmt.Errorf("make the plugins' data folder: %w", err)
	}
	dir := filepath.Join(o.DataDir, s.Kind+"-"+s.Name)
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return "", fmt.Errorf("make the plugin's data folder: %w", err)
	}
	if err := i.process.Load().Own(dir); err != nil {
		return "", fmt.Errorf("give the data folder to the plugin's user: %w", err)
	}
	return dir, nil
}

// healthy asks whether the plugin still answers. A plugin without the health service answers by saying so.
func (i *instance) healthy(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := grpc_health_v1.NewHealthClient(i.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: handshake.HealthService})
	switch code := status.Code(err); {
	case code == codes.Unimplemented || code == codes.NotFound:
		return nil
	case err != nil:
		return plain(err)
	case answer.GetStatus() == grpc_health_v1.HealthCheckResponse_NOT_SERVING:
		return fmt.Errorf("it says that it is not serving")
	default:
		return nil
	}
}
