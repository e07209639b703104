package master

import (
	"slices"
	"strings"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// check looks whether the state is sound.
func (r *rig) check() {
	r.t.Helper()
	if r.m.over {
		return
	}
	s := r.m.State()
	used, offered := map[string]resource.Resources{}, map[string]resource.Resources{}
	r.checkOffers(s, offered)
	for t := range s.Tasks("") {
		if s.Framework(t.Framework) == nil || s.Agent(t.Agent) == nil {
			r.t.Fatalf("task %s outlives its framework or agent", t.ID)
		}
		if !t.freed {
			key := t.Agent + "/" + t.Framework
			used[key] = mustAdd(r.t, used[key], t.Resources)
		}
		if Terminal(t.State) != t.freed {
			r.t.Fatalf("task %s is %s, and its resources are freed: %v", t.ID, t.State, t.freed)
		}
	}
	for a := range s.Agents() {
		r.checkAgent(s, a, used, offered)
	}
	r.checkIndexes(s)
	r.mirror.check(r.t, s)
}

// checkOffers looks whether offers have parties, and sums them up.
func (r *rig) checkOffers(s *State, offered map[string]resource.Resources) {
	r.t.Helper()
	for o := range s.Offers() {
		f, a := s.Framework(o.Framework), s.Agent(o.Agent)
		if f == nil || !f.Connected || !f.HasRole(o.Role) {
			r.t.Fatalf("offer %s outlives its framework", o.ID)
		}
		if a == nil || !a.Connected {
			r.t.Fatalf("offer %s outlives its agent", o.ID)
		}
		key := o.Agent + "/" + o.Framework
		offered[key] = mustAdd(r.t, offered[key], o.Resources)
	}
}

// checkAgent looks whether an agent's books balance, and agree with tasks and offers.
func (r *rig) checkAgent(s *State, a *Agent, used, offered map[string]resource.Resources) {
	r.t.Helper()
	all := a.Free
	for _, u := range a.Uses {
		key := a.ID + "/" + u.Framework
		if !u.Used.Equal(used[key]) || !u.Offered.Equal(offered[key]) {
			r.t.Fatalf("agent %s: %s has %s and is offered %s by the books, %s and %s by tasks and offers",
				a.ID, u.Framework, u.Used, u.Offered, used[key], offered[key])
		}
		if u.Used.IsEmpty() && u.Offered.IsEmpty() {
			r.t.Fatalf("agent %s has an empty entry for %s", a.ID, u.Framework)
		}
		delete(used, key)
		delete(offered, key)
		all = mustAdd(r.t, mustAdd(r.t, all, u.Used.Unallocate()), u.Offered.Unallocate())
	}
	for _, sums := range []map[string]resource.Resources{used, offered} {
		for key, sum := range sums {
			if strings.HasPrefix(key, a.ID+"/") {
				r.t.Fatalf("agent %s has no entry for %s of %s", a.ID, sum, key)
			}
		}
	}
	if !a.overdrawn && !all.Equal(a.Total) {
		r.t.Fatalf("agent %s: the books have %s, and its total is %s", a.ID, all, a.Total)
	}
	_, unreachable := s.Unreachable(a.ID)
	if _, recovered := s.recovered.get(a.ID); unreachable || recovered {
		r.t.Fatalf("agent %s is registered and something else, too", a.ID)
	}
}

// checkIndexes looks whether what is derived from the state agrees with it.
func (r *rig) checkIndexes(s *State) {
	r.t.Helper()
	tasks, offers, completed, unreachable := 0, 0, 0, 0
	for _, set := range r.m.tasksOn {
		tasks += len(set)
	}
	for _, set := range r.m.offersOf {
		offers += len(set)
	}
	for _, n := range r.m.completedN {
		completed += n
	}
	for _, refs := range r.m.unreachable {
		unreachable += len(refs)
	}
	if tasks != s.tasks.len() || offers != s.offers.len() || completed != s.completedT.len() || unreachable != s.unreachT.len() {
		r.t.Fatalf("the indexes have %d tasks, %d offers, %d completed and %d unreachable tasks; the state has %d, %d, %d and %d",
			tasks, offers, completed, unreachable, s.tasks.len(), s.offers.len(), s.completedT.len(), s.unreachT.len())
	}
	for f := range s.Frameworks() {
		var counts TaskCounts
		for t := range s.Tasks(f.ID) {
			counts[t.State]++
		}
		for state, n := range counts {
			if f.TasksByState[state] < n {
				r.t.Fatalf("framework %s counts %d tasks in state %d, and has %d", f.ID, f.TasksByState[state], state, n)
			}
		}
		for _, state := range []mesos.TaskState{
			mesos.TaskState_TASK_STAGING, mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_KILLING,
		} {
			if f.TasksByState[state] != counts[state] {
				r.t.Fatalf("framework %s counts %d tasks in state %d, and has %d", f.ID, f.TasksByState[state], state, counts[state])
			}
		}
	}
}

func mustAdd(t failer, a, b resource.Resources) resource.Resources {
	t.Helper()
	sum, err := a.Add(b)
	if err != nil {
		t.Fatalf("add: %v", err)
	}
	return sum
}

// mirror is what an allocator would know: the snapshot and the updates.
type mirror struct {
	seq        uint64
	agents     map[string]allocator.Agent
	frameworks map[string]allocator.Framework
	uses       map[string]resource.Resources // by agent and framework
	proposed   map[uint64]allocator.Allocation
}

func newMirror(s allocator.Snapshot) *mirror {
	m := &mirror{
		seq: s.Sequence, agents: map[string]allocator.Agent{}, frameworks: map[string]allocator.Framework{},
		uses: map[string]resource.Resources{}, proposed: map[uint64]allocator.Allocation{},
	}
	for _, u := range s.Updates {
		m.apply(nil, u)
	}
	return m
}

func (m *mirror) update(t failer, e AllocatorUpdate) {
	t.Helper()
	if e.Seq != m.seq+1 {
		t.Fatalf("update %d follows update %d", e.Seq, m.seq)
	}
	m.seq = e.Seq
	m.apply(t, e.Update)
}

// answer enters what was proposed and accepted.
func (m *mirror) answer(t failer, e AllocatorAnswer) {
	for _, a := range e.Answers {
		if p := m.proposed[a.ID]; a.Accepted() {
			key := p.Agent + "/" + p.Framework
			m.uses[key] = mustAdd(t, m.uses[key], p.Resources.Allocate(p.Role))
		}
		delete(m.proposed, a.ID)
	}
}

func (m *mirror) apply(t failer, u allocator.Update) {
	switch u := u.(type) {
	case allocator.AgentAdded:
		m.agents[u.Agent.ID] = u.Agent
		for _, use := range u.Uses {
			m.uses[u.Agent.ID+"/"+use.Framework] = use.Resources
		}
	case allocator.AgentChanged:
		if _, known := m.agents[u.Agent.ID]; !known {
			t.Fatalf("agent %s changed, and was never added", u.Agent.ID)
		}
		m.agents[u.Agent.ID] = u.Agent
	case allocator.AgentRemoved:
		delete(m.agents, u.ID)
		for key := range m.uses {
			if strings.HasPrefix(key, u.ID+"/") {
				delete(m.uses, key)
			}
		}
	case allocator.FrameworkAdded:
		if _, known := m.frameworks[u.Framework.ID]; known {
			t.Fatalf("framework %s was added twice", u.Framework.ID)
		}
		m.frameworks[u.Framework.ID] = u.Framework
	case allocator.FrameworkChanged:
		if _, known := m.frameworks[u.Framework.ID]; !known {
			t.Fatalf("framework %s changed, and was never added", u.Framework.ID)
		}
		m.frameworks[u.Framework.ID] = u.Framework
	case allocator.FrameworkRemoved:
		delete(m.frameworks, u.ID)
	case allocator.Revived:
		f := m.frameworks[u.Framework]
		f.Suppressed = without(f.Suppressed, u.Roles)
		m.frameworks[u.Framework] = f
	case allocator.Allocated:
		key := u.Agent + "/" + u.Framework
		m.uses[key] = mustAdd(t, m.uses[key], u.Resources)
	case allocator.Recovered:
		if _, known := m.agents[u.Agent]; !known {
			t.Fatalf("resources came back on agent %s, which is not there", u.Agent)
		}
		key := u.Agent + "/" + u.Framework
		rest, err := m.uses[key].Sub(u.Resources)
		if err != nil {
			t.Fatalf("resources came back that were not in use: %v", err)
		}
		if m.uses[key] = rest; rest.IsEmpty() {
			delete(m.uses, key)
		}
	}
}

// check compares with what a snapshot would say now.
func (m *mirror) check(t failer, s *State) {
	t.Helper()
	now := newMirror(s.AllocatorSnapshot())
	if now.seq != m.seq {
		t.Fatalf("the snapshot is of sequence %d, after update %d", now.seq, m.seq)
	}
	if len(now.agents) != len(m.agents) || len(now.frameworks) != len(m.frameworks) || len(now.uses) != len(m.uses) {
		t.Fatalf("the updates made %d agents, %d frameworks, %d uses; a snapshot has %d, %d, %d\n%v\n%v",
			len(m.agents), len(m.frameworks), len(m.uses), len(now.agents), len(now.frameworks), len(now.uses), m.uses, now.uses)
	}
	for key, use := range now.uses {
		if !m.uses[key].Equal(use) {
			t.Fatalf("%s: the updates made %s, a snapshot has %s", key, m.uses[key], use)
		}
	}
	for id, a := range now.agents {
		if was := m.agents[id]; was.Active != a.Active || !was.Total.Equal(a.Total) {
			t.Fatalf("agent %s: the updates made %+v, a snapshot has %+v", id, was, a)
		}
	}
	for id, f := range now.frameworks {
		was := m.frameworks[id]
		if was.Active != f.Active || !slices.Equal(was.Roles, f.Roles) || !slices.Equal(was.Suppressed, f.Suppressed) {
			t.Fatalf("framework %s: the updates made %+v, a snapshot has %+v", id, was, f)
		}
	}
}
