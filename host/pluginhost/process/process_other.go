//go:build !unix

package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

const (
	checkExecutable = false
	unixSockets     = false
)

// credentials are the host's own: there is no changing to another user here.
type credentials struct{ uid int }

func lookupCredentials(userName, groupName string) (*credentials, error) {
	if userName != "" || groupName != "" {
		return nil, fmt.Errorf("run as user %q, group %q: not possible on this system; leave both out", userName, groupName)
	}
	return &credentials{}, nil
}

func (c *credentials) apply(*exec.Cmd)  {}
func (c *credentials) own(string) error { return nil }

func execute(cmd *exec.Cmd, b *Binary) { cmd.Path = b.Path }

// seal leaves a script as it is: its path is run.
func (b *Binary) seal() error { return nil }

func startRetrying(cmd *exec.Cmd) error { return cmd.Start() }

func waitAndKillGroup(int) {}

func signalGroup(process *os.Process, _ bool) error {
	if err := process.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// PeerUID is not to be had here.
func PeerUID(syscall.Conn) (int, error) { return 0, errors.ErrUnsupported }
