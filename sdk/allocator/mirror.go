package allocator

import (
	"fmt"
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// mirror is a copy of the cluster, kept true by an Allocator's events.
type mirror struct {
	agents     map[string]*mirrorAgent
	frameworks map[string]*Framework
	weights    map[string]float64
	quotas     map[string]Quota
	filters    map[filterKey][]filter
}

type mirrorAgent struct {
	Agent
	uses map[string]resource.Resources // by framework, with the role they are allocated to
	free resource.Resources
}

type filterKey struct{ framework, role, agent string }

type filter struct {
	refused resource.Resources // allocated to nobody
	until   time.Time
}

func newMirror() *mirror {
	return &mirror{
		agents:     map[string]*mirrorAgent{},
		frameworks: map[string]*Framework{},
		filters:    map[filterKey][]filter{},
	}
}

// apply makes one update. After an error the mirror is not true any more.
func (m *mirror) apply(now time.Time, u Update) error {
	switch u := u.(type) {
	case AgentAdded:
		return m.addAgent(u)
	case AgentChanged:
		return m.changeAgent(u)
	case AgentRemoved:
		delete(m.agents, u.ID)
		m.clearFilters(func(k filterKey) bool { return k.agent == u.ID })
	case FrameworkAdded:
		m.frameworks[u.Framework.ID] = &u.Framework
	case FrameworkChanged:
		m.changeFramework(&u.Framework)
	case FrameworkRemoved:
		delete(m.frameworks, u.ID)
		m.clearFilters(func(k filterKey) bool { return k.framework == u.ID })
	case Revived:
		m.revive(u)
	case Allocated:
		return m.allocate(u.Framework, u.Agent, u.Resources)
	case Recovered:
		return m.recover(now, u)
	case Converted:
		return m.convert(u)
	case WeightsChanged:
		m.weights = u.Weights
	case QuotaChanged:
		m.quotas = u.Quotas
	}
	return nil
}

func (m *mirror) addAgent(u AgentAdded) error {
	a := &mirrorAgent{Agent: u.Agent, uses: make(map[string]resource.Resources, len(u.Uses))}
	for _, use := range u.Uses {
		sum, err := a.uses[use.Framework].Add(use.Resources)
		if err != nil {
			return fmt.Errorf("agent %q: %w", u.Agent.ID, err)
		}
		a.uses[use.Framework] = sum
	}
	m.agents[a.ID] = a
	a.refresh()
	return nil
}

func (m *mirror) changeAgent(u AgentChanged) error {
	a, found := m.agents[u.Agent.ID]
	if !found {
		return fmt.Errorf("agent %q changed, and is not known", u.Agent.ID)
	}
	a.Agent = u.Agent
	a.refresh()
	if u.ClearFilters {
		m.clearFilters(func(k filterKey) bool { return k.agent == u.Agent.ID })
	}
	return nil
}

func (m *mirror) changeFramework(f *Framework) {
	before := m.frameworks[f.ID]
	m.frameworks[f.ID] = f
	if before == nil {
		return
	}
	m.clearFilters(func(k filterKey) bool {
		return k.framework == f.ID && (!slices.Contains(f.Roles, k.role) ||
			(slices.Contains(before.Suppressed, k.role) && !slices.Contains(f.Suppressed, k.role)))
	})
}

func (m *mirror) revive(u Revived) {
	f, found := m.frameworks[u.Framework]
	if !found {
		return
	}
	revived := func(role string) bool { return len(u.Roles) == 0 || slices.Contains(u.Roles, role) }
	changed := *f
	changed.Suppressed = slices.DeleteFunc(slices.Clone(f.Suppressed), revived)
	m.frameworks[f.ID] = &changed
	m.clearFilters(func(k filterKey) bool { return k.framework == f.ID && revived(k.role) })
}

func (m *mirror) allocate(framework, agent string, r resource.Resources) error {
	a, found := m.agents[agent]
	if !found {
		return fmt.Errorf("resources of agent %q are allocated, and it is not known", agent)
	}
	sum, err := a.uses[framework].Add(r)
	if err != nil {
		return fmt.Errorf("agent %q: %w", agent, err)
	}
	a.uses[framework] = sum
	a.refresh()
	return nil
}

func (m *mirror) recover(now time.Time, u Recovered) error {
	a, found := m.agents[u.Agent]
	if !found {
		return nil // the agent is gone, and its uses went with it
	}
	left, err := a.uses[u.Framework].Sub(u.Resources)
	if err != nil {
		return fmt.Errorf("framework %q gives back what it does not have of agent %q: %w", u.Framework, u.Agent, err)
	}
	if left.IsEmpty() {
		delete(a.uses, u.Framework)
	} else {
		a.uses[u.Framework] = left
	}
	a.refresh()
	if u.Filter == nil || u.Filter.Refuse <= 0 {
		return nil
	}
	for _, role := range u.Resources.AllocationRoles() {
		key := filterKey{u.Framework, role, u.Agent}
		m.filters[key] = append(m.live(now, key), filter{
			refused: u.Resources.AllocatedTo(role).Unallocate(), until: now.Add(u.Filter.Refuse),
		})
	}
	return nil
}

func (m *mirror) convert(u Converted) error {
	a, found := m.agents[u.Agent]
	if !found {
		return nil
	}
	total, err := swap(a.Total, u.From.Unallocate(), u.To.Unallocate())
	if err != nil {
		return fmt.Errorf("operation on agent %q: %w", u.Agent, err)
	}
	a.Total = total
	if u.Framework != "" {
		use, err := swap(a.uses[u.Framework], u.From, u.To)
		if err != nil {
			return fmt.Errorf("operation on agent %q: %w", u.Agent, err)
		}
		a.uses[u.Framework] = use
	}
	a.refresh()
	return nil
}

func swap(r, from, to resource.Resources) (resource.Resources, error) {
	left, err := r.Sub(from)
	if err != nil {
		return resource.Resources{}, err
	}
	return left.Add(to)
}

// refresh works out what is free. Shared resources are free however many use them. An agent that has less
// than is used of it has nothing free.
func (a *mirrorAgent) refresh() {
	free := a.Total.NonShared()
	for _, use := range a.uses {
		left, err := free.Sub(use.NonShared().Unallocate())
		if err != nil {
			a.free = resource.Resources{}
			return
		}
		free = left
	}
	if sum, err := free.Add(a.Total.Shared()); err == nil {
		free = sum
	}
	a.free = free
}

func (m *mirror) clearFilters(which func(filterKey) bool) {
	for k := range m.filters {
		if which(k) {
			delete(m.filters, k)
		}
	}
}

// live is the filters of a key that have not passed.
func (m *mirror) live(now time.Time, k filterKey) []filter {
	live := slices.DeleteFunc(m.filters[k], func(f filter) bool { return !f.until.After(now) })
	if len(live) == 0 {
		delete(m.filters, k)
		return nil
	}
	m.filters[k] = live
	return live
}
