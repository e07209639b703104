package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/about"
	"github.com/mezzo-cluster/mezzo/host/api/answer"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/masterapi"
	"github.com/mezzo-cluster/mezzo/host/api/metrics"
	"github.com/mezzo-cluster/mezzo/host/api/operator"
	"github.com/mezzo-cluster/mezzo/host/api/scheduler"
	"github.com/mezzo-cluster/mezzo/host/api/stream"
)

// realmScheduler is the realm in which schedulers are authenticated, as Mesos names it.
const realmScheduler = "mesos-master-scheduler"

// Common is what masters and agents have alike.
type Common struct {
	// Authenticator says who sends a request; nil lets everybody in.
	Authenticator access.Authenticator
	// Control says what they may do; nil allows everything.
	Control *access.Control
	// Problems returns why the daemon is not healthy; nothing means that it is. It may be nil, and must be safe
	// for concurrent use.
	Problems func() []string
	// Flags are the settings, by name, without secrets.
	Flags map[string]string
	// LogDir is where the log is kept, empty if it goes to the standard error.
	LogDir string
	// Started is when the process began.
	Started time.Time
	// Metrics are sources of metrics by Mesos's names, beyond those of the state machine.
	Metrics []metrics.Source
	// Registry holds all metrics for Prometheus; the API adds those with Mesos's names. A registry serves one API.
	Registry *prometheus.Registry
	// Extra are endpoints of the daemon's own.
	Extra []endpoint.Route
	Log   *slog.Logger
}

// MasterConfig is what the API of a master needs.
type MasterConfig struct {
	Common
	// Master is the state machine, if this master leads.
	Master     scheduler.Master
	Leadership endpoint.Leadership
	// Cluster is the cluster's name, which may be empty.
	Cluster string
	// StreamLimit bounds what waits for a scheduler that reads slowly; zero means stream.DefaultLimit.
	StreamLimit stream.Limit
	// Replies passes the machine's replies on.
	Replies *answer.Desk
}

// Master is the HTTP API of a master. It is safe for concurrent use.
type Master struct {
	mux   *endpoint.Mux
	calls *scheduler.Endpoint
}

// NewMaster puts the API of a master together.
func NewMaster(c MasterConfig) *Master {
	c.fill()
	if c.StreamLimit == (stream.Limit{}) {
		c.StreamLimit = stream.DefaultLimit()
	}
	audit := access.NewAuditor(c.Log)
	calls := scheduler.New(scheduler.Config{
		Master: c.Master, Control: c.Control, Audit: audit, Replies: c.Replies, Limit: c.StreamLimit, Log: c.Log,
	})
	daemon := c.about("master", masterapi.RealmRead, masterMetrics(c.Master, calls, c.Started))
	config := masterapi.Config{
		Master: c.Master, Leadership: c.Leadership, Control: c.Control, Audit: audit, Replies: c.Replies,
		About: daemon, Cluster: c.Cluster,
	}
	mux := endpoint.NewMux(c.Authenticator, "master")
	mux.Handle(daemon.Routes()...)
	mux.Handle(masterapi.New(config).Routes()...)
	mux.Handle(
		endpoint.Route{
			Path: scheduler.Path, Methods: []string{http.MethodPost}, Realm: realmScheduler,
			Handler: endpoint.LeaderOnly(c.Leadership, calls.Handle),
		},
		endpoint.Route{
			Path: operator.Path, Methods: []string{http.MethodPost}, Realm: masterapi.RealmWrite,
			Handler: endpoint.LeaderOnly(c.Leadership, operator.New(config).Handle),
		},
	)
	mux.Handle(c.Extra...)
	pages(mux, daemon, true)
	return &Master{mux: mux, calls: calls}
}

// ServeHTTP answers requests. It is to stand behind endpoint.Guard.
func (m *Master) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.mux.ServeHTTP(w, r) }

// Streams are the schedulers' event streams, to which the machine's events go.
func (m *Master) Streams() *scheduler.Streams { return m.calls.Streams() }

// fill sets what may be left out.
func (c *Common) fill() {
	if c.Authenticator == nil {
		c.Authenticator = access.NoAuthentication{}
	}
	if c.Control == nil {
		c.Control = access.NewControl(nil)
	}
	if c.Problems == nil {
		c.Problems = func() []string { return nil }
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
}

// about describes the daemon, whose metrics it registers.
func (c *Common) about(name, realm string, machine metrics.Source) *about.Daemon {
	snapshot := metrics.NewSnapshot(append([]metrics.Source{machine}, c.Metrics...)...)
	c.Registry.MustRegister(metrics.NewCollector(snapshot))
	return &about.Daemon{
		Name: name, Realm: realm, Control: c.Control, Problems: c.Problems, Flags: c.Flags, LogDir: c.LogDir,
		Started: c.Started, Metrics: snapshot, Prometheus: metrics.Handler(c.Registry),
	}
}

// pages adds the pages for people.
func pages(mux *endpoint.Mux, daemon *about.Daemon, root bool) {
	help := daemon.Help(mux.Paths)
	mux.Handle(endpoint.Route{Path: "/help", Handler: help})
	if root {
		mux.Handle(endpoint.Route{Path: "/", Exact: true, Handler: help})
	}
}
