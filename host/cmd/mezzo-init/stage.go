//go:build unix

package main

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
)

// stageFD is where the stage finds the plan.
const stageFD = 3

// spawnStage starts this program again, with the plan on a pipe, for what can only be done by the process
// that becomes the command: limits and rights that mezzo-init itself must not be under.
func spawnStage(plan *initproto.Plan) (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, errors.New("make a pipe: " + err.Error())
	}
	self, err := os.Executable()
	if err != nil {
		return 0, errors.New("find mezzo-init: " + err.Error())
	}
	attributes := &syscall.SysProcAttr{Setsid: true}
	dieWithParent(attributes, plan)
	pid, err := syscall.ForkExec(self, []string{"mezzo-init", stageArg}, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2, r.Fd()}, Sys: attributes,
	})
	_ = r.Close()
	if err != nil {
		_ = w.Close()
		return 0, executeError(self, err)
	}
	_, err = w.Write(initproto.AppendPlan(nil, plan))
	_ = w.Close()
	if err != nil {
		return 0, errors.New("hand the plan on: " + err.Error())
	}
	return pid, nil
}

// stage takes the plan from the pipe, takes on its limits and rights, and becomes the command. It does not
// return.
func stage() {
	runtime.LockOSThread() // rights are those of a thread
	pipe := os.NewFile(stageFD, "plan")
	syscall.CloseOnExec(stageFD)
	plan, err := readPlan(pipe)
	if err == nil {
		err = become(plan)
	}
	complain(err.Error())
	os.Exit(failedStatus)
}

// become returns only when it did not work.
func become(plan *initproto.Plan) error {
	if err := takeOn(plan); err != nil {
		return err
	}
	path, err := lookUp(plan.Path, plan.Env)
	if err == nil {
		err = syscall.Exec(path, plan.Args, plan.Env)
	}
	return executeError(plan.Path, err)
}
