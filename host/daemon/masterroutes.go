package daemon

import (
	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/masterapi"
	"github.com/mezzo-cluster/mezzo/host/api/metrics"
)

// routes makes the master's API.
func (m *masterDaemon) routes() error {
	auth, err := authenticator(m.conf.Authentication, m.Log)
	if err != nil {
		return err
	}
	plugins := &pluginAPI{
		options: m.Options, host: m.plugins, dir: m.conf.PluginDir, control: m.control, audit: access.NewAuditor(m.Log),
		read: masterapi.RealmRead, write: masterapi.RealmWrite,
	}
	m.api = api.NewMaster(api.MasterConfig{
		Common: api.Common{
			Authenticator: auth, Control: m.control, Problems: problems(m.plugins), Flags: flags(m.conf), Started: m.started,
			Metrics: []metrics.Source{m.metrics}, Registry: prometheusRegistry(m.plugins, m.measured), Log: m.Log,
			Extra: append(plugins.routes(), endpoint.Route{
				Path: "/explain", Exact: true, Realm: masterapi.RealmRead, Handler: endpoint.LeaderOnly(m, m.explain),
			}),
		},
		Master: m, Leadership: m, Replies: m.replies, Cluster: m.conf.Cluster,
	})
	return nil
}

// metrics adds to a snapshot what the state does not tell.
func (m *masterDaemon) metrics(into map[string]float64) {
	m.store.Metrics(into)
	if r := m.reign.Load(); r != nil {
		into["master/event_queue_dispatches"] = float64(r.loop.Len())
		r.addAllocator(into)
	}
}
