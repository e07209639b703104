package launcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// osProcess is a mezzo-init, held by a pidfd: a signal sent through it reaches that process or none.
type osProcess struct {
	pid   int
	start uint64 // when it was started, in ticks since boot: tells it from a later process of the same number
	child bool   // it is our own child, and is to be waited for
	pidfd *os.File
}

// forkProcess starts a program and holds it.
func forkProcess(path string, args, env []string, files []uintptr, flags uintptr, cgroup string) (*osProcess, error) {
	pidfd := -1
	sys := &syscall.SysProcAttr{Setsid: true, Cloneflags: flags, PidFD: &pidfd}
	if cgroup != "" {
		folder, err := os.Open(cgroup)
		if err != nil {
			return nil, err
		}
		defer folder.Close() //nolint:errcheck // only named by it
		sys.UseCgroupFD, sys.CgroupFD = true, int(folder.Fd())
	}
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{Dir: "/", Env: env, Files: files, Sys: sys})
	if err != nil {
		return nil, err
	}
	p := &osProcess{pid: pid, child: true}
	if p.pidfd, err = pollable(pidfd); err == nil {
		p.start, err = startTime(pid)
	}
	if err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		return nil, fmt.Errorf("hold the process: %w", err)
	}
	return p, nil
}

// findProcess takes hold of a process that was started by an earlier agent. It is nil when that process is gone.
func findProcess(pid int, start uint64, _ string) (*osProcess, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, nil //nolint:nilnil // as said above
	}
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	file, err := pollable(fd)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	p := &osProcess{pid: pid, start: start, pidfd: file}
	// The descriptor is of whatever has the number now; whether that is ours its start time tells.
	now, err := startTime(pid)
	if err == nil && now == start && !p.ended() {
		return p, nil
	}
	p.close()
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return nil, nil //nolint:nilnil // as said above
}

// pollable makes a pidfd something that can be waited for without a thread.
func pollable(pidfd int) (*os.File, error) {
	if pidfd < 0 {
		return nil, errors.New("this kernel has no pidfds: Linux 5.4 or newer is needed")
	}
	if err := unix.SetNonblock(pidfd, true); err != nil {
		return nil, errors.Join(err, unix.Close(pidfd))
	}
	return os.NewFile(uintptr(pidfd), "pidfd"), nil
}

func (p *osProcess) number() int { return p.pid }

// signal sends a signal; a process that has ended is no error.
func (p *osProcess) signal(s syscall.Signal) error {
	raw, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), s, nil, 0) }); err != nil {
		return err
	}
	if errors.Is(sent, unix.ESRCH) {
		return nil
	}
	return sent
}

// wait returns when the process has ended, with everything in its pid namespace, or ctx has.
func (p *osProcess) wait(ctx context.Context) error {
	raw, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = p.pidfd.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := raw.Read(pidfdReadable); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	if p.child {
		_, err = syscall.Wait4(p.pid, nil, 0, nil)
	}
	return err
}

// ended tells whether the process has ended.
func (p *osProcess) ended() bool {
	raw, err := p.pidfd.SyscallConn()
	if err != nil {
		return true
	}
	ended := false
	_ = raw.Control(func(fd uintptr) { ended = pidfdReadable(fd) })
	return ended
}

// runs tells whether a process that was started then is there and has not ended.
func runs(pid int, start uint64) bool {
	p, err := findProcess(pid, start, "")
	if p == nil {
		return err != nil // it cannot be told that it has ended
	}
	p.close()
	return true
}

func pidfdReadable(fd uintptr) bool {
	list := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // a descriptor
	n, err := unix.Poll(list, 0)
	return err == nil && n == 1
}

func (p *osProcess) close() { _ = p.pidfd.Close() }

// startTime is field 22 of /proc/PID/stat. The second field may hold blanks and parentheses.
func startTime(pid int) (uint64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	const startField = 22 - 3
	if len(fields) <= startField {
		return 0, fmt.Errorf("read the start time of process %d: its stat is too short", pid)
	}
	return strconv.ParseUint(string(fields[startField]), 10, 64)
}

// findNamed finds the processes that were started as mezzo-init under the name.
func findNamed(name string) ([]*osProcess, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	want := initName + "\x00" + name + "\x00"
	var found []*osProcess
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		start, err := startTime(pid)
		if err != nil {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil || string(line) != want {
			continue
		}
		if p, err := findProcess(pid, start, ""); err == nil && p != nil {
			found = append(found, p)
		}
	}
	return found, nil
}

// reserve takes room on the disk for what is to be written to a file. A file system that cannot do that is trusted to
// have it.
func reserve(f *os.File, length int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, length)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

// bootID tells one boot of the machine from another.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// isUnified tells whether a cgroup's folder is of version 2.
func isUnified(folder string) (bool, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return false, err
	}
	switch fs.Type {
	case unix.CGROUP2_SUPER_MAGIC:
		return true, nil
	case unix.CGROUP_SUPER_MAGIC:
		return false, nil
	default:
		return false, errors.New("it is not a cgroup's folder")
	}
}
