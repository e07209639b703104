//go:build linux

// Package linux is the containerizer of an agent that is root on Linux: every container has pid, mount, ipc and uts
// namespaces of its own, with a /proc of its own, and ends whole when its mezzo-init does. Isolators confine it
// further. What it shares with posix is in package launcher.
package linux

import (
	"errors"
	"fmt"
	"os"

	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
)

// New makes the containerizer. It needs root, for the namespaces.
func New(c launcher.Config) (*launcher.Launcher, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("make the linux containerizer: only root may make namespaces")
	}
	c.Namespaces = true
	l, err := launcher.New(c)
	if err != nil {
		return nil, fmt.Errorf("make the linux containerizer: %w", err)
	}
	return l, nil
}
