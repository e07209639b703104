package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// execute makes the command run the opened file itself. The path is resolved in the child before its
// descriptors are closed on exec; only a script's interpreter has to open the file once more, and gets a
// descriptor that stays.
func execute(cmd *exec.Cmd, b *Binary) error {
	if b.script {
		cmd.ExtraFiles = []*os.File{b.file}
		cmd.Path = "/proc/self/fd/3"
		return nil
	}
	cmd.Path = fmt.Sprintf("/proc/self/fd/%d", b.file.Fd())
	return nil
}

// wait waits until the process has ended and, while its id is still taken, kills what is left of its group.
func (group) wait(process *os.Process) {
	for {
		err := unix.Waitid(unix.P_PID, process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	_ = syscall.Kill(-process.Pid, syscall.SIGKILL)
}

// PeerUID is the user id of the process that listens at the other end of a unix socket.
func PeerUID(conn syscall.Conn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var optErr error
	if err := raw.Control(func(fd uintptr) {
		cred, optErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if optErr != nil {
		return 0, optErr
	}
	return int(cred.Uid), nil
}
