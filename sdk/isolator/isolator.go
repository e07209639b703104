package isolator

import (
	"context"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Isolator confines containers. Its methods are called by several goroutines at once, but for one container
// Prepare, Isolate, Update and Cleanup come one after the other.
type Isolator interface {
	// Recover is the first call: all containers of this agent, with the handles it has written down. It
	// destroys nothing. What the plugin finds on the machine under the agent's instance and cannot match to a
	// container of the list it returns as unknown; the agent calls Cleanup for those.
	Recover(ctx context.Context, instance string, known []Container) (unknown []Container, err error)
	// Prepare makes ready what the container needs and says how to start it.
	Prepare(ctx context.Context, s Spec) (Plan, error)
	// Isolate is called when the container's first process exists and has not been released yet. pid is the
	// process's id as the agent sees it.
	Isolate(ctx context.Context, c Container, pid int) error
	// Watch calls emit when the container reaches a limit, until ctx ends, the container is cleaned up or emit
	// returns an error. It returns nil in the first two cases. It is called after Isolate, and again after a
	// restart of the agent or the plugin: a limit reached in between is to be reported then.
	Watch(ctx context.Context, c Container, emit func(Limitation) error) error
	// Update gives a running container other resources and limits; they mean what they mean in Spec. No agent of
	// this release calls it.
	Update(ctx context.Context, c Container, r resource.Resources, limits map[string]resource.Limit) error
	// Usage measures containers. One that cannot be measured is left out.
	Usage(ctx context.Context, cs []Container) (map[string]Usage, error)
	// Status says what there is to tell about containers beyond their usage, by container id. No agent of this
	// release calls it.
	Status(ctx context.Context, cs []Container) (map[string]Status, error)
	// Cleanup removes all that Prepare and Isolate made. Nothing of the container runs any more, or what does
	// is to be killed. It succeeds when there is nothing left to remove.
	Cleanup(ctx context.Context, c Container) error
}

// ResourceContributor is an Isolator that brings resources of its own to the agent, such as gpus.
type ResourceContributor interface {
	// Resources is what the machine has: unreserved, not allocated, and by names (gpus) that neither the
	// operator nor another isolator gives. It is asked before the agent registers, and again after each
	// restart of the plugin: the agent keeps what it has registered with, and does not use a plugin that
	// says otherwise later.
	Resources(ctx context.Context) (resource.Resources, error)
}

// Launcher is an Isolator that starts containers itself, in the agent's stead: a VM, a Windows container.
// At most one isolator of an agent may be one. The life of a container is then
//
//	Prepare  of all isolators
//	Launch   make the container, and hold it before its command
//	Isolate  of all isolators, this one too, with the pid that Launch has returned
//	Start    let the command go
//	Wait     until it ends, with Signal at any time
//	Cleanup  of all isolators; this one's ends what runs or is held
//
// Containers outlive the plugin and the agent. After Recover the agent calls Start and Wait again for those
// whose command it was about to let go or had, and Cleanup for the others.
type Launcher interface {
	// Launch makes the container as the merged plan says, and returns the id of its first process, 0 when
	// this machine has none. The spec's Env is the command's whole environment; output is appended to the
	// files stdout and stderr in the sandbox, which are there. What it cannot carry out of the plan it refuses
	// with sdk.FailedPrecondition.
	Launch(ctx context.Context, s Spec, p Plan) (pid int, err error)
	// Start lets the command go, once, however often it is called.
	Start(ctx context.Context, c Container) error
	// Wait returns when the container has ended with everything in it, at once when it had before. It answers
	// until Cleanup; sdk.NotFound says that there is, and runs, no such container.
	Wait(ctx context.Context, c Container) (ExitStatus, error)
	// Signal sends a signal by its Linux number to the container's first process, which passes it on. SIGKILL
	// ends all that is in it, also when it is held. sdk.NotFound says that it has ended.
	Signal(ctx context.Context, c Container, signal int) error
	// Exec runs a command within the container, with the given files as its input and outputs, until it ends.
	// No agent of this release calls it.
	Exec(ctx context.Context, c Container, e Exec) (ExitStatus, error)
}

// Container names a container and what the plugin left about it.
type Container struct {
	// ID is unique among all containers, ever. It is safe as a file name: package serve lets no other through.
	ID string
	// Parent is the ID of the container this one is nested in; empty when it is not.
	Parent string
	// Instance is the agent's own random name, the same over restarts. All that the plugin makes on the
	// machine (cgroups, mounts, interfaces) is to have it in its name or path.
	Instance string
	// Handle is what Prepare returned. It is empty when the agent was killed before it could write it down.
	Handle Handle
}

// Handle is what a plugin needs to find a container's things again. The agent stores it and never looks
// into it.
type Handle struct {
	// Plugin and Version say who made it. The agent fills them in.
	Plugin  string
	Version string
	// HandleVersion is the version of Data's format. A plugin refuses, with sdk.FailedPrecondition, one that
	// it does not know.
	HandleVersion uint32
	// Data is at most 64 KiB.
	Data []byte
}

// ExitStatus is how a container or a command ended.
type ExitStatus struct {
	// Code is the exit code, when Signal is 0.
	Code int
	// Signal is the number of the signal that ended it; 0 when none did.
	Signal int
	// Known is false when the status was lost.
	Known bool
}

// Exec is a command to run within a container.
type Exec struct {
	Args []string
	Env  []string // name=value
	Dir  string   // absolute, in the container
	User string
	// Stdin, Stdout and Stderr are paths of named pipes or files on the agent's machine; empty for none.
	Stdin, Stdout, Stderr string
}
