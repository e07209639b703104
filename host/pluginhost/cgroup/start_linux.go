package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Start starts the command in the group: start is to do so in the calling goroutine, without anything in between.
// The command is a member before it executes its first instruction.
func (g *Group) Start(cmd *exec.Cmd, start func(*exec.Cmd) error) error {
	if g.h.unified {
		return g.startUnified(cmd, start)
	}
	result := make(chan error, 1)
	onThread(func() { result <- g.startSeparate(cmd, start) })
	return <-result
}

// startUnified has the kernel make the process in the group.
func (g *Group) startUnified(cmd *exec.Cmd, start func(*exec.Cmd) error) error {
	if err := g.limitRest(); err != nil {
		return fmt.Errorf("limit the cgroup %s: %w", g.path(), err)
	}
	folder, err := os.Open(g.folders()[0])
	if err != nil {
		return fmt.Errorf("open the plugin's cgroup: %w", err)
	}
	defer folder.Close() //nolint:errcheck // nothing is written
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(folder.Fd())
	err = start(cmd)
	if errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("start a process in a cgroup of version 2 (Linux 5.7 and later can): %w", err)
	}
	return err
}

// startSeparate joins the group with the calling thread, whose children are born in it. A thread that joins by itself,
// unlike a process that is put there, does not make the kernel wait for all others of the machine. The limits on
// processors and processes come when the thread has left again: the host is not to be held up by them.
func (g *Group) startSeparate(cmd *exec.Cmd, start func(*exec.Cmd) error) error {
	err := move(g.folders())
	if err == nil {
		err = start(cmd)
	}
	// Should leaving fail, the thread's end, which is near, does it.
	left := move(g.h.all)
	switch {
	case err != nil:
		return err
	case left != nil:
		return giveUp(cmd, left)
	}
	if err := g.limitRest(); err != nil {
		return giveUp(cmd, fmt.Errorf("limit the cgroup %s: %w", g.path(), err))
	}
	return nil
}

// move makes the calling thread a member of groups of version 1.
func move(folders []string) error {
	for _, folder := range folders {
		if err := write(folder, "tasks", "0"); err != nil {
			return fmt.Errorf("join the cgroup %s: %w", folder, err)
		}
	}
	return nil
}

// giveUp ends a command that was started in vain.
func giveUp(cmd *exec.Cmd, err error) error {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return err
}

// onThread calls f on a thread that ends with it, so that what f changes of its thread stays nowhere. The process's
// first thread cannot end before the process does, so it is kept busy until another has taken f.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			onThread(f)
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}
