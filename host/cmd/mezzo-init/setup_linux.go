package main

import (
	"errors"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
)

// hide makes this process undumpable, so that what it holds (its descriptors, the environment of the command)
// is out of reach of the container's user. Descriptors that the agent itself was started with, by whoever did not
// close them, end here.
func hide() error {
	_ = unix.CloseRange(initproto.StatusFD+1, math.MaxInt32, 0) // Linux 5.9; nothing of ours is among them yet
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// setUp joins cgroups and namespaces and makes the container's mounts. Without namespaces of its own it becomes
// the one to whom orphans go.
func setUp(plan *initproto.Plan) error {
	if err := join(plan); err != nil {
		return err
	}
	if !plan.Namespaces {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return errors.New("become a reaper: " + err.Error())
		}
		return nil
	}
	// Mounts made on the host are to appear here, ours not there.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return errors.New("make the mounts our own: " + err.Error())
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return errors.New("mount /proc: " + err.Error())
	}
	if plan.Hostname != "" {
		if err := unix.Sethostname([]byte(plan.Hostname)); err != nil {
			return errors.New("set the host name: " + err.Error())
		}
	}
	for _, m := range plan.Mounts {
		if err := mount(m); err != nil {
			return errors.New("mount " + m.Source + " at " + m.Target + ": " + err.Error())
		}
	}
	return nil
}

// join makes this thread, and so the processes that it starts, a member of cgroups and namespaces. A thread
// that joins a cgroup of version 1 itself, unlike a process that is put there, does not make the kernel wait
// for every other process of the machine; and the runtime's own threads do not count against the container.
func join(plan *initproto.Plan) error {
	for _, name := range plan.JoinFiles {
		if err := os.WriteFile(name, []byte("0"), 0); err != nil {
			return errors.New("join a cgroup: " + err.Error())
		}
	}
	for _, n := range plan.JoinNamespaces {
		fd, err := unix.Open(n.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, int(n.Flag)) //nolint:gosec // a flag of clone
			_ = unix.Close(fd)
		}
		if err != nil {
			return errors.New("join the namespace " + n.Path + ": " + err.Error())
		}
	}
	return nil
}

// mount makes one mount. A bind mount takes its other flags in a second step: the kernel ignores them in the
// first.
func mount(m initproto.Mount) error {
	flags := uintptr(m.Flags)
	if err := unix.Mount(m.Source, m.Target, m.Type, flags, m.Data); err != nil {
		return err
	}
	const later = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME
	if flags&unix.MS_BIND != 0 && flags&later != 0 {
		return unix.Mount("", m.Target, "", flags&later|unix.MS_BIND|unix.MS_REMOUNT, "")
	}
	return nil
}

// dieWithParent makes a command without a pid namespace die when mezzo-init is killed. Inside one it dies anyway.
func dieWithParent(attributes *syscall.SysProcAttr, plan *initproto.Plan) {
	if !plan.Namespaces {
		attributes.Pdeathsig = syscall.SIGKILL
	}
}

// killRest kills what the command left running, where the end of a pid namespace does not.
func killRest(plan *initproto.Plan, command int) {
	if plan.Namespaces {
		return
	}
	_ = syscall.Kill(-command, syscall.SIGKILL)
	// Orphans come to us, so killing children, until there are none, reaches all of them.
	for {
		if !killChildren() {
			return
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(-1, &status, 0, nil); err != nil && err != syscall.EINTR {
			return
		}
	}
}

// killChildren kills the children of all threads, and tells whether that could be done.
func killChildren() bool {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return false
	}
	for _, t := range threads {
		if list, err := os.ReadFile("/proc/self/task/" + t.Name() + "/children"); err == nil {
			killAll(list)
		}
	}
	return true
}

// killAll kills the processes in a list of numbers separated by blanks.
func killAll(list []byte) {
	pid := 0
	for _, c := range list {
		switch {
		case c >= '0' && c <= '9':
			pid = pid*10 + int(c-'0')
		case pid != 0:
			_ = syscall.Kill(pid, syscall.SIGKILL)
			pid = 0
		}
	}
}
