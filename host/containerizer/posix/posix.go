//go:build unix

package posix

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"

	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
)

// New makes the containerizer, and says in the log that there is no isolation.
func New(c launcher.Config) (*launcher.Launcher, error) {
	c.Namespaces = false
	c.SwitchUser = c.SwitchUser && os.Geteuid() == 0
	l, err := launcher.New(c)
	if err != nil {
		return nil, fmt.Errorf("make the posix containerizer: %w", err)
	}
	if c.Launching() {
		return l, nil // how tasks are isolated is the plugin's affair
	}
	logger := c.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Warn("tasks run as plain processes of the agent's user, without isolation from this machine or from each other: "+
		"that takes Linux and an agent that is root", "system", runtime.GOOS, "uid", os.Geteuid())
	return l, nil
}
