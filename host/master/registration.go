package master

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/mutant"
	"github.com/mezzo-cluster/mezzo/host/registry"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
	"google.golang.org/protobuf/proto"
)

// conn is a connection of an agent.
type conn struct {
	id                 ConnID
	principal, address string
	instance           string
	// agent is the agent that the connection belongs to, empty until one has registered on it.
	agent string
	// pending are the chunks of a registration that have come so far.
	pending *registration
}

// registration is what an agent says when it registers: all the chunks together.
type registration struct {
	conn       ConnID
	info       *mesos.AgentInfo
	encoded    []byte
	version    string
	http       string
	instance   string
	principal  string
	resources  resource.Resources
	caps       []mesos.AgentInfo_Capability_Type
	frameworks [][]byte
	tasks      []*linkv1.Task
}

// register takes a chunk of a registration, and deals with the whole when the last one has come.
func (m *Master) register(c *conn, chunk *linkv1.Register) {
	r := c.pending
	if r == nil {
		var err error
		if r, err = firstChunk(c, chunk); err != nil {
			m.refuseAgent(c.id, err.Error(), false)
			return
		}
		c.pending = r
	}
	r.frameworks = append(r.frameworks, chunk.GetFrameworkInfos()...)
	r.tasks = append(r.tasks, chunk.GetTasks()...)
	if !chunk.GetLast() {
		return
	}
	c.pending = nil
	m.registerWhole(r)
}

// firstChunk reads what the first chunk alone holds.
func firstChunk(c *conn, chunk *linkv1.Register) (*registration, error) {
	r := &registration{
		conn: c.id, info: &mesos.AgentInfo{}, version: chunk.GetVersion(), http: chunk.GetHttpAddress(),
		instance: c.instance, principal: c.principal,
	}
	if err := proto.Unmarshal(chunk.GetAgentInfo(), r.info); err != nil {
		return nil, fmt.Errorf("the agent's description is malformed: %w", err)
	}
	resources, err := wire.FromMesos(r.info.GetResources())
	if err != nil {
		return nil, fmt.Errorf("the agent's resources are invalid: %w", err)
	}
	r.resources = resources.Unallocate()
	if _, err := wire.AttributesFromMesos(r.info.GetAttributes()); err != nil {
		return nil, fmt.Errorf("the agent's attributes are invalid: %w", err)
	}
	if id := r.info.GetId().GetValue(); id != "" {
		if err := validateID(id); err != nil {
			return nil, fmt.Errorf("the agent's id is invalid: %w", err)
		}
	}
	for _, data := range chunk.GetAgentCapabilities() {
		capability := &mesos.AgentInfo_Capability{}
		if proto.Unmarshal(data, capability) == nil {
			r.caps = append(r.caps, capability.GetType())
		}
	}
	return r, nil
}

func (m *Master) refuseAgent(c ConnID, why string, shutdown bool) {
	m.warn("refused an agent", slog.String("reason", why))
	m.sendConn(c, &linkv1.ToAgent{Body: &linkv1.ToAgent_Refused{
		Refused: &linkv1.Refused{Reason: why, Shutdown: shutdown},
	}})
}

// registerWhole deals with a complete registration.
func (m *Master) registerWhole(r *registration) {
	if err := m.checkDomain(r.info); err != nil {
		m.refuseAgent(r.conn, err.Error(), false)
		return
	}
	id := r.info.GetId().GetValue()
	if id == "" {
		m.count(countRegisterAgent)
		m.registerNew(r)
		return
	}
	m.count(countReregisterAgent)
	m.reregister(id, r)
}

func (m *Master) checkDomain(info *mesos.AgentInfo) error {
	if info.GetDomain().GetFaultDomain() != nil && m.s.region == "" {
		return errors.New("the agent has a fault domain, and the master has none")
	}
	return nil
}

// registerNew deals with an agent that has no id yet, or does not know yet that it has one.
func (m *Master) registerNew(r *registration) {
	if id, known := m.instances[r.instance]; known && r.instance != "" {
		r.info.Id = &mesos.AgentID{Value: proto.String(id)}
		m.reregister(id, r)
		return
	}
	m.displace(r.http)
	id := fmt.Sprintf("%s-S%d", m.cfg.ID, m.nextAgent)
	m.nextAgent++
	if r.instance != "" {
		m.instances[r.instance] = id
	}
	r.info.Id = &mesos.AgentID{Value: proto.String(id)}
	r.encoded = encode(r.info)
	if mutant.RegisteredBeforeCommit {
		m.admit(id, r)
	}
	m.commit(commit{kind: commitAdmit, agent: id, reg: r}, registry.AdmitAgent{ID: id, Info: r.encoded})
}

// displace removes a disconnected agent whose address a new one has: it is the same machine, which has lost its
// work directory.
func (m *Master) displace(http string) {
	id, known := m.addresses[http]
	if a, _ := m.s.agents.get(id); known && http != "" && a != nil && !a.Connected && a.HTTPAddress == http {
		m.leave(id, commitReplace, registry.RemoveAgent{ID: id})
	}
}

// reregister deals with an agent that has an id.
func (m *Master) reregister(id string, r *registration) {
	if _, busy := m.busy[id]; busy {
		m.waiting[id] = r
		return
	}
	r.encoded = encode(r.info)
	if at, gone := m.s.gone.get(id); gone {
		m.refuseAgent(r.conn, "the agent was marked gone at "+at.Format("2006-01-02 15:04:05"), true)
		return
	}
	if a, _ := m.s.agents.get(id); a != nil {
		m.reregisterKnown(a, r)
		return
	}
	if old, _ := m.s.recovered.get(id); old != nil {
		switch {
		case old.Hostname != r.info.GetHostname():
			m.refuseAgent(r.conn, "the agent has come back with another hostname", true)
		case bytes.Equal(old.Encoded, r.encoded):
			m.admit(id, r)
		default:
			m.commit(commit{kind: commitUpdate, agent: id, reg: r}, registry.UpdateAgent{ID: id, Info: r.encoded})
		}
		return
	}
	m.commit(commit{kind: commitReachable, agent: id, reg: r}, registry.MarkReachable{ID: id, Info: r.encoded})
}

// reregisterKnown deals with an agent that this master has, or had, a connection with.
func (m *Master) reregisterKnown(a *Agent, r *registration) {
	if a.Connected && a.Conn == r.conn {
		m.welcomeBack(a, true)
		return
	}
	if a.Hostname != r.info.GetHostname() || differentHost(a.HTTPAddress, r.http) {
		m.refuseAgent(r.conn, "the agent has come back with another hostname or address", true)
		return
	}
	if a.Connected {
		old := a.Conn
		m.disconnect(m.editAgent(a.ID))
		m.emit(CloseAgent{Conn: old})
		if c := m.conns[old]; c != nil {
			c.agent = ""
		}
	}
	if bytes.Equal(a.Encoded, r.encoded) {
		m.readmit(m.editAgent(a.ID), r)
		return
	}
	m.commit(commit{kind: commitUpdate, agent: a.ID, reg: r}, registry.UpdateAgent{ID: a.ID, Info: r.encoded})
}

// differentHost tells whether two host:port addresses are of different hosts. An empty one says nothing.
func differentHost(a, b string) bool {
	x, _, err := net.SplitHostPort(a)
	y, _, err2 := net.SplitHostPort(b)
	return err == nil && err2 == nil && x != "" && y != "" && x != y
}

// welcomeBack tells an agent that it is registered.
func (m *Master) welcomeBack(a *Agent, again bool) {
	m.tell(a, &linkv1.ToAgent{Body: &linkv1.ToAgent_Registered{Registered: &linkv1.Registered{
		AgentId: a.ID, Reregistered: again, PingIntervalNanoseconds: m.cfg.PingInterval.Nanoseconds(),
		MaxMissedPings: int32(m.cfg.MaxMissedPings),
	}}})
}
