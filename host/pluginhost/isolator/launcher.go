package isolator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"github.com/mezzo-cluster/mezzo/sdk"
	contract "github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/isolatorconv"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
)

// once is the operation of a call that is made once for a container, the same over restarts of either side.
func once(method, container string) string {
	sum := sha256.Sum256([]byte(container))
	return method + "-" + hex.EncodeToString(sum[:])
}

// Launch makes a container, held before its command, and returns its first process, 0 when this machine has none.
func (i *Isolator) Launch(ctx context.Context, s contract.Spec, p contract.Plan) (int, error) {
	response, err := i.launcher.Launch(ctx, &isolatorv1.LaunchRequest{
		OperationId: once("launch", s.Container.ID), Spec: isolatorconv.SpecToProto(s), Plan: isolatorconv.PlanToProto(p),
	})
	if err != nil {
		return 0, i.plugin.Wrap(err)
	}
	pid := response.GetPid()
	// What is confined and watched as the container's must not be what runs it.
	const largest = 1 << 22 // that Linux gives
	if pid < 0 || pid == 1 || pid > largest || int(pid) == os.Getpid() || int(pid) == i.plugin.Status().PID {
		return 0, i.plugin.Bug("it says that the first process of container %s is %d", s.Container.ID, pid)
	}
	return int(pid), nil
}

// Start lets a container's command go.
func (i *Isolator) Start(ctx context.Context, c contract.Container) error {
	_, err := i.launcher.Start(ctx, &isolatorv1.StartRequest{
		OperationId: once("start", c.ID), Container: isolatorconv.ContainerToProto(c),
	})
	return i.plugin.Wrap(err)
}

// Signal sends a signal to a container's first process.
func (i *Isolator) Signal(ctx context.Context, c contract.Container, signal int) error {
	_, err := i.launcher.Signal(ctx, &isolatorv1.SignalRequest{
		OperationId: operation(), Container: isolatorconv.ContainerToProto(c), Signal: int32(signal), //nolint:gosec // below 65
	})
	return i.plugin.Wrap(err)
}

// Wait returns how a container has ended. When the plugin is replaced or ends it fails with sdk.Unavailable, and is to
// be called again.
func (i *Isolator) Wait(ctx context.Context, c contract.Container) (contract.ExitStatus, error) {
	var none contract.ExitStatus
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := i.launcher.Wait(ctx, &isolatorv1.WaitRequest{Container: isolatorconv.ContainerToProto(c)})
	if err != nil {
		return none, i.plugin.Wrap(err)
	}
	response, err := stream.Recv()
	if errors.Is(err, io.EOF) { // it drains
		return none, sdk.Errorf(sdk.Unavailable, "%s: it no longer waits for container %s", i.plugin, c.ID)
	}
	if err != nil {
		return none, i.plugin.Wrap(err)
	}
	status := isolatorconv.ExitFromProto(response.GetStatus())
	const codes, signals = 255, 64
	if s := status; s.Known && (s.Code < 0 || s.Code > codes || s.Signal < 0 || s.Signal > signals || s.Code != 0 && s.Signal != 0) {
		return none, i.plugin.Bug("it says that container %s has ended with code %d and signal %d", c.ID, s.Code, s.Signal)
	}
	return status, nil
}

// Bug counts an answer that breaks the contract, which the caller has found out, and says so as an error.
func (i *Isolator) Bug(format string, args ...any) error { return i.plugin.Bug(format, args...) }
