package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// execute makes the command run the opened file itself, by way of a symbolic link to its descriptor: the link's name is
// what the kernel calls the process, which would be a number without. The path is resolved in the child before its
// descriptors are closed on exec; only a script's interpreter has to open the file once more, and gets a descriptor that
// stays. What is opened for it is to be closed after the start.
func execute(cmd *exec.Cmd, b *Binary, link string) (opened []*os.File, err error) {
	descriptor := int(b.file.Fd())
	if b.script {
		cmd.ExtraFiles = []*os.File{b.file}
		descriptor = 3
	} else if opened, err = keepClear(cmd, descriptor); err != nil {
		return opened, err
	}
	cmd.Path = link
	if err := os.Symlink(fmt.Sprintf("/proc/self/fd/%d", descriptor), link); err != nil {
		return opened, fmt.Errorf("name the process: %w", err)
	}
	return opened, nil
}

// keepClear sees to it that the descriptor is the program's file in the child, too. Between fork and exec, Go may move a
// pipe of its own to the first number above all those that it was given; so one of them is made to be above ours.
func keepClear(cmd *exec.Cmd, descriptor int) ([]*os.File, error) {
	stdin := cmd.Stdin.(*os.File)
	above, err := unix.FcntlInt(stdin.Fd(), unix.F_DUPFD_CLOEXEC, descriptor+1)
	if err != nil {
		return nil, fmt.Errorf("open its standard input once more: %w", err)
	}
	again := os.NewFile(uintptr(above), stdin.Name())
	cmd.Stdin = again
	return []*os.File{again}, nil
}

// maxScript bounds a script, in bytes: a copy of it is kept in memory while its process lives.
const maxScript = 256 << 20

// seal replaces a script's file by a copy that cannot be changed any more, and that every user may read.
func (b *Binary) seal() error {
	if b.size > maxScript {
		return fmt.Errorf("it is a script of %d bytes, and %d are the most", b.size, maxScript)
	}
	name, flags := "mezzo-plugin", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3 it may always be executed
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return fmt.Errorf("make an executable file in memory, as scripts need (does the sysctl vm.memfd_noexec forbid it?): %w", err)
	}
	sealed := os.NewFile(uintptr(fd), name)
	if err := fill(sealed, b.file); err != nil {
		sealed.Close()
		return err
	}
	info, err := sealed.Stat()
	if err != nil {
		sealed.Close()
		return err
	}
	b.file.Close()
	b.file, b.size, b.changed = sealed, info.Size(), info.ModTime()
	return nil
}

func fill(sealed, from *os.File) error {
	if _, err := io.Copy(sealed, io.LimitReader(from, maxScript)); err != nil {
		return err
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(sealed.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("seal a copy of it: %w", err)
	}
	_, err := sealed.Seek(0, io.SeekStart)
	return err
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
