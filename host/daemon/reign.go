package daemon

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/effect"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	pluginallocator "github.com/mezzo-cluster/mezzo/host/pluginhost/allocator"
	"github.com/mezzo-cluster/mezzo/host/registry/raftstore"
	"github.com/mezzo-cluster/mezzo/host/version"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// masterLoop drives the master's machine.
type masterLoop = effect.Loop[master.Event, master.Effect, master.State]

// reign is one epoch of leadership: a machine built from the registry, and what drives it.
type reign struct {
	daemon *masterDaemon
	id     string
	epoch  uint64
	info   *mesos.MasterInfo

	loop   *masterLoop
	timers *timers[master.TimerID]
	driver *pluginallocator.Driver // nil without an allocator

	ctx    context.Context //nolint:containedctx // the life of the reign, ended by end
	cancel context.CancelFunc
	done   sync.WaitGroup
	failed chan error
}

func (m *masterDaemon) newReign(l raftstore.Leadership) (*reign, error) {
	r := &reign{daemon: m, id: uuid.NewString(), epoch: l.Epoch, failed: make(chan error, 3)}
	var err error
	if r.info, err = m.masterInfo(r.id); err != nil {
		return nil, err
	}
	c := m.conf
	machine := master.New(master.Config{
		ID: r.id, Epoch: l.Epoch, Info: r.info, Started: m.started,
		PingInterval: c.AgentPingTimeout, MaxMissedPings: c.MaxAgentPingTimeouts, ReregisterTimeout: c.AgentReregisterTimeout,
		OfferTimeout: c.OfferTimeout, NoRootSubmissions: !c.RootSubmissions,
		MaxCompletedFrameworks: orNone(c.MaxCompletedFrameworks), MaxCompletedTasks: orNone(c.MaxCompletedTasksPerFramework),
		MaxUnreachableTasks: orNone(c.MaxUnreachableTasksPerFramework),
	}, l.State, now())
	r.timers = newTimers(func(id master.TimerID) { r.loop.Post(master.TimerFired{ID: id}) })
	executor := effect.NewMasterExecutor(effect.MasterPorts{
		Schedulers: m.api.Streams(), Agents: agentPort{m}, Registry: registryPort{r}, Allocator: allocatorPort{r},
		Timers: r.timers, Replies: m.replies, Log: m.Log,
	})
	r.loop = effect.NewLoop(machine, now, executor.Run, nil)
	if p := m.plugins.Of("allocator"); len(p) > 0 {
		r.driver = pluginallocator.New(p[0], allocatorClient{r}, m.Log)
	} else {
		m.Log.Warn("no allocator is configured: no offers are made")
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// orNone turns a configured 0, which means that nothing is kept, or no time, into a machine's way to say so.
func orNone[T int | time.Duration](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

// start sets everything going. The loop has its first event before anybody else can send one.
func (r *reign) start() {
	r.loop.Post(master.Started{})
	r.done.Go(func() {
		if err := r.loop.Run(r.ctx); err != nil {
			r.fail(fmt.Errorf("run the master: %w", err))
		}
	})
	info, err := proto.Marshal(r.info)
	if err != nil {
		r.fail(fmt.Errorf("encode master info: %w", err))
		return
	}
	r.daemon.link.Lead(r.epoch, &linkv1.Welcome{MasterId: r.id, Version: version.Mezzo(), MasterInfo: info}, linkHandler{r})
	if r.driver != nil {
		r.done.Go(func() {
			if err := r.driver.Run(r.ctx); err != nil && r.ctx.Err() == nil && !errors.Is(err, effect.ErrStopped) {
				r.fail(fmt.Errorf("drive the allocator: %w", err))
			}
		})
	}
}

func (r *reign) fail(err error) {
	select {
	case r.failed <- err:
	default: // the daemon is ending already
	}
}

// end drops the machine. Its streams and connections are closed by its own last effects.
func (r *reign) end() {
	r.loop.Post(master.LeadershipLost{})
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	_ = r.loop.Settle(ctx) // a loop that has stopped has nothing to say any more
	r.daemon.link.Follow("")
	r.cancel()
	r.timers.stop()
	r.done.Wait()
}

// masterInfo is what schedulers and agents are told about this master.
func (m *masterDaemon) masterInfo(id string) (*mesos.MasterInfo, error) {
	host, portText, err := net.SplitHostPort(m.advertised)
	if err != nil {
		return nil, fmt.Errorf("read the advertised address %q: %w", m.advertised, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("read the advertised address %q: %w", m.advertised, err)
	}
	ip := net.IPv4zero
	if addrs, err := net.LookupIP(host); err == nil {
		for _, a := range addrs {
			if a.To4() != nil {
				ip = a
				break
			}
		}
	}
	return &mesos.MasterInfo{
		Id: &id,
		// As Mesos has it: the address's four bytes, read as an integer of the machine's (little-endian) order.
		Ip:   proto.Uint32(binary.LittleEndian.Uint32(ip.To4())),
		Port: proto.Uint32(uint32(port)), Pid: proto.String("master@" + net.JoinHostPort(ip.String(), portText)),
		Hostname: &m.hostname, Version: proto.String(version.Mesos),
		Address:      &mesos.Address{Hostname: &m.hostname, Ip: proto.String(ip.String()), Port: proto.Int32(int32(port))},
		Capabilities: []*mesos.MasterInfo_Capability{{Type: mesos.MasterInfo_Capability_AGENT_UPDATE.Enum()}},
	}, nil
}
