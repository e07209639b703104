package serve

import (
	"context"

	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/isolatorconv"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
)

// launcherServer is the wire's end of a Launcher.
type launcherServer struct {
	isolatorv1.UnimplementedLauncherServiceServer
	s *isolatorServer
}

// Launch makes a container.
func (l launcherServer) Launch(ctx context.Context, r *isolatorv1.LaunchRequest) (*isolatorv1.LaunchResponse, error) {
	spec, err := isolatorconv.SpecFromProto(r.GetSpec())
	if err != nil {
		return nil, sdk.Errorf(sdk.InvalidArgument, "%w", err)
	}
	return inLane(ctx, l.s, spec.Container.ID, "Launch", r.GetOperationId(), func() (*isolatorv1.LaunchResponse, error) {
		pid, err := l.s.launcher.Launch(ctx, spec, isolatorconv.PlanFromProto(r.GetPlan()))
		if err != nil {
			return nil, err
		}
		return &isolatorv1.LaunchResponse{Pid: int64(pid)}, nil
	})
}

// Start lets a container's command go.
func (l launcherServer) Start(ctx context.Context, r *isolatorv1.StartRequest) (*isolatorv1.StartResponse, error) {
	c := isolatorconv.ContainerFromProto(r.GetContainer())
	return inLane(ctx, l.s, c.ID, "Start", r.GetOperationId(), func() (*isolatorv1.StartResponse, error) {
		return &isolatorv1.StartResponse{}, l.s.launcher.Start(ctx, c)
	})
}

// Wait tells when a container has ended.
func (l launcherServer) Wait(r *isolatorv1.WaitRequest, stream grpc.ServerStreamingServer[isolatorv1.WaitResponse]) error {
	status, err := l.s.launcher.Wait(stream.Context(), isolatorconv.ContainerFromProto(r.GetContainer()))
	if err != nil {
		return err
	}
	return stream.Send(&isolatorv1.WaitResponse{Status: isolatorconv.ExitToProto(status)})
}

// Signal sends a signal.
func (l launcherServer) Signal(ctx context.Context, r *isolatorv1.SignalRequest) (*isolatorv1.SignalResponse, error) {
	return once(ctx, l.s.operations, "Signal", r.GetOperationId(), func() (*isolatorv1.SignalResponse, error) {
		err := l.s.launcher.Signal(ctx, isolatorconv.ContainerFromProto(r.GetContainer()), int(r.GetSignal()))
		return &isolatorv1.SignalResponse{}, err
	})
}

// Exec runs a command within a container.
func (l launcherServer) Exec(ctx context.Context, r *isolatorv1.ExecRequest) (*isolatorv1.ExecResponse, error) {
	return once(ctx, l.s.operations, "Exec", r.GetOperationId(), func() (*isolatorv1.ExecResponse, error) {
		status, err := l.s.launcher.Exec(ctx, isolatorconv.ContainerFromProto(r.GetContainer()), isolator.Exec{
			Args: r.GetArgs(), Env: r.GetEnv(), Dir: r.GetDir(), User: r.GetUser(),
			Stdin: r.GetStdin(), Stdout: r.GetStdout(), Stderr: r.GetStderr(),
		})
		if err != nil {
			return nil, err
		}
		return &isolatorv1.ExecResponse{Status: isolatorconv.ExitToProto(status)}, nil
	})
}
