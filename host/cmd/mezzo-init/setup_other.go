//go:build unix && !linux

package main

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
)

func hide() error { return nil }

// setUp refuses what this system does not have.
func setUp(plan *initproto.Plan) error {
	if plan.Namespaces || len(plan.Mounts) > 0 || plan.Hostname != "" || len(plan.JoinFiles) > 0 || len(plan.JoinNamespaces) > 0 {
		return errors.New("this system has no namespaces, mounts of one's own, or cgroups")
	}
	// The lock is how the agent, when it comes back, tells that this process still lives.
	if err := syscall.Flock(initproto.StatusFD, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.New("lock the status file: " + err.Error())
	}
	return nil
}

func needsStage(plan *initproto.Plan) bool { return len(plan.Rlimits) > 0 }

func takeOn(plan *initproto.Plan) error {
	for _, l := range plan.Rlimits {
		limit := unix.Rlimit{}
		setRlimit(&limit.Cur, l.Soft)
		setRlimit(&limit.Max, l.Hard)
		if err := unix.Setrlimit(int(l.Resource), &limit); err != nil {
			return errors.New("set limits: " + err.Error())
		}
	}
	return nil
}

// setRlimit stores a limit, whose type differs between systems.
func setRlimit[T int64 | uint64](dst *T, v uint64) { *dst = T(v) }

func dieWithParent(*syscall.SysProcAttr, *initproto.Plan) {}

// killRest kills the command's process group. A process that left it survives.
func killRest(_ *initproto.Plan, command int) {
	_ = syscall.Kill(-command, syscall.SIGKILL)
}
