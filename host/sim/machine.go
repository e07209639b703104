package sim

import (
	"fmt"
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
	"google.golang.org/protobuf/proto"
)

// machine is a computer with a disk, a kernel that runs containers, and at most one agent process.
type machine struct {
	w       *world
	name    string
	address string
	total   resource.Resources
	info    *mesos.AgentInfo

	instance string // of the work directory
	boots    int
	skew     time.Duration // of the wall clock
	disk     *disk
	// containers are those that the kernel has, or that left something behind, in the order they were launched.
	containers []*container
	nextPid    int
	process    *process
	links      []*link
	// stalledUp and stalledDown say that no message gets from here to the masters, or from them to here.
	stalledUp, stalledDown bool
	// slowSync is how long a synced write takes at present.
	slowSync time.Duration
	// misconfigured agents have a fault domain, which the masters have not, and are refused.
	misconfigured bool
	// epoch is the newest term of leadership that an agent here has acted in.
	epoch uint64
}

// sizes are what machines have. Some of it is reserved for a role.
var sizes = []string{
	"cpus:2;mem:1024;ports:[31000-31003]",
	"cpus:4;mem:4096;disk:1000;ports:[31000-31009]",
	"cpus:3;mem:2048;cpus(a):1;mem(a):256",
	"cpus:1;mem:512",
}

func newMachine(w *world, i int) *machine {
	m := &machine{w: w, name: fmt.Sprintf("h%d", i), address: fmt.Sprintf("10.0.0.%d:5051", i+1), nextPid: 100}
	total, err := resource.Parse(sizes[w.rng.IntN(len(sizes))], resource.DefaultRole)
	if err != nil {
		panic("sim: resources of a machine: " + err.Error())
	}
	m.total = total
	m.info = &mesos.AgentInfo{
		Hostname: proto.String(m.name), Port: proto.Int32(5051),
		Resources: wire.ToMesos(total, wire.Format{RefinedReservations: true}),
	}
	m.fresh()
	if m.misconfigured = w.chance(0.05); m.misconfigured {
		w.after(w.between(500*time.Millisecond, 6*time.Second), m.correct)
	}
	return m
}

// correct puts the agent's configuration right, and restarts it.
func (m *machine) correct() {
	m.misconfigured = false
	if m.process != nil {
		m.process.kill()
	}
}

// fresh gives the machine an empty disk, and so a new work directory.
func (m *machine) fresh() {
	m.instance = m.w.id("instance")
	m.disk = newDisk(m.w)
	m.epoch = 0
}

func (m *machine) boot() string { return fmt.Sprintf("%s-boot%d", m.name, m.boots) }

// start starts an agent if none runs.
func (m *machine) start() {
	if m.process == nil {
		m.process = startProcess(m)
	}
}

// startSoon starts an agent after a while, as a supervisor does.
func (m *machine) startSoon() {
	m.w.after(m.w.between(10*time.Millisecond, 2*time.Second), m.start)
}

// reboot restarts the machine: its processes are gone, and so is what was not synced.
func (m *machine) reboot() {
	m.boots++
	if m.process != nil {
		m.process.lose(m.w.between(time.Second, 20*time.Second))
	}
	for _, c := range m.containers {
		c.vanish()
	}
	m.containers = nil
	m.w.ledger.rebooted(m)
	m.disk.crash()
	m.epoch = 0 // of what it has seen, it may have lost the end
}

// reimage puts a new disk into the machine.
func (m *machine) reimage() {
	m.reboot()
	m.fresh()
}

// heal ends whatever keeps messages from the machine or to it.
func (m *machine) heal() {
	m.stalledUp, m.stalledDown = false, false
	for _, k := range m.links {
		for i := range k.up {
			k.up[i].resume()
			k.down[i].resume()
		}
	}
}

// container returns a container by its id, nil if there is none.
func (m *machine) container(id string) *container {
	for _, c := range m.containers {
		if c.id == id {
			return c
		}
	}
	return nil
}

// agentConfig is what an agent on this machine is told of it.
func (m *machine) agentConfig() agent.Config {
	cfg := m.w.plan.agent
	cfg.Info, cfg.Resources = m.info, m.total
	if m.misconfigured {
		cfg.Info = proto.CloneOf(m.info)
		cfg.Info.Domain = &mesos.DomainInfo{FaultDomain: &mesos.DomainInfo_FaultDomain{
			Region: &mesos.DomainInfo_FaultDomain_RegionInfo{Name: proto.String("r")},
			Zone:   &mesos.DomainInfo_FaultDomain_ZoneInfo{Name: proto.String("z")},
		}}
	}
	cfg.Capabilities = []mesos.AgentInfo_Capability_Type{
		mesos.AgentInfo_Capability_MULTI_ROLE, mesos.AgentInfo_Capability_HIERARCHICAL_ROLE,
		mesos.AgentInfo_Capability_RESERVATION_REFINEMENT,
	}
	cfg.Instance, cfg.Boot, cfg.Address = m.instance, m.boot(), m.address
	cfg.Random = m.w.source()
	return cfg
}
