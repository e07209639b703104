package api

import (
	"maps"
	"net/http"
	"time"

	"github.com/mezzo-cluster/mezzo/host/api/agentapi"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
)

// AgentConfig is what the API of an agent needs.
type AgentConfig struct {
	Common
	// Agent is the state machine, and what the containers use.
	Agent agentapi.Agent
}

// NewAgent puts the API of an agent together. It is to stand behind endpoint.Guard.
func NewAgent(c AgentConfig) http.Handler {
	c.fill()
	daemon := c.about("agent", agentapi.RealmRead, agentMetrics(c.Agent))
	mux := endpoint.NewMux(c.Authenticator, "slave(1)")
	mux.Handle(daemon.Routes()...)
	mux.Handle(agentapi.New(agentapi.Config{Agent: c.Agent, Control: c.Control, About: daemon, Log: c.Log}).Routes()...)
	mux.Handle(c.Extra...)
	pages(mux, daemon, false)
	return mux
}

// absentFromAgents are metrics of Mesos's agent for what an agent of this release does not have, so that nothing
// of it ever happens: no fetcher cache, no provisioner, no resource providers.
var absentFromAgents = []string{
	"containerizer/fetcher/cache_size_total_bytes", "containerizer/fetcher/cache_size_used_bytes",
	"containerizer/mesos/provisioner/bind/remove_rootfs_errors",
	"containerizer/mesos/provisioner/remove_container_errors",
	"resource_provider_manager/events/disconnect", "resource_provider_manager/events/subscribe",
	"resource_provider_manager/subscribed",
}

func agentMetrics(a agentapi.Agent) func(map[string]float64) {
	return func(into map[string]float64) {
		for _, name := range absentFromAgents {
			into[name] = 0
		}
		if s := a.State(); s != nil {
			maps.Copy(into, s.Metrics(time.Now()))
		}
	}
}
