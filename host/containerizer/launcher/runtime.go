//go:build unix

package launcher

import (
	"context"
	"fmt"
	"syscall"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/fetcher"
)

// runtime is how containers are started and watched: under a mezzo-init each, or by a plugin. A container stays with
// the one that made it.
type runtime interface {
	// create makes a container's first process, held before the command, and has the container adopt it.
	create(ctx context.Context, c *container, plan *merged, box *sandboxFiles, who *fetcher.Owner) (held, error)
	// find has a container adopt the process that an earlier agent has left of it, if that may still run.
	find(c *container) error
	// settled tells whether the command of a container that an earlier agent has left was let go, once that is clear.
	settled(ctx context.Context, c *container) (released bool)
	// exit tells how a container ended, nothing of it running any more, and sees to it that another agent is told the same.
	exit(c *container) containerizer.Exited
	// forget removes what was kept to tell of the end.
	forget(c *container) error
}

// process is a container's first process.
type process interface {
	// number is its id as the agent sees it; 0 when this machine has none.
	number() int
	// signal sends a signal, and does not wait for anybody. One that has ended is no error.
	signal(s syscall.Signal) error
	// wait returns when the process has ended, with everything in the container, or ctx has.
	wait(ctx context.Context) error
	// close lets go of the process, whether it runs or not.
	close()
}

// held is a container that is held before its command.
type held interface {
	// ready returns when all that comes before the command is done, or with what could not be.
	ready(ctx context.Context) error
	// release lets the command go. An error means that it has not run and never will.
	release(ctx context.Context) error
	// abandon ends a container whose command is not to run, as far as the isolators' clean-up does not.
	abandon() error
	// close ends the conversation.
	close()
}

// chosen is what new containers are made by.
func (l *Launcher) chosen() (runtime, error) {
	var launching *isolatorState
	for _, i := range l.isolators {
		if i.Launcher == nil || !i.Launcher.Launches() {
			continue
		}
		if launching != nil {
			return nil, fmt.Errorf("isolators %q and %q both start containers, and one of an agent may: take one of them out of the configuration",
				launching.Name, i.Name)
		}
		launching = i
	}
	if launching == nil {
		return l.own, nil
	}
	return &pluginRuntime{launcher: l, isolator: launching}, nil
}

// runtimeOf is what made a container.
func (l *Launcher) runtimeOf(r record) (runtime, error) {
	if r.Launcher == "" {
		return l.own, nil
	}
	for _, i := range l.isolators {
		if i.Name == r.Launcher && i.Launcher != nil {
			return &pluginRuntime{launcher: l, isolator: i}, nil
		}
	}
	return nil, fmt.Errorf("isolator %q has launched it but is not configured", r.Launcher)
}
