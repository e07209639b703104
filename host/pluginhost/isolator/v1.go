package isolator

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/sdk"
	contract "github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/isolatorconv"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Isolator calls a plugin. It is safe for concurrent use, as the contract says.
type Isolator struct {
	plugin *pluginhost.Plugin
	logger *slog.Logger
	// client waits for the plugin and tries again; ask does not wait.
	client isolatorv1.IsolatorServiceClient
	ask    isolatorv1.IsolatorServiceClient
	// launcher is as client, for plugins that start containers.
	launcher isolatorv1.LauncherServiceClient

	mu        sync.Mutex
	judge     func(Facts) error
	recovered bool
	instance  string
	// known are the containers that a plugin which is started again has to be told of.
	known map[string]contract.Container
}

var _ contract.Isolator = (*Isolator)(nil)

// New is for a plugin of the kind isolator. Recover is to be called before anything else.
func New(p *pluginhost.Plugin, logger *slog.Logger) *Isolator {
	i := &Isolator{
		plugin:   p,
		logger:   logger.With("kind", "isolator", "plugin", p.Spec().Name),
		client:   isolatorv1.NewIsolatorServiceClient(p.WaitingConn()),
		ask:      isolatorv1.NewIsolatorServiceClient(p.Conn()),
		launcher: isolatorv1.NewLauncherServiceClient(p.WaitingConn()),
		known:    map[string]contract.Container{},
	}
	p.OnStart(i.started)
	return i
}

// operation is an id for a call that changes something, the same over all its tries.
func operation() string { return rand.Text() }

// Recover tells the plugin of all containers, and returns those that only it knows of. From here on a
// process of the plugin that is started again is told by itself, and what it does not know is cleaned up.
func (i *Isolator) Recover(ctx context.Context, instance string, known []contract.Container) ([]contract.Container, error) {
	unknown, err := i.recover(ctx, i.client, instance, known)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	i.instance, i.recovered = instance, true
	for _, c := range known {
		i.known[c.ID] = c
	}
	i.mu.Unlock()
	return unknown, nil
}

func (i *Isolator) recover(ctx context.Context, client isolatorv1.IsolatorServiceClient, instance string, known []contract.Container) ([]contract.Container, error) {
	response, err := client.Recover(ctx, &isolatorv1.RecoverRequest{
		OperationId: operation(), Instance: instance, Containers: isolatorconv.ContainersToProto(known),
	})
	if err != nil {
		return nil, i.plugin.Wrap(err)
	}
	ids := map[string]bool{}
	for _, c := range known {
		ids[c.ID] = true
	}
	unknown := isolatorconv.ContainersFromProto(response.GetUnknown())
	for n := range unknown {
		c := &unknown[n]
		if c.ID == "" || ids[c.ID] || len(c.Handle.Data) > handshake.MaxHandle {
			return nil, i.plugin.Bug("the unknown container %.80q is without id, named twice, known, or has too large a handle", c.ID)
		}
		if c.Instance != "" && c.Instance != instance {
			return nil, i.plugin.Bug("the unknown container %.80q belongs to the agent %.80q", c.ID, c.Instance)
		}
		ids[c.ID], c.Instance = true, instance
	}
	return unknown, nil
}

// restarted tells a new process of the plugin what there is, before anything else is asked of it.
func (i *Isolator) restarted(ctx context.Context, client isolatorv1.IsolatorServiceClient, known []contract.Container) error {
	i.mu.Lock()
	instance := i.instance
	i.mu.Unlock()
	slices.SortFunc(known, func(a, b contract.Container) int { return strings.Compare(a.ID, b.ID) })
	unknown, err := i.recover(ctx, client, instance, known)
	if err != nil {
		return err
	}
	for _, c := range unknown {
		i.logger.Warn("the plugin has something of a container that is not there; it is cleaned up", "container", c.ID)
		if err := i.cleanup(ctx, client, c); err != nil {
			return err
		}
	}
	return nil
}

// Prepare makes ready what a container needs.
func (i *Isolator) Prepare(ctx context.Context, s contract.Spec) (contract.Plan, error) {
	i.remember(s.Container)
	response, err := i.client.Prepare(ctx, &isolatorv1.PrepareRequest{OperationId: operation(), Spec: isolatorconv.SpecToProto(s)})
	if err != nil {
		return contract.Plan{}, i.plugin.Wrap(err)
	}
	plan := isolatorconv.PlanFromProto(response.GetPlan())
	if err := checkPlan(plan); err != nil {
		return contract.Plan{}, i.plugin.Bug("the plan for container %s: %w", s.Container.ID, err)
	}
	plan.Handle.Plugin, plan.Handle.Version = "", ""
	if d := i.plugin.Description(); d != nil {
		plan.Handle.Plugin, plan.Handle.Version = d.Name, d.Version
	}
	s.Container.Handle = plan.Handle
	i.remember(s.Container)
	return plan, nil
}

func (i *Isolator) remember(c contract.Container) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.known[c.ID] = c
}

// Isolate hands the container's first process over.
func (i *Isolator) Isolate(ctx context.Context, c contract.Container, pid int) error {
	_, err := i.client.Isolate(ctx, &isolatorv1.IsolateRequest{
		OperationId: operation(), Container: isolatorconv.ContainerToProto(c), Pid: int64(pid),
	})
	return i.plugin.Wrap(err)
}

// Watch follows a container's limits over all restarts of the plugin.
func (i *Isolator) Watch(ctx context.Context, c contract.Container, emit func(contract.Limitation) error) error {
	for pause := 50 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 5*time.Second) {
		stream, err := i.client.Watch(ctx, &isolatorv1.WatchRequest{Container: isolatorconv.ContainerToProto(c)})
		if err == nil {
			var over bool
			if over, err = i.follow(stream, emit); over {
				return err
			}
		}
		if err = i.plugin.Wrap(err); sdk.CodeOf(err).Final() {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
	return nil
}

// follow emits what one stream brings. It is over when the container was cleaned up or emit failed.
func (i *Isolator) follow(stream grpc.ServerStreamingClient[isolatorv1.WatchResponse], emit func(contract.Limitation) error) (over bool, err error) {
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		limitation, err := isolatorconv.LimitationFromProto(response)
		if err != nil {
			return true, i.plugin.Bug("a limitation: %w", err)
		}
		limitation.Message = cut(limitation.Message, maxText)
		if err := emit(limitation); err != nil {
			return true, err
		}
	}
}

// Update gives a container other resources.
func (i *Isolator) Update(ctx context.Context, c contract.Container, r resource.Resources, limits map[string]resource.Limit) error {
	_, err := i.client.Update(ctx, &isolatorv1.UpdateRequest{
		OperationId: operation(), Container: isolatorconv.ContainerToProto(c),
		Resources: resourceconv.ToProto(r), Limits: isolatorconv.LimitsToProto(limits),
	})
	return i.plugin.Wrap(err)
}

// Usage measures containers. It does not wait for a plugin that is down. Beside an error there is what was measured
// before it.
func (i *Isolator) Usage(ctx context.Context, cs []contract.Container) (map[string]contract.Usage, error) {
	out := make(map[string]contract.Usage, len(cs))
	for batch := range slices.Chunk(cs, handshake.MaxBatch) {
		response, err := i.ask.Usage(ctx, &isolatorv1.UsageRequest{Containers: isolatorconv.ContainersToProto(batch)})
		if err != nil {
			return out, i.plugin.Wrap(err)
		}
		for _, c := range batch {
			if u, ok := response.GetUsages()[c.ID]; ok {
				out[c.ID] = isolatorconv.UsageFromProto(u)
			}
		}
	}
	return out, nil
}

// Status tells what there is to tell about containers. It does not wait for a plugin that is down.
func (i *Isolator) Status(ctx context.Context, cs []contract.Container) (map[string]contract.Status, error) {
	out := make(map[string]contract.Status, len(cs))
	for batch := range slices.Chunk(cs, handshake.MaxBatch) {
		response, err := i.ask.Status(ctx, &isolatorv1.StatusRequest{Containers: isolatorconv.ContainersToProto(batch)})
		if err != nil {
			return nil, i.plugin.Wrap(err)
		}
		for _, c := range batch {
			if s, ok := response.GetStatuses()[c.ID]; ok {
				out[c.ID] = isolatorconv.StatusFromProto(s)
			}
		}
	}
	return out, nil
}

// Cleanup undoes all that was done for a container.
func (i *Isolator) Cleanup(ctx context.Context, c contract.Container) error {
	if err := i.cleanup(ctx, i.client, c); err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.known, c.ID)
	return nil
}

func (i *Isolator) cleanup(ctx context.Context, client isolatorv1.IsolatorServiceClient, c contract.Container) error {
	_, err := client.Cleanup(ctx, &isolatorv1.CleanupRequest{OperationId: operation(), Container: isolatorconv.ContainerToProto(c)})
	err = i.plugin.Wrap(err)
	if sdk.CodeOf(err) == sdk.NotFound {
		return nil
	}
	return err
}
