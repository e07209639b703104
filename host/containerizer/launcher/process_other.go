//go:build unix && !linux

package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// osProcess is a mezzo-init. Systems without pidfds tell whether it lives by the lock that it has on its status file.
type osProcess struct {
	pid    int
	start  uint64 // not used here
	status string
	child  bool
	done   chan struct{} // closed when it has ended
}

// reserve does nothing here.
func reserve(*os.File, int64) error { return nil }

func forkProcess(path string, args, env []string, files []uintptr, _ uintptr, _ string) (*osProcess, error) {
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{
		Dir: "/", Env: env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, err
	}
	p := &osProcess{pid: pid, child: true, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for {
			if _, err := syscall.Wait4(pid, nil, 0, nil); !errors.Is(err, syscall.EINTR) {
				return
			}
		}
	}()
	return p, nil
}

// findProcess takes hold of a process that was started by an earlier agent. It is nil when that process is gone.
func findProcess(pid int, _ uint64, file string) (*osProcess, error) {
	status, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // as said above
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(status.Fd()), unix.LOCK_SH|unix.LOCK_NB); err == nil {
		return nil, status.Close()
	}
	p := &osProcess{pid: pid, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		defer status.Close() //nolint:errcheck // only locked
		for errors.Is(unix.Flock(int(status.Fd()), unix.LOCK_SH), unix.EINTR) {
			continue
		}
	}()
	return p, nil
}

func (p *osProcess) number() int { return p.pid }

// startTime tells a process from a later one of the same number; this system does not tell.
func startTime(pid int) (uint64, error) { return 0, syscall.Kill(pid, 0) }

// runs tells whether a process has not ended, as far as that is to be known, which it is not.
func runs(int, uint64) bool { return false }

func (p *osProcess) signal(s syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
		return syscall.Kill(p.pid, s)
	}
}

func (p *osProcess) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *osProcess) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *osProcess) close() {}

// findNamed finds nothing: there is no portable way to.
func findNamed(string) ([]*osProcess, error) { return nil, nil }

// bootID is empty: the locks tell what lives.
func bootID() (string, error) { return "", nil }

func isUnified(string) (bool, error) { return false, errors.New("this system has no cgroups") }

func (m *merged) cloneFlags(bool) uintptr { return 0 }

func initNamespaces(namespaces []isolator.Namespace, _ bool) ([]initproto.Namespace, error) {
	if len(namespaces) > 0 {
		return nil, fmt.Errorf("a %s namespace needs Linux", namespaces[0].Type)
	}
	return nil, nil
}

func initMounts(mounts []isolator.Mount) ([]initproto.Mount, error) {
	if len(mounts) > 0 {
		return nil, fmt.Errorf("the mount at %s needs Linux", mounts[0].Destination)
	}
	return nil, nil
}

// rlimitNumbers are the limits that all Unix systems have.
var rlimitNumbers = map[string]uint32{
	"RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_CPU": unix.RLIMIT_CPU,
	"RLIMIT_DATA": unix.RLIMIT_DATA, "RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_NOFILE": unix.RLIMIT_NOFILE,
	"RLIMIT_STACK": unix.RLIMIT_STACK,
}
