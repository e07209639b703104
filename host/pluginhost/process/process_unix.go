//go:build unix

package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

const (
	checkExecutable   = true
	terminationSignal = true
	// UnixSockets says that plugins listen on such; where not, they do on TCP, and need TLS.
	UnixSockets = true
)

func openFile(path string) (*os.File, error) { return os.Open(path) }

// credentials are the ids that a plugin runs with.
type credentials struct {
	uid, gid int
	// drop says that they differ from the host's own.
	drop bool
}

func lookupCredentials(userName, groupName string) (*credentials, error) {
	c := &credentials{uid: os.Geteuid(), gid: os.Getegid()}
	if userName != "" {
		u, err := user.Lookup(userName)
		if _, number := strconv.Atoi(userName); err != nil && number == nil {
			u, err = user.LookupId(userName)
		}
		if err != nil {
			return nil, fmt.Errorf("look up the user %q: %w", userName, err)
		}
		c.uid, _ = strconv.Atoi(u.Uid)
		c.gid, _ = strconv.Atoi(u.Gid)
	}
	if groupName != "" {
		g, err := user.LookupGroup(groupName)
		if _, number := strconv.Atoi(groupName); err != nil && number == nil {
			g, err = user.LookupGroupId(groupName)
		}
		if err != nil {
			return nil, fmt.Errorf("look up the group %q: %w", groupName, err)
		}
		c.gid, _ = strconv.Atoi(g.Gid)
	}
	c.drop = c.uid != os.Geteuid() || c.gid != os.Getegid()
	if c.drop && os.Geteuid() != 0 {
		return nil, fmt.Errorf("run as user %q, group %q: only root may change to another user; leave both out to run it as yourself", userName, groupName)
	}
	return c, nil
}

// apply puts the process into a group of its own, without the host's supplementary groups.
func (c *credentials) apply(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(c.uid), Gid: uint32(c.gid), Groups: []uint32{}}
	}
}

func (c *credentials) own(dir string) error {
	if !c.drop {
		return nil
	}
	return os.Chown(dir, c.uid, c.gid)
}

// group is what a process is ended with: here its process group, whose id is its own.
type group struct{}

// start starts the program. A file that another thread of this process has just written can be "busy" for the moment
// in which that thread's descriptor exists in a process being forked.
func (group) start(cmd *exec.Cmd) error {
	for try := 0; ; try++ {
		err := cmd.Start()
		if !errors.Is(err, syscall.ETXTBSY) || try == 20 {
			return err
		}
		time.Sleep(5 * time.Millisecond)
		again := *cmd
		*cmd = exec.Cmd{Path: again.Path, Args: again.Args, Env: again.Env, Stdin: again.Stdin, Stdout: again.Stdout,
			Stderr: again.Stderr, ExtraFiles: again.ExtraFiles, SysProcAttr: again.SysProcAttr}
	}
}

func (group) signal(process *os.Process, kill bool) error {
	signal := syscall.SIGTERM
	if kill {
		signal = syscall.SIGKILL
	}
	err := syscall.Kill(-process.Pid, signal)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

func (group) close() {}

// killedBySystem tells whether the process got SIGKILL.
func killedBySystem(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
