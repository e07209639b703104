package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	pluginisolator "github.com/mezzo-cluster/mezzo/host/pluginhost/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// agentIsolator is an isolator plugin of the agent, and what it is held to as long as the agent runs.
type agentIsolator struct {
	plugin *pluginhost.Plugin
	*pluginisolator.Isolator
	facts pluginisolator.Facts
	// known is whether the plugin has ever told: the agent may have begun while it was down.
	known bool
}

func (i *agentIsolator) name() string { return i.plugin.Spec().Name }

// savedFacts is pluginisolator.Facts as it is written down for an agent that starts while the plugin is down.
type savedFacts struct {
	Contributes resource.Resources `json:"contributes"`
	Launches    bool               `json:"launches,omitempty"`
}

// openIsolators asks the isolators, in file order, what they are to this agent, and holds them to it. Of one that is
// down counts what it last said.
func (a *agentDaemon) openIsolators(ctx context.Context) error {
	saved := map[string]savedFacts{}
	if text := a.durable.Isolators(); text != nil {
		if err := json.Unmarshal(text, &saved); err != nil {
			return fmt.Errorf("read what the isolators were: %w", err)
		}
	}
	for _, p := range a.plugins.Of("isolator") {
		i := &agentIsolator{plugin: p, Isolator: pluginisolator.New(p, a.Log)}
		before, told := saved[i.name()]
		if err := a.ask(ctx, i, before, told); err != nil {
			return err
		}
		a.isolators = append(a.isolators, i)
	}
	for _, i := range a.isolators {
		if other := a.launching(i); i.facts.Launches && other != nil {
			return fmt.Errorf("isolators %q and %q both start containers, and one of an agent may: take one of them out of the configuration", i.name(), other.name())
		}
	}
	for _, i := range a.isolators {
		if err := i.Hold(ctx, func(f pluginisolator.Facts) error { return a.judge(i, f) }); err != nil && i.known && len(a.contents.Containers) == 0 {
			return fmt.Errorf("isolator %q: %w", i.name(), err)
		}
	}
	return nil
}

// ask finds out what an isolator is; before is what it last said, if it ever told.
func (a *agentDaemon) ask(ctx context.Context, i *agentIsolator, before savedFacts, told bool) error {
	recovering := len(a.contents.Containers) > 0
	facts, err := i.Facts(ctx)
	switch {
	case err == nil:
		i.facts, i.known = facts, true
	case errors.Is(err, pluginhost.ErrDown) || told && recovering:
		a.Log.Warn("isolator cannot say what it contributes; what it last said counts", "plugin", i.name(), "error", err)
		i.facts, i.known = pluginisolator.Facts{Contributes: before.Contributes, Launches: before.Launches}, told
	default:
		return err
	}
	if before.Launches && !i.facts.Launches && recovering {
		return fmt.Errorf("isolator %q has started containers of this agent and starts none any more: put its former version back until they have ended", i.name())
	}
	return nil
}

// launching is the isolator, besides one, that starts the agent's containers; nil if there is none.
func (a *agentDaemon) launching(besides *agentIsolator) *agentIsolator {
	for _, i := range a.isolators {
		if i != besides && (i.facts.Launches || !i.known && i.Launches()) {
			return i
		}
	}
	return nil
}

// judge says why a process of a plugin is not to be used: it is something else to the agent than at the start.
func (a *agentDaemon) judge(i *agentIsolator, now pluginisolator.Facts) error {
	if !now.Contributes.Equal(i.facts.Contributes) {
		return fmt.Errorf("it contributes %s now, and %s when the agent started; an agent's resources change only when it is started again, and as its reconfiguration_policy allows",
			orNothing(now.Contributes), orNothing(i.facts.Contributes))
	}
	if i.known && now.Launches != i.facts.Launches {
		return fmt.Errorf("it starts containers: %t, and when the agent started: %t; that changes only when the agent is started again", now.Launches, i.facts.Launches)
	}
	if other := a.launching(i); now.Launches && other != nil {
		return fmt.Errorf("it starts containers, as isolator %q does, and one of an agent may", other.name())
	}
	return nil
}

func orNothing(r resource.Resources) string {
	if r.IsEmpty() {
		return "nothing"
	}
	return r.String()
}

// saveIsolators writes down what the isolators are.
func (a *agentDaemon) saveIsolators() error {
	all := map[string]savedFacts{}
	for _, i := range a.isolators {
		if i.known {
			all[i.name()] = savedFacts{Contributes: i.facts.Contributes, Launches: i.facts.Launches}
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return a.durable.SaveIsolators(text)
}

// contributions are what the isolators bring to the agent.
func (a *agentDaemon) contributions() []contribution {
	var all []contribution
	for _, i := range a.isolators {
		if !i.facts.Contributes.IsEmpty() {
			all = append(all, contribution{isolator: i.name(), resources: i.facts.Contributes})
		}
	}
	return all
}

// containerIsolators are the isolators as the containerizer takes them.
func (a *agentDaemon) containerIsolators() []containerizer.IsolatorInstance {
	var out []containerizer.IsolatorInstance
	for _, i := range a.isolators {
		one := containerizer.IsolatorInstance{Name: i.name(), Isolator: i.Isolator, Launcher: i.Isolator}
		if d := i.plugin.Description(); d != nil {
			one.Plugin, one.Version = d.Name, d.Version
		}
		out = append(out, one)
	}
	return out
}
