package pluginhost

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/cgroup"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// Config is a plugin's configuration as the operator wrote it.
type Config interface {
	// JSON checks it against what the plugin says it accepts, and gives the JSON to send.
	JSON(schema *pluginv1.Block) ([]byte, error)
	// Explain turns what the plugin has to say about the configuration, whose schema it gave, into an error and
	// warnings that show it at its place. The error is nil when there is none among it.
	Explain(schema *pluginv1.Block, diagnostics []*pluginv1.Diagnostic) (warnings []string, err error)
	// At turns what is wrong with an attribute or block of the plugin block into an error that shows it at its place.
	At(name string, err error) error
}

// Spec is a plugin that is to run.
type Spec struct {
	Kind string
	Name string
	// Binary is the program's path, absolute.
	Binary string
	// SHA256 is its checksum in lower-case hexadecimal; empty for any, where Options allow that.
	SHA256 string
	// User and Group run it; empty for the host's own.
	User  string
	Group string
	// Cgroup limits each of its processes, in a control group of its own; nil for none.
	Cgroup *cgroup.Limits
	// Timeout bounds each call to it; zero for the kind's own.
	Timeout time.Duration
	// Env names the variables that it gets of the host's environment.
	Env []string
	// Plain leaves TLS out of the connection, for plugins whose TLS cannot do with go-plugin's certificates.
	Plain bool
	// ToolsOnly starts it for its tools alone: it must serve them, and need not be able to do anything else.
	ToolsOnly bool
	// Config may be nil for none at all.
	Config Config
}

// String is how errors name the plugin: `allocator "drf"`.
func (s Spec) String() string { return fmt.Sprintf("%s %q", s.Kind, s.Name) }

// processName is what the system calls the plugin's processes: "allocator-drf". Who only asks a program what it is has no
// names for it.
func (s Spec) processName() string {
	if s.Kind == "" {
		return filepath.Base(s.Binary)
	}
	return s.Kind + "-" + s.Name
}

// at shows an error at the place of what it came of, where there is one.
func (s Spec) at(name string, err error) error {
	if s.Config == nil {
		return err
	}
	return s.Config.At(name, err)
}

// Options are what the plugins of a host have in common. Zero times mean the defaults.
type Options struct {
	// RuntimeDir holds the folders of the plugins' sockets. It belongs to this host alone: what an earlier
	// one has left in it is removed. Short, since a socket's path has at most 107 bytes.
	RuntimeDir string
	// DataDir holds a folder for each plugin to keep things in.
	DataDir string
	// Cgroup is the control group, a path below the hierarchies, in which plugins have theirs. It belongs to this host
	// alone: what an earlier one has left in it is killed and removed.
	Cgroup string
	// RequireChecksum refuses plugins without one.
	RequireChecksum bool
	// Logger gets the plugins' lines and the host's own about them.
	Logger *slog.Logger
	// Seed is for the jitter of the back-off.
	Seed uint64

	StartTimeout   time.Duration // of a process until it is configured; 30 s
	StopTimeout    time.Duration // of each step of stopping; 5 s
	DrainTimeout   time.Duration // of the calls in flight when a plugin is replaced; 30 s
	HealthInterval time.Duration // between health checks; 5 s
	HealthTimeout  time.Duration // of a health check; 5 s. Two in a row that fail end the process
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		to *time.Duration
		is time.Duration
	}{
		{&o.StartTimeout, 30 * time.Second}, {&o.StopTimeout, 5 * time.Second}, {&o.DrainTimeout, 30 * time.Second},
		{&o.HealthInterval, 5 * time.Second}, {&o.HealthTimeout, 5 * time.Second},
	} {
		if *d.to == 0 {
			*d.to = d.is
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// services are, by kind, the gRPC services that this host knows, the newest first. The API version is the
// name of the proto package.
var services = map[string][]string{
	"allocator":  {"mezzo.allocator.v1.AllocatorService"},
	"authorizer": {"mezzo.authorizer.v1.AuthorizerService"},
	"isolator":   {"mezzo.isolator.v1.IsolatorService"},
}

// tools are, by kind, the gRPC services of the tools that a plugin may have.
var tools = map[string]string{"authorizer": "mezzo.authorizer.v1.PolicyToolsService"}

// callTimeouts are, by kind, how long a call may take when the configuration does not say.
var callTimeouts = map[string]time.Duration{
	"allocator":  5 * time.Second,
	"authorizer": 2 * time.Second,
	"isolator":   30 * time.Second,
}

// Description is what a plugin says about itself.
type Description struct {
	Name         string          `json:"name"`
	Version      string          `json:"version"`
	Kinds        []string        `json:"kinds"`
	Services     []string        `json:"services"`
	Capabilities []string        `json:"capabilities,omitempty"`
	Doc          string          `json:"doc,omitempty"`
	Schema       *pluginv1.Block `json:"-"`
	// SHA256 is the checksum of the program that said it.
	SHA256 string `json:"sha256"`
}
