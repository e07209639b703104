package view

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	operator "github.com/mezzo-cluster/mezzo/sdk/mesos/v1/master"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// The formats of resources that Mesos's operator API has: tasks and offers in the newer one alone, what agents
// and frameworks have in both at once.
var (
	refined = wire.Format{RefinedReservations: true, AllocationInfo: true}
	both    = wire.Format{BothReservations: true, AllocationInfo: true}
)

// TaskMessage is a task as a message.
func TaskMessage(t *master.Task) *mesos.Task {
	info := t.Info()
	m := &mesos.Task{
		Name:        proto.String(info.GetName()),
		TaskId:      &mesos.TaskID{Value: &t.ID},
		FrameworkId: &mesos.FrameworkID{Value: &t.Framework},
		AgentId:     &mesos.AgentID{Value: &t.Agent},
		State:       t.State.Enum(),
		Resources:   wire.ToMesos(t.Resources, refined),
		Statuses:    statuses(t),
		Labels:      info.GetLabels(),
		Discovery:   info.GetDiscovery(),
		Container:   info.GetContainer(),
		HealthCheck: info.GetHealthCheck(),
		KillPolicy:  info.GetKillPolicy(),
		Limits:      info.GetLimits(),
	}
	if executor := info.GetExecutor(); executor != nil {
		m.ExecutorId = executor.GetExecutorId()
	}
	if user := taskUser(info); user != "" {
		m.User = &user
	}
	if t.UpdateUUID != [16]byte{} {
		m.StatusUpdateState = t.UpdateState.Enum()
		m.StatusUpdateUuid = t.UpdateUUID[:]
	}
	return m
}

// statuses are a task's. The state leaves a command task's executor out of them, which has the task's id.
func statuses(t *master.Task) []*mesos.TaskStatus {
	all := t.Statuses()
	for _, s := range all {
		if s.ExecutorId == nil && s.GetSource() == mesos.TaskStatus_SOURCE_EXECUTOR {
			s.ExecutorId = &mesos.ExecutorID{Value: &t.ID}
		}
	}
	return all
}

func taskUser(info *mesos.TaskInfo) string {
	if user := info.GetCommand().GetUser(); user != "" {
		return user
	}
	return info.GetExecutor().GetCommand().GetUser()
}

// FrameworkMessage is a framework as a message. usage is what it has of all agents.
func (v *Viewer) FrameworkMessage(ctx context.Context, f *master.Framework, usage master.Usage,
	offers []*mesos.Offer) *operator.Response_GetFrameworks_Framework {
	info := f.Info()
	if info.FailoverTimeout == nil { // Mesos shows these two even if they were never given
		info.FailoverTimeout = proto.Float64(0)
	}
	if info.Checkpoint == nil {
		info.Checkpoint = proto.Bool(false)
	}
	m := &operator.Response_GetFrameworks_Framework{
		FrameworkInfo:      info,
		Active:             &f.Active,
		Connected:          &f.Connected,
		Recovered:          &f.Recovered,
		RegisteredTime:     Time(f.RegisteredTime),
		ReregisteredTime:   Time(f.ReregisteredTime),
		UnregisteredTime:   Time(f.UnregisteredTime),
		Offers:             offers,
		AllocatedResources: wire.ToMesos(v.Resources(ctx, usage.Used), both),
		OfferedResources:   wire.ToMesos(v.Resources(ctx, usage.Offered), both),
		OfferConstraints:   f.Constraints,
	}
	if m.ReregisteredTime == nil {
		m.ReregisteredTime = m.RegisteredTime
	}
	if m.OfferConstraints == nil {
		m.OfferConstraints = &scheduler.OfferConstraints{}
	}
	return m
}

// AgentMessage is an agent as a message.
func (v *Viewer) AgentMessage(ctx context.Context, a *master.Agent) *operator.Response_GetAgents_Agent {
	m := &operator.Response_GetAgents_Agent{
		AgentInfo:          a.Info(),
		Active:             &a.Active,
		Deactivated:        proto.Bool(false),
		Version:            &a.Version,
		Pid:                proto.String(a.PID()),
		RegisteredTime:     Time(a.RegisteredTime),
		ReregisteredTime:   Time(a.ReregisteredTime),
		TotalResources:     wire.ToMesos(v.Resources(ctx, a.Total), both),
		AllocatedResources: wire.ToMesos(v.Resources(ctx, a.Used()), both),
		OfferedResources:   wire.ToMesos(v.Resources(ctx, a.Offered()), both),
	}
	for _, c := range a.Capabilities {
		m.Capabilities = append(m.Capabilities, &mesos.AgentInfo_Capability{Type: c.Enum()})
	}
	return m
}

// OfferMessage is an offer as a message, as its framework would see it if it had all capabilities.
func OfferMessage(o *master.Offer, a *master.Agent) *mesos.Offer {
	m := &mesos.Offer{
		Id:             &mesos.OfferID{Value: &o.ID},
		FrameworkId:    &mesos.FrameworkID{Value: &o.Framework},
		AgentId:        &mesos.AgentID{Value: &o.Agent},
		Hostname:       proto.String(""),
		Resources:      wire.ToMesos(o.Resources, refined),
		AllocationInfo: &mesos.Resource_AllocationInfo{Role: &o.Role},
	}
	if a != nil {
		m.Hostname = &a.Hostname
		m.Attributes = wire.AttributesToMesos(a.Attributes)
		m.Url = agentURL(a)
	}
	return m
}

func agentURL(a *master.Agent) *mesos.URL {
	host, port, err := net.SplitHostPort(a.HTTPAddress)
	if err != nil {
		return nil
	}
	number, _ := strconv.ParseInt(port, 10, 32)
	return &mesos.URL{
		Scheme:  proto.String("http"),
		Address: &mesos.Address{Hostname: &a.Hostname, Ip: &host, Port: proto.Int32(int32(number))},
		Path:    proto.String("/slave(1)"),
	}
}

// Message is a role as a message.
func (r *Role) Message() *mesos.Role {
	m := &mesos.Role{Name: &r.Name, Weight: proto.Float64(1)}
	for _, id := range r.Frameworks {
		m.Frameworks = append(m.Frameworks, &mesos.FrameworkID{Value: &id})
	}
	all, err := r.Allocated.Add(r.Offered)
	if err != nil { // of all agents together, more than can be written down
		all = r.Allocated
	}
	for name, amount := range all.All() {
		m.Resources = append(m.Resources, &mesos.Resource{
			Name: &name, Type: mesos.Value_SCALAR.Enum(),
			Scalar: &mesos.Value_Scalar{Value: proto.Float64(amount.Float())},
		})
	}
	return m
}

// Time is a moment as a message, nil if it is zero.
func Time(t time.Time) *mesos.TimeInfo {
	if t.IsZero() {
		return nil
	}
	return &mesos.TimeInfo{Nanoseconds: proto.Int64(t.UnixNano())}
}

// Seconds is a moment in seconds since 1970, 0 if it is zero.
func Seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
