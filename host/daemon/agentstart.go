package daemon

import (
	"context"
	cryptorand "crypto/rand"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
	"github.com/mezzo-cluster/mezzo/host/containerizer/posix"
	"github.com/mezzo-cluster/mezzo/host/effect"
	"github.com/mezzo-cluster/mezzo/host/link"
	"github.com/mezzo-cluster/mezzo/host/version"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// recover finds the containers that an earlier agent has left and builds the machine.
func (a *agentDaemon) recover(ctx context.Context) (*agent.Agent, error) {
	began := time.Now()
	if err := a.openIsolators(ctx); err != nil {
		return nil, err
	}
	conf, err := a.machineConfig()
	if err != nil {
		return nil, err
	}
	if err := a.saveIsolators(); err != nil {
		return nil, err
	}
	if a.containers, err = a.newContainerizer(); err != nil {
		return nil, err
	}
	var checkpoints []containerizer.Checkpoint
	for _, id := range slices.Sorted(maps.Keys(a.contents.Containers)) {
		checkpoints = append(checkpoints, containerizer.Checkpoint{ID: id, Record: a.contents.Containers[id]})
	}
	found, err := a.containers.Recover(ctx, checkpoints)
	if err != nil {
		return nil, fmt.Errorf("recover containers: %w", err)
	}
	rec := agent.Recovered{
		AgentID: a.durable.Agent().ID, Contents: a.contents, Containers: found, Errors: a.unread, Took: time.Since(began),
	}
	if a.conf.Strict {
		if err := rec.Validate(); err != nil {
			return nil, fmt.Errorf("recover from %s: %w (set strict = false to leave it out)", a.conf.WorkDir, err)
		}
	}
	if len(found) > 0 {
		a.Log.Info("containers recovered", "containers", len(found), "seconds", time.Since(began).Seconds())
	}
	return agent.New(conf, rec, now()), nil
}

// newContainerizer returns what runs containers here.
func (a *agentDaemon) newContainerizer() (containerizer.Containerizer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find mezzo-init: %w", err)
	}
	c := launcher.Config{
		Instance: a.durable.Instance(), RuntimeDir: a.runtimeDir(), InitPath: filepath.Join(filepath.Dir(self), "mezzo-init"),
		SwitchUser: a.conf.SwitchUser, Isolators: a.containerIsolators(), Store: a.runs.Containers(),
		Fetcher: a.fetcher, LaunchTimeout: a.conf.LaunchTimeout, Logger: a.Log,
		Surroundings: containerizer.Surroundings{
			Endpoint: a.advertised, RecoveryTimeout: a.conf.RecoveryTimeout, SubscriptionBackoffMax: a.conf.ExecutorReregistrationTimeout,
			Executor: variables(a.conf.ExecutorEnvironmentVariables),
		},
	}
	if a.conf.Launcher == "linux" || a.conf.Launcher == "" && runtime.GOOS == "linux" && os.Geteuid() == 0 {
		return newLinux(c)
	}
	l, err := posix.New(c)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func variables(m map[string]string) []containerizer.Variable {
	var out []containerizer.Variable
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, containerizer.Variable{Name: name, Value: m[name]})
	}
	return out
}

// machineConfig is what the machine is told of itself.
func (a *agentDaemon) machineConfig() (agent.Config, error) {
	total, err := agentResources(a.conf.Resources, a.conf.DefaultRole, a.conf.WorkDir, a.contributions())
	if err != nil {
		return agent.Config{}, err
	}
	info, ip, err := a.agentInfo(total)
	if err != nil {
		return agent.Config{}, err
	}
	if err := a.compatible(info, total); err != nil {
		return agent.Config{}, err
	}
	random, err := newRandom()
	if err != nil {
		return agent.Config{}, err
	}
	return agent.Config{
		Info: info, Resources: total, Capabilities: agentCapabilities, Version: version.Mezzo(), Instance: a.durable.Instance(),
		Boot: a.boot, Address: a.advertised, IP: ip, WorkDir: a.conf.WorkDir, Random: random, SwitchUser: a.conf.SwitchUser,
		AuthorizeTasks: a.control.Enabled(), ShutdownGrace: orNone(a.conf.ExecutorShutdownGracePeriod), GCDelay: orNone(a.conf.GCDelay),
	}, nil
}

// compatible refuses to come back as an agent that is not what the master knows under its id. What the configuration
// leaves to the machine, such as the size of its memory, may differ; what isolators contribute may not.
func (a *agentDaemon) compatible(info *mesos.AgentInfo, total resource.Resources) error {
	saved := a.durable.Agent()
	if saved.ID == "" {
		return nil
	}
	old := &mesos.AgentInfo{}
	if err := proto.Unmarshal(saved.Info, old); err != nil {
		return fmt.Errorf("read what agent %s was: %w", saved.ID, err)
	}
	had, err := wire.FromMesos(old.GetResources())
	if err != nil {
		return fmt.Errorf("read what agent %s had: %w", saved.ID, err)
	}
	present := proto.CloneOf(info)
	if present.Resources, err = ignoringFound(had, total, a.conf.Resources, a.contributions()); err != nil {
		return err
	}
	check := agent.Compatible
	if a.conf.ReconfigurationPolicy == "additive" {
		check = agent.CompatibleAdditive
	}
	if err := check(saved.Info, present); err != nil {
		return fmt.Errorf("agent %s cannot come back (reconfiguration_policy = %q): %w", saved.ID, a.conf.ReconfigurationPolicy, err)
	}
	return nil
}

// agentCapabilities are what this release's agents can do.
var agentCapabilities = []mesos.AgentInfo_Capability_Type{
	mesos.AgentInfo_Capability_MULTI_ROLE, mesos.AgentInfo_Capability_HIERARCHICAL_ROLE,
	mesos.AgentInfo_Capability_RESERVATION_REFINEMENT, mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS,
}

func (a *agentDaemon) agentInfo(total resource.Resources) (_ *mesos.AgentInfo, ip string, err error) {
	name, err := hostname(a.conf.Hostname)
	if err != nil {
		return nil, "", err
	}
	attributes, err := resource.ParseAttributes(a.conf.Attributes)
	if err != nil {
		return nil, "", fmt.Errorf("attributes: %w", err)
	}
	host, portText, err := net.SplitHostPort(a.advertised)
	if err != nil {
		return nil, "", fmt.Errorf("read the advertised address %q: %w", a.advertised, err)
	}
	port, err := strconv.ParseInt(portText, 10, 32)
	if err != nil {
		return nil, "", fmt.Errorf("read the advertised address %q: %w", a.advertised, err)
	}
	return &mesos.AgentInfo{
		Hostname: &name, Port: proto.Int32(int32(port)),
		Resources:  wire.ToMesos(total, wire.Format{RefinedReservations: true}),
		Attributes: wire.AttributesToMesos(attributes),
	}, host, nil
}

// drive starts the loop and the connection to the masters.
func (a *agentDaemon) drive(ctx context.Context, machine *agent.Agent) error {
	creds, err := linkCredentials(a.conf.TLS)
	if err != nil {
		return err
	}
	a.client = link.NewClient(a.conf.Masters, creds, agentLink{a}, a.Log)
	a.timers = newTimers(func(id agent.TimerID) { a.loop.Post(agent.TimerFired{ID: id}) })
	executor := effect.NewAgentExecutor(effect.AgentPorts{
		Master: masterPort{a}, Runs: a.runs, Durable: durablePort{a}, Containers: a.containers, Sandboxes: sandboxPort{a},
		Timers: a.timers, Authorizer: authorizerPort{a, ctx}, Process: processPort{a}, Log: a.Log,
	})
	a.loop = effect.NewLoop(machine, now, executor.Run, nil)
	a.loop.Post(agent.Started{})
	a.recovered.Store(a.loop)
	go func() {
		if err := a.loop.Run(ctx); err != nil {
			a.failed <- fmt.Errorf("run the agent: %w", err)
		}
	}()
	go func() {
		for e := range a.containers.Events() {
			if a.loop.Enqueue(ctx, agent.ContainerEvent{Event: e}) != nil {
				return
			}
		}
	}()
	go a.client.Run(ctx)
	return nil
}

// newRandom returns a source for ids, seeded by the machine.
func newRandom() (*rand.Rand, error) {
	var seed [32]byte
	if _, err := cryptorand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("seed the source of ids: %w", err)
	}
	return rand.New(rand.NewChaCha8(seed)), nil
}
