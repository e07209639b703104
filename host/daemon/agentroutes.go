package daemon

import (
	"context"
	"time"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/about"
	"github.com/mezzo-cluster/mezzo/host/api/agentapi"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/metrics"
)

// routes are an agent's endpoints.
func (a *agentDaemon) routes() (*endpoint.Mux, error) {
	auth, err := authenticator(a.conf.Authentication)
	if err != nil {
		return nil, err
	}
	snapshot := metrics.NewSnapshot(a.metrics)
	daemon := &about.Daemon{
		Name: "agent", Realm: agentapi.RealmRead, Control: a.control, Problems: problems(a.plugins, a.recovering), Started: a.started,
		Flags: flags(a.conf), Metrics: snapshot, Prometheus: prometheusHandler(a.plugins, snapshot, a.measured),
	}
	plugins := &pluginAPI{
		options: a.Options, host: a.plugins, dir: a.conf.PluginDir, control: a.control, audit: access.NewAuditor(a.Log),
		read: agentapi.RealmRead, write: agentapi.RealmWrite,
	}
	mux := endpoint.NewMux(auth, "slave(1)")
	mux.Handle(daemon.Routes()...)
	mux.Handle(agentapi.New(agentapi.Config{Agent: a, Control: a.control, About: daemon}).Routes()...)
	mux.Handle(plugins.routes()...)
	mux.Handle(
		endpoint.Route{Path: "/", Exact: true, Handler: daemon.Help(mux.Paths)},
		endpoint.Route{Path: "/help", Handler: daemon.Help(mux.Paths)},
	)
	return mux, nil
}

func (a *agentDaemon) recovering() []string {
	if a.recovered.Load() == nil {
		return []string{"the agent is recovering"}
	}
	return nil
}

// metrics adds the agent's own to a snapshot.
func (a *agentDaemon) metrics(into map[string]float64) {
	s := a.State()
	if s == nil {
		return
	}
	for name, v := range s.Metrics(time.Now()) {
		into[name] = v
	}
}

// sleep waits, and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
