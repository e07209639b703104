package master

import "github.com/mezzo-cluster/mezzo/sdk/resource"

// editFramework returns a framework that may be changed, or nil.
func (m *Master) editFramework(id string) *Framework {
	f, _ := m.s.frameworks.get(id)
	if f == nil || f.rev == m.rev {
		return f
	}
	c := *f
	c.rev = m.rev
	m.s.frameworks.set(id, &c)
	return &c
}

// editAgent returns an agent that may be changed, or nil.
func (m *Master) editAgent(id string) *Agent {
	a, _ := m.s.agents.get(id)
	if a == nil || a.rev == m.rev {
		return a
	}
	c := *a
	c.rev = m.rev
	c.Uses = append([]Use(nil), a.Uses...)
	m.s.agents.set(id, &c)
	return &c
}

// editTask returns a task, neither completed nor unreachable, that may be changed, or nil.
func (m *Master) editTask(ref taskRef) *Task {
	key := taskKey(ref.framework, ref.task)
	t, _ := m.s.tasks.get(key)
	if t == nil || t.rev == m.rev {
		return t
	}
	c := *t
	c.rev = m.rev
	m.s.tasks.set(key, &c)
	return &c
}

// intern returns equal resources that are held already, if there are any: most tasks of a framework have the
// same, and share their storage.
func (m *Master) intern(r resource.Resources) resource.Resources {
	for i := range m.interned {
		if m.interned[i].Equal(r) {
			return m.interned[i]
		}
	}
	m.interned[m.nextIntern] = r
	m.nextIntern = (m.nextIntern + 1) % len(m.interned)
	return r
}
