// Package agentapi is the endpoints of an agent: the legacy documents, the sandboxes' files, and the operator API.
//
// It imports host/agent for the published state.
package agentapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/api/about"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// RealmRead is the realm in which reads of an agent are authenticated, and RealmWrite that of what changes it.
const (
	RealmRead  = "mesos-agent-readonly"
	RealmWrite = "mesos-agent-readwrite"
)

// Agent is what the endpoints need of the agent. It is safe for concurrent use.
type Agent interface {
	// State returns the state published last, nil while the agent recovers.
	State() *agent.State
	// Usage returns what the containers use, as far as that is known, also beside an error.
	Usage(ctx context.Context, containers []string) (map[string]isolator.Usage, error)
}

// Config is what the endpoints need.
type Config struct {
	Agent   Agent
	Control *access.Control
	// About is the daemon.
	About *about.Daemon
	Log   *slog.Logger
}

// Endpoints serves them. It is safe for concurrent use.
type Endpoints struct {
	Config
	owners owners
}

// New returns Endpoints.
func New(c Config) *Endpoints {
	return &Endpoints{Config: c, owners: owners{names: map[string]string{}, mu: new(sync.Mutex)}}
}

// Routes are the endpoints.
func (e *Endpoints) Routes() []endpoint.Route {
	read := func(path string, h endpoint.Handler) endpoint.Route {
		return endpoint.Route{Path: path, Realm: RealmRead, Handler: h}
	}
	return []endpoint.Route{
		read("/state", e.state),
		read("/containers", e.containers),
		read("/monitor/statistics", e.statistics),
		read("/files/browse", e.browse),
		read("/files/read", e.read),
		read("/files/download", e.download),
		read("/files/debug", e.debug),
		{Path: "/api/v1", Methods: []string{http.MethodPost}, Realm: RealmWrite, Handler: e.operator},
		endpoint.Unserved("/api/v1/executor", RealmWrite, http.MethodPost),
		endpoint.Unserved("/api/v1/resource_provider", RealmWrite, http.MethodPost),
		endpoint.Unserved("/containerizer/debug", RealmRead),
		endpoint.Unserved("/profiler/start", RealmWrite),
		endpoint.Unserved("/profiler/stop", RealmWrite),
		endpoint.Unserved("/memory-profiler", RealmWrite),
		endpoint.Unserved("/logging/toggle", RealmWrite),
	}
}

// present returns the agent's state.
func (e *Endpoints) present() (*agent.State, error) {
	if s := e.Agent.State(); s != nil {
		return s, nil
	}
	return nil, endpoint.Unavailable(access.RetryAfter, "Agent has not finished recovery")
}

// endpointAllowed asks whether a caller may read an endpoint that has no action of its own.
func (e *Endpoints) endpointAllowed(r *http.Request, who access.Principal, path string) error {
	object := &access.Endpoint{Path: path, Method: r.Method}
	_, err := e.Control.Check(r.Context(), who, authorizer.GetEndpointWithPath, object)
	return endpoint.AccessError(err)
}
