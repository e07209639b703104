package daemon

import (
	"net/http"
	"time"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/about"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/masterapi"
	"github.com/mezzo-cluster/mezzo/host/api/metrics"
	"github.com/mezzo-cluster/mezzo/host/api/operator"
	apischeduler "github.com/mezzo-cluster/mezzo/host/api/scheduler"
	"github.com/mezzo-cluster/mezzo/host/api/stream"
)

// realmScheduler is the realm in which schedulers are authenticated, as Mesos names it.
const realmScheduler = "mesos-master-scheduler"

// routes are a master's endpoints.
func (m *masterDaemon) routes() (*endpoint.Mux, error) {
	auth, err := authenticator(m.conf.Authentication)
	if err != nil {
		return nil, err
	}
	audit := access.NewAuditor(m.Log)
	snapshot := metrics.NewSnapshot(m.metrics)
	daemon := &about.Daemon{
		Name: "master", Realm: masterapi.RealmRead, Control: m.control, Problems: problems(m.plugins), Started: m.started,
		Flags: flags(m.conf), Metrics: snapshot, Prometheus: prometheusHandler(m.plugins, snapshot, m.measured),
	}
	conf := masterapi.Config{
		Master: m, Leadership: m, Control: m.control, Audit: audit, Replies: m.replies, About: daemon, Cluster: m.conf.Cluster,
	}
	m.schedulers = apischeduler.New(apischeduler.Config{
		Master: m, Control: m.control, Audit: audit, Replies: m.replies, Limit: stream.DefaultLimit(), Log: m.Log,
	})
	plugins := &pluginAPI{
		options: m.Options, host: m.plugins, dir: m.conf.PluginDir, control: m.control, audit: audit,
		read: masterapi.RealmRead, write: masterapi.RealmWrite,
	}
	mux := endpoint.NewMux(auth, "master")
	mux.Handle(daemon.Routes()...)
	mux.Handle(masterapi.New(conf).Routes()...)
	mux.Handle(plugins.routes()...)
	mux.Handle(
		endpoint.Route{
			Path: apischeduler.Path, Methods: []string{http.MethodPost}, Realm: realmScheduler,
			Handler: endpoint.LeaderOnly(m, m.schedulers.Handle),
		},
		endpoint.Route{
			Path: "/api/v1", Methods: []string{http.MethodPost}, Realm: masterapi.RealmWrite,
			Handler: endpoint.LeaderOnly(m, operator.New(conf).Handle),
		},
		endpoint.Route{Path: "/explain", Exact: true, Realm: masterapi.RealmRead, Handler: endpoint.LeaderOnly(m, m.explain)},
	)
	mux.Handle(
		endpoint.Route{Path: "/", Exact: true, Handler: daemon.Help(mux.Paths)},
		endpoint.Route{Path: "/help", Handler: daemon.Help(mux.Paths)},
	)
	return mux, nil
}

// metrics adds the master's own to a snapshot.
func (m *masterDaemon) metrics(into map[string]float64) {
	r := m.reign.Load()
	if r == nil {
		into["master/elected"] = 0
		into["master/uptime_secs"] = time.Since(m.started).Seconds()
		return
	}
	for name, v := range r.loop.State().Metrics(time.Now()) {
		into[name] = v
	}
	into["master/event_queue_dispatches"] = float64(r.loop.Len())
	r.addAllocator(into)
}
