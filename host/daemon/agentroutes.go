package daemon

import (
	"context"
	"net/http"
	"time"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api"
	"github.com/mezzo-cluster/mezzo/host/api/agentapi"
	"github.com/mezzo-cluster/mezzo/host/api/metrics"
)

// routes makes the agent's API.
func (a *agentDaemon) routes() (http.Handler, error) {
	auth, err := authenticator(a.conf.Authentication, a.Log)
	if err != nil {
		return nil, err
	}
	plugins := &pluginAPI{
		options: a.Options, host: a.plugins, dir: a.conf.PluginDir, control: a.control, audit: access.NewAuditor(a.Log),
		read: agentapi.RealmRead, write: agentapi.RealmWrite,
	}
	return api.NewAgent(api.AgentConfig{
		Common: api.Common{
			Authenticator: auth, Control: a.control, Problems: problems(a.plugins, a.recovering), Flags: flags(a.conf), Started: a.started,
			Metrics: []metrics.Source{a.metrics}, Registry: prometheusRegistry(a.plugins, a.measured), Extra: plugins.routes(), Log: a.Log,
		},
		Agent: a,
	}), nil
}

// metrics adds to a snapshot what the state does not tell.
func (a *agentDaemon) metrics(into map[string]float64) {
	succeeded, failed := a.fetcher.Counts()
	into["containerizer/fetcher/task_fetches_succeeded"] = float64(succeeded)
	into["containerizer/fetcher/task_fetches_failed"] = float64(failed)
}

func (a *agentDaemon) recovering() []string {
	if a.recovered.Load() == nil {
		return []string{"the agent is recovering"}
	}
	return nil
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
