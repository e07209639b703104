package daemon

import (
	"context"
	"net/http"
	"time"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api"
	"github.com/mezzo-cluster/mezzo/host/api/agentapi"
)

// routes makes the agent's API.
func (a *agentDaemon) routes() (http.Handler, error) {
	auth, err := authenticator(a.conf.Authentication)
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
			Registry: prometheusRegistry(a.plugins, a.measured), Extra: plugins.routes(), Log: a.Log,
		},
		Agent: a,
	}), nil
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
