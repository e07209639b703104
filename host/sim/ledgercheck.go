package sim

import (
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// containerLaunched notes that a machine launches a container for a task, which happens once.
func (l *ledger) containerLaunched(m *machine, c *container) {
	t := l.task(c.spec.Framework, c.spec.Task)
	switch {
	case t == nil:
		l.w.violate("%s launches a container for task %s of framework %s, which nobody asked for", m.name,
			c.spec.Task, c.spec.Framework)
	case t.container != nil:
		l.w.violate("%s launches a container for task %s, which had one on %s", m.name, t.id, t.container.m.name)
	default:
		t.container = c
	}
	l.checkMachine(m)
}

// checkMachine checks that the containers of a machine do not hold more than it has. One that was given up by its
// agent, and is about to go, does not count.
func (l *ledger) checkMachine(m *machine) {
	left := m.total
	for _, c := range m.containers {
		if !c.live() || c.destroyed {
			continue
		}
		rest, err := left.Sub(c.spec.Resources.Unallocate())
		if err != nil {
			l.w.violate("the containers of %s hold more than it has: %v", m.name, err)
			return
		}
		left = rest
	}
}

// checkOffer checks that an offer is what the framework may be offered.
func (l *ledger) checkOffer(s *client, o *mesos.Offer) {
	if o.GetFrameworkId().GetValue() != s.owner.id {
		l.w.violate("framework %s is sent an offer for %s", s.owner.id, o.GetFrameworkId().GetValue())
	}
	if s.holds(o.GetId().GetValue()) && len(s.offers) > 1 {
		n := 0
		for _, x := range s.offers {
			if x.GetId().GetValue() == o.GetId().GetValue() {
				n++
			}
		}
		if n > 1 {
			l.w.violate("framework %s is sent offer %s twice", s.owner.id, o.GetId().GetValue())
		}
	}
}
