package master

import (
	"cmp"
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/host/registry"
)

// recoveryBatch is how many agents at a time are given up that have not come back to a new master.
const recoveryBatch = 100

// begin sets the timers of a new epoch.
func (m *Master) begin() {
	if m.s.recovered.len() > 0 {
		m.recoveryAt = m.now.Mono + m.cfg.ReregisterTimeout
		m.emit(SetTimer{ID: TimerID{Kind: TimerRecovery}, After: m.cfg.ReregisterTimeout})
	}
	m.registryAt = m.now.Mono + m.cfg.RegistryInterval
	m.emit(SetTimer{ID: TimerID{Kind: TimerRegistry}, After: m.cfg.RegistryInterval})
}

// timerFired deals with a timer. It may have been cancelled or set anew on its way here, so that each checks
// whether its time has really come.
func (m *Master) timerFired(id TimerID) {
	switch id.Kind {
	case TimerHeartbeat:
		m.heartbeatTimer(id.Key)
	case TimerFailover:
		m.failoverTimer(id.Key)
	case TimerPing:
		m.pingTimer(id.Key)
	case TimerReregister:
		m.reregisterTimer(id.Key)
	case TimerOffer:
		m.offerTimer(id.Key)
	case TimerAllocations:
		if len(m.proposed) > 0 {
			m.judge()
		}
	case TimerReconcile:
		m.reconcileTimer(id.Key)
	case TimerRecovery:
		m.recoveryTimer()
	case TimerRegistry:
		m.registryTimer()
	}
}

// recoveryTimer gives up agents of the registry that have not come back, some at a time.
func (m *Master) recoveryTimer() {
	if m.paused || m.now.Mono < m.recoveryAt {
		return
	}
	var late []string
	for a := range m.s.recovered.below("") {
		if _, busy := m.busy[a.ID]; !busy {
			late = append(late, a.ID)
		}
		if len(late) == recoveryBatch {
			break
		}
	}
	for _, id := range late {
		m.markUnreachable(id)
	}
	if len(late) == recoveryBatch {
		m.emit(SetTimer{ID: TimerID{Kind: TimerRecovery}})
	}
}

// registryTimer collects old entries of unreachable and gone agents.
func (m *Master) registryTimer() {
	if m.now.Mono < m.registryAt {
		return
	}
	m.registryAt = m.now.Mono + m.cfg.RegistryInterval
	m.emit(SetTimer{ID: TimerID{Kind: TimerRegistry}, After: m.cfg.RegistryInterval})
	p := registry.Prune{Unreachable: m.outdated(&m.s.unreachable), Gone: m.outdated(&m.s.gone)}
	if len(p.Unreachable)+len(p.Gone) > 0 {
		m.commit(commit{kind: commitPrune, prune: p}, p)
	}
}

// outdated are the entries that are too old, and the oldest of those that are too many.
func (m *Master) outdated(entries *tree[time.Time]) []string {
	type entry struct {
		id string
		at time.Time
	}
	var all []entry
	due := entries.len() > m.cfg.RegistryMaxCount
	for id, at := range entries.pairs() {
		if _, busy := m.busy[id]; !busy {
			all = append(all, entry{id, at})
			due = due || m.now.Wall.Sub(at) > m.cfg.RegistryMaxAge
		}
	}
	if !due {
		return nil
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	var old []string
	for i, e := range all {
		if len(all)-i > m.cfg.RegistryMaxCount || m.now.Wall.Sub(e.at) > m.cfg.RegistryMaxAge {
			old = append(old, e.id)
		}
	}
	return old
}

// pruned takes collected entries out of the state.
func (m *Master) pruned(p registry.Prune) {
	for _, id := range p.Unreachable {
		m.s.unreachable.remove(id)
	}
	for _, id := range p.Gone {
		m.s.gone.remove(id)
	}
}

// authorizerDown stops the timers that would remove somebody for not coming back: who cannot be authorized
// cannot come back.
func (m *Master) authorizerDown() {
	if !m.paused {
		m.paused, m.pausedAt = true, m.now.Mono
	}
}

// authorizerReady lets those timers go on from where they stood.
func (m *Master) authorizerReady() {
	if !m.paused {
		return
	}
	m.paused = false
	away := m.now.Mono - m.pausedAt
	for _, f := range m.s.frameworks.collect("") {
		if f.failoverAt != 0 && !f.Connected {
			f = m.editFramework(f.ID)
			f.failoverAt += min(away, m.now.Mono-(f.failoverAt-f.FailoverTimeout))
			m.emit(SetTimer{ID: TimerID{Kind: TimerFailover, Key: f.ID}, After: f.failoverAt - m.now.Mono})
		}
	}
	for _, a := range m.s.agents.collect("") {
		if a.reregisterAt != 0 && !a.Connected {
			a = m.editAgent(a.ID)
			a.reregisterAt += min(away, m.now.Mono-(a.reregisterAt-m.cfg.ReregisterTimeout))
			m.emit(SetTimer{ID: TimerID{Kind: TimerReregister, Key: a.ID}, After: a.reregisterAt - m.now.Mono})
		}
	}
	if m.s.recovered.len() > 0 {
		m.recoveryAt += away
		m.emit(SetTimer{ID: TimerID{Kind: TimerRecovery}, After: m.recoveryAt - m.now.Mono})
	}
}
