// Package launcher runs containers, each under a mezzo-init of its own, or by way of an isolator that starts containers
// itself (runtime is what the two have in common). It is what the linux and posix containerizers share: sandbox,
// fetching, the isolators' part of a container's life, the conversation with mezzo-init, checkpoints and recovery. It may import the fetcher and the SDK; it
// knows nothing of the agent.
package launcher

import (
	"log/slog"
	"slices"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/fetcher"
)

// Config is what a launcher works with.
type Config struct {
	// Instance is the agent's random name. All that is made on this machine carries it.
	Instance string
	// RuntimeDir is an absolute path, best on a tmpfs. The status files are in RuntimeDir/Instance.
	RuntimeDir string
	// InitPath is the absolute path of mezzo-init.
	InitPath string
	// Namespaces gives every container pid, mount, ipc and uts namespaces of its own; needs Linux and root.
	Namespaces bool
	// SwitchUser runs commands as the user they name. Without it all run as the agent's.
	SwitchUser bool
	// Isolators, in the order in which they prepare a container.
	Isolators []containerizer.IsolatorInstance
	Store     containerizer.Store
	Fetcher   *fetcher.Fetcher
	// Surroundings are told to containers in their environment.
	Surroundings containerizer.Surroundings
	// LaunchTimeout is how long a launch waits for isolators that are away; one minute by default.
	LaunchTimeout time.Duration
	Logger        *slog.Logger
}

// Launching tells whether an isolator starts the containers, as far as is known.
func (c Config) Launching() bool {
	return slices.ContainsFunc(c.Isolators, func(i containerizer.IsolatorInstance) bool {
		return i.Launcher != nil && i.Launcher.Launches()
	})
}
