package api_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api"
	"github.com/mezzo-cluster/mezzo/host/api/answer"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/metrics"
	"github.com/mezzo-cluster/mezzo/host/clock"
	"github.com/mezzo-cluster/mezzo/host/effect"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

const masterID = "11111111-2222-3333-4444-555555555555"

type loop = effect.Loop[master.Event, master.Effect, master.State]

// cluster is a real master with its real API. The agents and the allocator are the test's.
type cluster struct {
	t      *testing.T
	loop   *loop
	api    *api.Master
	server *httptest.Server
	leader *leadership
	stop   context.CancelFunc

	mu     sync.Mutex
	agents map[master.ConnID]*testAgent
	timers map[master.TimerID]*time.Timer
}

// leadership is who leads, as the test says.
type leadership struct {
	mu  sync.Mutex
	now endpoint.Leader
}

func (l *leadership) Leader() endpoint.Leader {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *leadership) set(now endpoint.Leader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = now
}

// options change how a cluster is made.
type options struct {
	auth     authorizer.Authorizer
	authn    access.Authenticator
	change   func(*api.MasterConfig)
	limits   endpoint.Limits
	hosts    []string
	noOffers bool
}

func newCluster(t *testing.T, o options) *cluster {
	t.Helper()
	c := &cluster{
		t: t, leader: &leadership{now: endpoint.Leader{Self: true, Ready: true, Address: "localhost:5050"}},
		agents: map[master.ConnID]*testAgent{}, timers: map[master.TimerID]*time.Timer{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	began := time.Now()
	now := func() clock.Time { return clock.Time{Wall: time.Now().UTC(), Mono: time.Since(began)} }
	machine := master.New(master.Config{
		ID: masterID, Epoch: 1, Started: began, AllocationInterval: 10 * time.Millisecond,
		Info: &mesos.MasterInfo{
			Id: proto.String(masterID), Ip: proto.Uint32(16777343), Port: proto.Uint32(5050),
			Pid: proto.String("master@127.0.0.1:5050"), Hostname: proto.String("localhost"),
			Version: proto.String("1.12.0"),
			Address: &mesos.Address{Hostname: proto.String("localhost"), Ip: proto.String("127.0.0.1"), Port: proto.Int32(5050)},
		},
	}, registry.NewState(), now())

	var executor *effect.MasterExecutor
	c.loop = effect.NewLoop[master.Event, master.Effect, master.State](machine, now,
		func(ctx context.Context, all []master.Effect) error { return executor.Run(ctx, all) }, nil)
	config := api.MasterConfig{
		Common: api.Common{
			Control: access.NewControl(o.auth), Authenticator: o.authn, Started: began,
			Flags: map[string]string{"port": "5050"}, Log: testLog(t),
		},
		Master: c.loop, Leadership: c.leader, Replies: answer.NewDesk(),
	}
	measured := metrics.NewHTTP()
	config.Registry = prometheus.NewRegistry()
	config.Registry.MustRegister(measured)
	if o.change != nil {
		o.change(&config)
	}
	c.api = api.NewMaster(config)
	ports := effect.MasterPorts{
		Schedulers: c.api.Streams(), Agents: c, Registry: commits{c}, Allocator: allocations{}, Timers: timers{c},
		Replies: config.Replies, Log: config.Log,
	}
	executor = effect.NewMasterExecutor(ports)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.loop.Run(ctx); err != nil {
			t.Errorf("loop: %v", err)
		}
	}()
	c.loop.Post(master.Started{})
	c.loop.Post(master.AllocatorReady{Generation: 1})
	limits := endpoint.DefaultLimits()
	if o.limits != (endpoint.Limits{}) {
		limits = o.limits
	}
	c.server = httptest.NewServer(endpoint.Guard(measured.Wrap(c.api), limits, true, o.hosts...))
	if !o.noOffers {
		go c.allocate(ctx)
	}
	t.Cleanup(func() {
		cancel()
		<-done
		c.api.Streams().CloseAll()
		c.server.CloseClientConnections()
		c.server.Close()
	})
	return c
}

func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// allocate offers what is free, from time to time, to the first framework that wants it.
func (c *cluster) allocate(ctx context.Context) {
	var id uint64
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		state := c.loop.State()
		for a := range state.Agents() {
			for f := range state.Frameworks() {
				if !a.Free.IsEmpty() && f.Active && len(f.Suppressed) == 0 {
					id++
					c.loop.Post(master.Allocations{Generation: 1, Batch: []allocator.Allocation{
						{ID: id, Framework: f.ID, Role: f.Roles[0], Agent: a.ID, Resources: a.Free},
					}})
					break
				}
			}
		}
	}
}

type allocations struct{}

func (allocations) Update(uint64, allocator.Update)   {}
func (allocations) Answer(uint64, []allocator.Answer) {}

type commits struct{ c *cluster }

func (p commits) Commit(id uint64, _ registry.Op) { p.c.loop.Post(master.Committed{ID: id}) }

type timers struct{ c *cluster }

func (p timers) Set(id master.TimerID, after time.Duration) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if old := p.c.timers[id]; old != nil {
		old.Stop()
	}
	p.c.timers[id] = time.AfterFunc(after, func() { p.c.loop.Post(master.TimerFired{ID: id}) })
}

func (p timers) Cancel(id master.TimerID) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if old := p.c.timers[id]; old != nil {
		old.Stop()
		delete(p.c.timers, id)
	}
}

// testAgent is an agent whose tasks do what their command says: "run" until killed, "finish" at once.
type testAgent struct {
	c    *cluster
	conn master.ConnID
	id   string
	http string
	// finish has the tasks that end as soon as their TASK_RUNNING has been acknowledged.
	finish map[string]bool
}

func (c *cluster) addAgent(t *testing.T, resources, httpAddress string) *testAgent {
	t.Helper()
	c.mu.Lock()
	conn := master.ConnID("conn-" + httpAddress)
	a := &testAgent{c: c, conn: conn, http: httpAddress, finish: map[string]bool{}}
	c.agents[conn] = a
	c.mu.Unlock()
	all, err := resource.Parse(resources, resource.DefaultRole)
	if err != nil {
		t.Fatal(err)
	}
	info, err := proto.Marshal(&mesos.AgentInfo{
		Hostname: proto.String("localhost"), Port: proto.Int32(5051),
		Resources: wire.ToMesos(all, wire.Format{RefinedReservations: true}),
		Attributes: []*mesos.Attribute{{
			Name: proto.String("rack"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: proto.String("r1")},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	capability, err := proto.Marshal(&mesos.AgentInfo_Capability{Type: mesos.AgentInfo_Capability_MULTI_ROLE.Enum()})
	if err != nil {
		t.Fatal(err)
	}
	c.loop.Post(master.AgentConnected{Conn: conn, Address: "127.0.0.1:1"})
	a.say(&linkv1.ToMaster{Body: &linkv1.ToMaster_Hello{Hello: &linkv1.Hello{Version: "test", Instance: httpAddress}}})
	a.say(&linkv1.ToMaster{Body: &linkv1.ToMaster_Register{Register: &linkv1.Register{
		AgentInfo: info, Version: "1.12.0", AgentCapabilities: [][]byte{capability}, Last: true, HttpAddress: httpAddress,
	}}})
	eventually(t, func() bool {
		for known := range c.loop.State().Agents() {
			if known.HTTPAddress == httpAddress {
				a.id = known.ID
				return true
			}
		}
		return false
	})
	return a
}

func (a *testAgent) say(m *linkv1.ToMaster) {
	a.c.loop.Post(master.AgentMessage{Conn: a.conn, Epoch: 1, Msg: m})
}

// Send lets the agents of the test hear the master.
func (c *cluster) Send(conn master.ConnID, m *linkv1.ToAgent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.agents[conn]; a != nil {
		a.hear(m)
	}
}

// Close ends a connection.
func (c *cluster) Close(conn master.ConnID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.agents, conn)
}

func (a *testAgent) hear(m *linkv1.ToAgent) {
	switch body := m.GetBody().(type) {
	case *linkv1.ToAgent_Ping:
		a.say(&linkv1.ToMaster{Body: &linkv1.ToMaster_Pong{Pong: &linkv1.Pong{Number: body.Ping.GetNumber()}}})
	case *linkv1.ToAgent_RunTask:
		info, framework := &mesos.TaskInfo{}, &mesos.FrameworkInfo{}
		if proto.Unmarshal(body.RunTask.GetTaskInfo(), info) != nil ||
			proto.Unmarshal(body.RunTask.GetFrameworkInfo(), framework) != nil {
			panic("the master sent what is no task")
		}
		id := info.GetTaskId().GetValue()
		a.finish[id] = info.GetCommand().GetValue() == "finish"
		a.update(framework.GetId().GetValue(), id, mesos.TaskState_TASK_RUNNING)
	case *linkv1.ToAgent_Acknowledge:
		if id := body.Acknowledge.GetTaskId(); a.finish[id] {
			a.finish[id] = false
			a.update(body.Acknowledge.GetFrameworkId(), id, mesos.TaskState_TASK_FINISHED)
		}
	case *linkv1.ToAgent_KillTask:
		a.update(body.KillTask.GetFrameworkId(), body.KillTask.GetTaskId(), mesos.TaskState_TASK_KILLED)
	}
}

func (a *testAgent) update(framework, task string, state mesos.TaskState) {
	uuid := []byte(task + strings.Repeat("-", 16) + state.String())[:16]
	uuid[15] = byte(state)
	status, err := proto.Marshal(&mesos.TaskStatus{
		TaskId: &mesos.TaskID{Value: &task}, State: &state, Uuid: uuid, Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(),
		ExecutorId: &mesos.ExecutorID{Value: &task}, Timestamp: proto.Float64(float64(time.Now().UnixMicro()) / 1e6),
		ContainerStatus: &mesos.ContainerStatus{
			ContainerId: &mesos.ContainerID{Value: proto.String("container-of-" + task)},
			NetworkInfos: []*mesos.NetworkInfo{{IpAddresses: []*mesos.NetworkInfo_IPAddress{{
				Protocol: mesos.NetworkInfo_IPv4.Enum(), IpAddress: proto.String("127.0.0.1"),
			}}}},
			ExecutorPid: proto.Uint32(4711),
		},
	})
	if err != nil {
		panic(err)
	}
	a.say(&linkv1.ToMaster{Body: &linkv1.ToMaster_Update{Update: &linkv1.StatusUpdate{
		FrameworkId: framework, ExecutorId: task, Status: status, Uuid: uuid, LatestState: int32(state),
	}}})
}

// eventually waits for a condition.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if ok() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatal("it did not come about within 20 s")
}

// do sends a request and returns the answer with its whole body.
func (c *cluster) do(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Add(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}

// post sends JSON.
func (c *cluster) post(t *testing.T, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	return c.do(t, http.MethodPost, path, body, append([]string{"Content-Type", "application/json"}, header...)...)
}
