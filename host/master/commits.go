package master

import (
	"time"

	"github.com/mezzo-cluster/mezzo/host/registry"
)

// commitKind says what a registry change is for.
type commitKind uint8

const (
	commitAdmit       commitKind = iota // a new agent
	commitUpdate                        // a known agent with another description
	commitReachable                     // an agent comes back that was unreachable, or forgotten
	commitUnreachable                   // an agent does not answer any more
	commitUnregister                    // an agent leaves by itself
	commitReplace                       // an agent whose machine has begun anew
	commitPrune                         // old entries go
)

// commit is a registry change under way, with what is to be done when it is made.
type commit struct {
	kind  commitKind
	agent string
	reg   *registration
	at    time.Time
	prune registry.Prune
}

// commit asks for a registry change. Nothing is said to anybody about it before it is made.
func (m *Master) commit(c commit, op registry.Op) {
	m.nextCommit++
	m.commits[m.nextCommit] = c
	if c.agent != "" {
		m.busy[c.agent] = m.nextCommit
	}
	m.emit(Commit{ID: m.nextCommit, Op: op})
}

// committed goes on where commit left off.
func (m *Master) committed(id uint64) {
	c, ok := m.commits[id]
	if !ok {
		return
	}
	delete(m.commits, id)
	delete(m.busy, c.agent)
	switch c.kind {
	case commitAdmit, commitReachable:
		m.admit(c.agent, c.reg)
	case commitUpdate:
		if a := m.editAgent(c.agent); a != nil {
			m.readmit(a, c.reg)
		} else {
			m.admit(c.agent, c.reg)
		}
	case commitUnreachable:
		m.becomeUnreachable(c.agent, c.at)
	case commitUnregister, commitReplace:
		m.removeAgent(c.agent, c.kind)
	case commitPrune:
		m.pruned(c.prune)
	}
	if r := m.waiting[c.agent]; r != nil {
		delete(m.waiting, c.agent)
		if m.conns[r.conn] != nil {
			m.reregister(c.agent, r)
		}
	}
}
