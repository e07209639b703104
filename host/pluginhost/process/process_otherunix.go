//go:build unix && !linux

package process

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// execute runs the path: there is no way here to execute a descriptor.
func execute(cmd *exec.Cmd, b *Binary, _ string) (opened []*os.File, err error) {
	cmd.Path = b.Path
	return nil, nil
}

// seal leaves a script as it is: its path is run.
func (b *Binary) seal() error { return nil }

func (group) wait(*os.Process) {}

// PeerUID is not to be had here; the socket's folder, open to its owner alone, has to do.
func PeerUID(syscall.Conn) (int, error) { return 0, errors.ErrUnsupported }
