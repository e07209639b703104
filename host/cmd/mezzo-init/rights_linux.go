package main

import (
	"errors"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
)

// needsStage tells whether the plan has something that only the process that becomes the command can do.
func needsStage(plan *initproto.Plan) bool {
	return len(plan.Rlimits) > 0 || plan.Capabilities != nil || plan.NoNewPrivs
}

// takeOn takes on limits, user and rights, in an order in which each step is still allowed.
func takeOn(plan *initproto.Plan) error {
	for _, l := range plan.Rlimits {
		limit := unix.Rlimit{Cur: l.Soft, Max: l.Hard}
		if err := unix.Prlimit(0, int(l.Resource), &limit, nil); err != nil {
			return errors.New("set limit " + strconv.Itoa(int(l.Resource)) + ": " + err.Error())
		}
	}
	if plan.Capabilities != nil {
		if err := dropBounding(plan.Capabilities.Bounding); err != nil {
			return errors.New("drop capabilities: " + err.Error())
		}
	}
	if err := takeUser(plan); err != nil {
		return err
	}
	if plan.Capabilities != nil {
		if err := setCapabilities(plan.Capabilities); err != nil {
			return errors.New("set capabilities: " + err.Error())
		}
	}
	if plan.NoNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return errors.New("set no_new_privs: " + err.Error())
		}
	}
	return nil
}

// takeUser becomes the plan's user. It works on this thread alone, which is the one that goes on as the command.
func takeUser(plan *initproto.Plan) error {
	if !plan.SwitchUser {
		return nil
	}
	if plan.Capabilities != nil {
		if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
			return errors.New("keep capabilities: " + err.Error())
		}
	}
	groups := make([]int, len(plan.Groups))
	for i, g := range plan.Groups {
		groups[i] = int(g)
	}
	if err := syscall.Setgroups(groups); err != nil {
		return errors.New("set groups: " + err.Error())
	}
	if err := syscall.Setgid(int(plan.GID)); err != nil {
		return errors.New("set group: " + err.Error())
	}
	if err := syscall.Setuid(int(plan.UID)); err != nil {
		return errors.New("set user: " + err.Error())
	}
	return nil
}

// dropBounding drops every capability of the kernel's that is not in keep from the bounding set.
func dropBounding(keep uint64) error {
	for n := range uint(64) {
		if keep&(1<<n) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0); err == unix.EINVAL {
			return nil // beyond the kernel's last
		} else if err != nil {
			return err
		}
	}
	return nil
}

func setCapabilities(c *initproto.Capabilities) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(c.Effective), Permitted: uint32(c.Permitted), Inheritable: uint32(c.Inheritable)},
		{Effective: uint32(c.Effective >> 32), Permitted: uint32(c.Permitted >> 32), Inheritable: uint32(c.Inheritable >> 32)},
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	for n := range uint(64) {
		if c.Ambient&(1<<n) == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(n), 0, 0); err != nil {
			return err
		}
	}
	return nil
}
