//go:build unix

package main

import (
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
)

// forwarded are the signals that are passed on. Each costs some time at the start, so they are those that people
// send to tasks.
var forwarded = []os.Signal{
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
	syscall.SIGCONT, syscall.SIGWINCH,
}

// listen takes in signals from now on, so that none is lost that comes before the command runs.
func listen() <-chan os.Signal {
	signals := make(chan os.Signal, 32)
	signal.Notify(signals, forwarded...)
	return signals
}

// run runs the command to its end and returns its raw wait status.
func run(plan *initproto.Plan, socket, status *os.File, signals <-chan os.Signal) syscall.WaitStatus {
	pid, err := spawn(plan)
	if err == nil {
		record(status, initproto.Spawned, uint32(pid)) //nolint:gosec // process ids are small
	}
	_, _ = socket.Write([]byte{initproto.ReplySpawned}) // an agent that is gone does without
	_ = socket.Close()
	if err != nil {
		complain(err.Error())
		return failedStatus << 8
	}
	go forward(signals, pid)
	ended := reap(pid)
	killRest(plan, pid)
	return ended
}

// forward passes signals on to the command's process group, which the command leads.
func forward(signals <-chan os.Signal, pid int) {
	for s := range signals {
		if n, ok := s.(syscall.Signal); ok {
			_ = syscall.Kill(-pid, n)
		}
	}
}

// reap waits for children, those that the container's processes left to us too, until the command has ended.
func reap(command int) syscall.WaitStatus {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case pid == command && (status.Exited() || status.Signaled()):
			return status
		case err != nil && err != syscall.EINTR:
			complain("wait for the command: " + err.Error())
			return failedStatus << 8
		}
	}
}

// spawn starts the command, as the leader of a process group of its own.
func spawn(plan *initproto.Plan) (int, error) {
	if needsStage(plan) {
		return spawnStage(plan)
	}
	path, err := lookUp(plan.Path, plan.Env)
	if err != nil {
		return 0, executeError(plan.Path, err)
	}
	attributes := &syscall.SysProcAttr{Setsid: true}
	dieWithParent(attributes, plan)
	if plan.SwitchUser {
		attributes.Credential = &syscall.Credential{Uid: plan.UID, Gid: plan.GID, Groups: plan.Groups}
	}
	pid, err := syscall.ForkExec(path, plan.Args, &syscall.ProcAttr{Env: plan.Env, Files: []uintptr{0, 1, 2}, Sys: attributes})
	if err != nil {
		return 0, executeError(plan.Path, err)
	}
	return pid, nil
}

// runPrestart runs a command that comes before the task's and must succeed.
func runPrestart(c initproto.Command) error {
	pid, err := syscall.ForkExec(c.Path, c.Args, &syscall.ProcAttr{Env: c.Env, Files: []uintptr{0, 1, 2}})
	if err != nil {
		return executeError(c.Path, err)
	}
	if status := reap(pid); !status.Exited() || status.ExitStatus() != 0 {
		return errors.New("'" + c.Path + "', which runs before the command, did not succeed")
	}
	return nil
}

// lookUp finds a program as execvp(3) does, in the PATH that the command will have.
func lookUp(program string, env []string) (string, error) {
	if program == "" {
		return "", syscall.ENOENT
	}
	if strings.Contains(program, "/") {
		return program, nil
	}
	found := syscall.ENOENT
	for _, variable := range env {
		list, ok := strings.CutPrefix(variable, "PATH=")
		if !ok {
			continue
		}
		for folder := range strings.SplitSeq(list, ":") {
			name := folder + "/" + program
			if folder == "" {
				name = "./" + program
			}
			info, err := os.Stat(name)
			if err != nil || info.IsDir() {
				continue
			}
			if info.Mode()&0o111 != 0 {
				return name, nil
			}
			found = syscall.EACCES
		}
		break
	}
	return "", found
}

func executeError(program string, err error) error {
	return errors.New("Failed to execute '" + program + "': " + err.Error())
}
