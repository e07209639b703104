//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// folder holds what there is to know of a container, so that any process of the plugin finds it.
type folder string

// The files in a folder.
const (
	processFile = "process" // the holder's id and when it was started; written when it holds the command
	startFile   = "start"   // a named pipe: a byte in it lets the command go; removed then
	killedFile  = "killed"  // is there when the container is not to run, or not any longer
	statusFile  = "status"  // how it ended; written by the holder
)

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

func (f folder) has(name string) bool {
	_, err := os.Lstat(f.path(name))
	return err == nil
}

// order is what a holder is to do. It holds the environment, so it goes through a pipe and into no file.
type order struct {
	Path      string
	Args, Env []string
	Dir, User string
	Rlimits   []isolator.Rlimit
	Cgroups   []string
}

// launch starts a holder and waits until it holds the command.
func (f folder) launch(ctx context.Context, o order) error {
	if err := syscall.Mkfifo(f.path(startFile), 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the named pipe: %w", err)
	}
	plan, err := json.Marshal(o)
	if err != nil {
		return err
	}
	answers, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer answers.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{"isolator-process", holdCommand, string(f)}, Env: []string{}, Dir: "/",
		Stdin: bytes.NewReader(plan), Stdout: theirs, Stderr: theirs, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return fmt.Errorf("start a holder: %w", err)
	}
	go func() { _ = cmd.Wait() }() // it is told by its files, to us and to the next process of the plugin
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	answer, _ := io.ReadAll(io.LimitReader(answers, 64<<10))
	switch text := strings.TrimSpace(string(answer)); {
	case text == held:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return sdk.Errorf(sdk.FailedPrecondition, "hold the command: %s", text)
	}
}

// process is the container's holder; an error when there was none yet.
func (f folder) process() (at process, err error) {
	text, err := os.ReadFile(f.path(processFile))
	if err == nil {
		_, err = fmt.Sscan(string(text), &at.pid, &at.started)
	}
	return at, err
}

// letGo lets the command go, unless it was.
func (f folder) letGo() error {
	pipe, err := os.OpenFile(f.path(startFile), os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENXIO) {
		return nil // it was let go, or its holder is gone, which Wait tells
	}
	if err != nil {
		return err
	}
	_, err = pipe.Write([]byte{1})
	return errors.Join(err, pipe.Close())
}

// signal sends a signal to the holder, which passes it on. SIGKILL it could not: the others in its session get it.
func (f folder) signal(at process, number int) error {
	if syscall.Signal(number) != syscall.SIGKILL {
		return syscall.Kill(at.pid, syscall.Signal(number))
	}
	// A holder that is just about to start the command finds this file, one that has is found by its session.
	if err := os.WriteFile(f.path(killedFile), nil, 0o600); err != nil {
		return err
	}
	at.killSession(at.pid)
	return f.letGo()
}

// status is how a container has ended, of which nothing runs any more.
func (f folder) status() (s isolator.ExitStatus) {
	text, err := os.ReadFile(f.path(statusFile))
	if err == nil {
		_, err = fmt.Sscan(string(text), &s.Code, &s.Signal)
	}
	s.Known = err == nil
	return s
}
