//go:build unix

package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
)

// initName is what mezzo-init is called as.
const initName = "mezzo-init"

// initEnv is mezzo-init's own environment: one thread that runs Go, and no collector, since it makes no garbage to
// speak of. The command gets nothing of it.
var initEnv = []string{"GOMAXPROCS=1", "GOGC=off"}

// initProcess is a mezzo-init to be started.
type initProcess struct {
	path    string
	name    string      // shown beside its own in a list of processes; identifies it
	files   [5]*os.File // the fourth is made here
	flags   uintptr
	cgroup  string
	message []byte
}

// heldInit is a mezzo-init that has its plan and waits for go.
type heldInit struct {
	runtime *initRuntime
	c       *container
	socket  *os.File
}

// spawnInit starts mezzo-init and sends it its plan.
func spawnInit(i *initProcess) (*osProcess, *os.File, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	i.files[initproto.SocketFD] = theirs
	files := make([]uintptr, len(i.files))
	for n, f := range i.files {
		files[n] = f.Fd()
	}
	p, err := forkProcess(i.path, []string{initName, i.name}, initEnv, files, i.flags, i.cgroup)
	_ = theirs.Close()
	if err != nil {
		return nil, nil, errors.Join(err, ours.Close())
	}
	// A write that fails is a mezzo-init that ended; what it had to say is found by ready.
	_, _ = ours.Write(i.message)
	return p, ours, nil
}

// socketPair is a pair of connected sockets, ours to be read and written without holding up a thread.
func socketPair() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("make the start socket: %w", err)
	}
	if err := syscall.SetNonblock(pair[0], true); err != nil {
		return nil, nil, errors.Join(err, syscall.Close(pair[0]), syscall.Close(pair[1]))
	}
	return os.NewFile(uintptr(pair[0]), "start socket"), os.NewFile(uintptr(pair[1]), "start socket"), nil
}

// ready returns when mezzo-init has done all that comes before the command, or with what it could not do.
func (h *heldInit) ready(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = h.socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var b [1]byte
	_, err := io.ReadFull(h.socket, b[:])
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil && b[0] == initproto.ReplyReady:
		return nil
	case err == nil && b[0] == initproto.ReplyError:
		const longest = 64 << 10
		text, _ := io.ReadAll(io.LimitReader(h.socket, longest))
		return fmt.Errorf("set up the container: %s", text)
	default:
		return errors.New("set up the container: mezzo-init ended before it was ready")
	}
}

// release lets the command start, and returns once it has. There is no way back from here: when nothing is heard of
// the command, it may run all the same.
func (h *heldInit) release(ctx context.Context) error {
	if _, err := h.socket.Write([]byte{initproto.Go}); err != nil {
		return fmt.Errorf("let the command go: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = h.socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var b [1]byte
	_, _ = h.socket.Read(b[:]) // ReplySpawned, or mezzo-init was killed, which is found soon enough
	return nil
}

// close ends the conversation. A mezzo-init that has not been released ends.
func (h *heldInit) close() { _ = h.socket.Close() }

// killGroup kills the process group of a command whose mezzo-init is gone.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
