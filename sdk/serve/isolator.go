package serve

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/isolatorconv"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
)

// isolatorServer is the wire's end of an Isolator. It sees to it that a repeated operation is run once, and
// that for one container one is run after the other.
type isolatorServer struct {
	isolatorv1.UnimplementedIsolatorServiceServer
	isolator    isolator.Isolator
	contributor isolator.ResourceContributor
	launcher    isolator.Launcher
	operations  *operations
	lanes       *lanes
	watches     *watches
}

func newIsolatorServer() *isolatorServer {
	return &isolatorServer{operations: newOperations(), lanes: newLanes(), watches: newWatches()}
}

// Recover hears of the agent's containers.
func (s *isolatorServer) Recover(ctx context.Context, r *isolatorv1.RecoverRequest) (*isolatorv1.RecoverResponse, error) {
	return once(ctx, s.operations, "Recover", r.GetOperationId(), func() (*isolatorv1.RecoverResponse, error) {
		unknown, err := s.isolator.Recover(ctx, r.GetInstance(), isolatorconv.ContainersFromProto(r.GetContainers()))
		if err != nil {
			return nil, err
		}
		return &isolatorv1.RecoverResponse{Unknown: isolatorconv.ContainersToProto(unknown)}, nil
	})
}

// Prepare makes ready what a container needs.
func (s *isolatorServer) Prepare(ctx context.Context, r *isolatorv1.PrepareRequest) (*isolatorv1.PrepareResponse, error) {
	spec, err := isolatorconv.SpecFromProto(r.GetSpec())
	if err != nil {
		return nil, sdk.Errorf(sdk.InvalidArgument, "%w", err)
	}
	return inLane(ctx, s, spec.Container.ID, "Prepare", r.GetOperationId(), func() (*isolatorv1.PrepareResponse, error) {
		plan, err := s.isolator.Prepare(ctx, spec)
		if err != nil {
			return nil, err
		}
		if n := len(plan.Handle.Data); n > handshake.MaxHandle {
			return nil, sdk.Errorf(sdk.Unknown, "the handle has %d bytes, and may have %d", n, handshake.MaxHandle)
		}
		return &isolatorv1.PrepareResponse{Plan: isolatorconv.PlanToProto(plan)}, nil
	})
}

// Isolate takes a process.
func (s *isolatorServer) Isolate(ctx context.Context, r *isolatorv1.IsolateRequest) (*isolatorv1.IsolateResponse, error) {
	c := isolatorconv.ContainerFromProto(r.GetContainer())
	return inLane(ctx, s, c.ID, "Isolate", r.GetOperationId(), func() (*isolatorv1.IsolateResponse, error) {
		return &isolatorv1.IsolateResponse{}, s.isolator.Isolate(ctx, c, int(r.GetPid()))
	})
}

// Update changes what a container may use.
func (s *isolatorServer) Update(ctx context.Context, r *isolatorv1.UpdateRequest) (*isolatorv1.UpdateResponse, error) {
	c := isolatorconv.ContainerFromProto(r.GetContainer())
	resources, err := resourceconv.FromProto(r.GetResources())
	if err != nil {
		return nil, sdk.Errorf(sdk.InvalidArgument, "%w", err)
	}
	limits, err := isolatorconv.LimitsFromProto(r.GetLimits())
	if err != nil {
		return nil, sdk.Errorf(sdk.InvalidArgument, "%w", err)
	}
	return inLane(ctx, s, c.ID, "Update", r.GetOperationId(), func() (*isolatorv1.UpdateResponse, error) {
		return &isolatorv1.UpdateResponse{}, s.isolator.Update(ctx, c, resources, limits)
	})
}

// Cleanup undoes what was done for a container, and ends the watches on it.
func (s *isolatorServer) Cleanup(ctx context.Context, r *isolatorv1.CleanupRequest) (*isolatorv1.CleanupResponse, error) {
	c := isolatorconv.ContainerFromProto(r.GetContainer())
	return inLane(ctx, s, c.ID, "Cleanup", r.GetOperationId(), func() (*isolatorv1.CleanupResponse, error) {
		err := s.isolator.Cleanup(ctx, c)
		if sdk.CodeOf(err) == sdk.NotFound {
			err = nil
		}
		if err == nil {
			s.watches.end(c.ID)
		}
		return &isolatorv1.CleanupResponse{}, err
	})
}

// Watch tells of limits that a container reaches.
func (s *isolatorServer) Watch(r *isolatorv1.WatchRequest, stream grpc.ServerStreamingServer[isolatorv1.WatchResponse]) error {
	c := isolatorconv.ContainerFromProto(r.GetContainer())
	ctx, stop := s.watches.begin(stream.Context(), c.ID)
	defer stop()
	err := s.isolator.Watch(ctx, c, func(l isolator.Limitation) error {
		return stream.Send(isolatorconv.LimitationToProto(l))
	})
	if errors.Is(context.Cause(ctx), errCleanedUp) {
		return nil
	}
	return err
}

// Usage measures containers.
func (s *isolatorServer) Usage(ctx context.Context, r *isolatorv1.UsageRequest) (*isolatorv1.UsageResponse, error) {
	usages, err := s.isolator.Usage(ctx, isolatorconv.ContainersFromProto(r.GetContainers()))
	if err != nil {
		return nil, err
	}
	out := make(map[string]*isolatorv1.ContainerUsage, len(usages))
	for id, u := range usages {
		out[id] = isolatorconv.UsageToProto(u)
	}
	return &isolatorv1.UsageResponse{Usages: out}, nil
}

// Status tells what else there is to tell about containers.
func (s *isolatorServer) Status(ctx context.Context, r *isolatorv1.StatusRequest) (*isolatorv1.StatusResponse, error) {
	statuses, err := s.isolator.Status(ctx, isolatorconv.ContainersFromProto(r.GetContainers()))
	if err != nil {
		return nil, err
	}
	out := make(map[string]*isolatorv1.ContainerStatus, len(statuses))
	for id, x := range statuses {
		out[id] = isolatorconv.StatusToProto(x)
	}
	return &isolatorv1.StatusResponse{Statuses: out}, nil
}

// contributorServer is the wire's end of a ResourceContributor.
type contributorServer struct {
	isolatorv1.UnimplementedContributorServiceServer
	s *isolatorServer
}

// Resources is what the machine has.
func (c contributorServer) Resources(ctx context.Context, _ *isolatorv1.ResourcesRequest) (*isolatorv1.ResourcesResponse, error) {
	r, err := c.s.contributor.Resources(ctx)
	if err != nil {
		return nil, err
	}
	return &isolatorv1.ResourcesResponse{Resources: resourceconv.ToProto(r)}, nil
}
