//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// holdCommand is the argument that makes a holder of this program: the container's first process, which holds the
// command, starts it, waits for it, and writes down how it ended.
const holdCommand = "hold"

// held is what a holder prints when it holds the command. Anything else is why it cannot.
const held = "held"

func hold(f folder) {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	cmd, start, err := prepare(f)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(held)
	os.Stdout.Close()
	os.Stderr.Close()
	if _, err := start.Read(make([]byte, 1)); err != nil {
		os.Exit(1)
	}
	if err := f.write(statusFile, run(f, cmd, signals)); err != nil {
		os.Exit(1)
	}
}

// prepare does all that comes before the command.
func prepare(f folder) (cmd *exec.Cmd, start *os.File, err error) {
	var o order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return nil, nil, fmt.Errorf("read the order: %w", err)
	}
	self, err := self()
	if err != nil {
		return nil, nil, err
	}
	if start, err = os.OpenFile(f.path(startFile), os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	if cmd, err = o.command(); err != nil {
		return nil, nil, err
	}
	for _, folder := range o.Cgroups {
		if err := os.WriteFile(filepath.Join(folder, "cgroup.procs"), []byte(strconv.Itoa(self.pid)), 0); err != nil {
			return nil, nil, err
		}
	}
	for _, l := range o.Rlimits {
		number, known := rlimits[l.Type]
		if !known {
			return nil, nil, fmt.Errorf("there is no limit %s here", l.Type)
		}
		if err := syscall.Setrlimit(number, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard}); err != nil {
			return nil, nil, fmt.Errorf("set %s: %w", l.Type, err)
		}
	}
	// Of two holders for one container, the plugin having been killed in between, the first to come here holds it.
	return cmd, start, f.writeOnce(processFile, fmt.Sprintln(self.pid, self.started))
}

var rlimits = map[string]int{
	"RLIMIT_AS": syscall.RLIMIT_AS, "RLIMIT_CORE": syscall.RLIMIT_CORE, "RLIMIT_CPU": syscall.RLIMIT_CPU,
	"RLIMIT_DATA": syscall.RLIMIT_DATA, "RLIMIT_FSIZE": syscall.RLIMIT_FSIZE, "RLIMIT_NOFILE": syscall.RLIMIT_NOFILE,
	"RLIMIT_STACK": syscall.RLIMIT_STACK,
}

// command is the container's command, in a process group of its own.
func (o order) command() (*exec.Cmd, error) {
	cmd := &exec.Cmd{Args: o.Args, Env: o.Env, SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	// The command's user may not be let in by the folders above.
	err := os.Chdir(o.Dir)
	if err != nil {
		return nil, err
	}
	if cmd.SysProcAttr.Credential, err = credential(o.User); err != nil {
		return nil, err
	}
	for _, v := range o.Env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			os.Setenv("PATH", path)
		}
	}
	cmd.Path = o.Path
	if found, err := exec.LookPath(o.Path); err == nil {
		cmd.Path = found
	}
	const flags = os.O_WRONLY | os.O_APPEND | syscall.O_NOFOLLOW
	if cmd.Stdout, err = os.OpenFile(filepath.Join(o.Dir, "stdout"), flags, 0); err != nil {
		return nil, err
	}
	if cmd.Stderr, err = os.OpenFile(filepath.Join(o.Dir, "stderr"), flags, 0); err != nil {
		return nil, err
	}
	return cmd, nil
}

func credential(name string) (*syscall.Credential, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // as whoever this is
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	c := &syscall.Credential{}
	for _, id := range append([]string{u.Uid, u.Gid}, groups...) {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, err
		}
		c.Groups = append(c.Groups, uint32(n))
	}
	c.Uid, c.Gid, c.Groups = c.Groups[0], c.Groups[1], c.Groups[2:]
	return c, nil
}

// run runs the command to its end and that of all in its session, and says how it ended: exit code and signal.
func run(f folder, cmd *exec.Cmd, signals <-chan os.Signal) string {
	if err := os.Remove(f.path(startFile)); err != nil || f.has(killedFile) {
		return fmt.Sprintln(0, int(syscall.SIGKILL))
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(cmd.Stderr, err)
		return fmt.Sprintln(127, 0)
	}
	go func() {
		for s := range signals {
			if s != syscall.SIGCHLD && s != syscall.SIGURG && s != syscall.SIGPIPE { // which are the holder's own
				_ = syscall.Kill(-cmd.Process.Pid, s.(syscall.Signal))
			}
		}
	}()
	if f.has(killedFile) {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	_ = cmd.Wait() // its end is in the state
	if self, err := self(); err == nil {
		self.killSession(self.pid)
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return fmt.Sprintln(0, int(status.Signal()))
	}
	return fmt.Sprintln(status.ExitStatus(), 0)
}

// write writes a file whole or not at all.
func (f folder) write(name, text string) error {
	if err := os.WriteFile(f.path(name+".new"), []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(f.path(name+".new"), f.path(name))
}

// writeOnce writes a file whole, unless it is there.
func (f folder) writeOnce(name, text string) error {
	draft := f.path(name + "." + strconv.Itoa(os.Getpid()))
	if err := os.WriteFile(draft, []byte(text), 0o600); err != nil {
		return err
	}
	return errors.Join(os.Link(draft, f.path(name)), os.Remove(draft))
}
