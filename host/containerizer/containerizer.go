// Package containerizer says what the agent asks of whatever runs its containers, in plain types: launch,
// watch, signal, destroy, and find again after a restart. The implementations are in linux (namespaces and
// isolators) and posix (plain processes). It imports the standard library and the SDK's plain types alone,
// so the agent's state machine can speak of containers without knowing how they come about.
package containerizer

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// ErrUnknownContainer is returned for a container that this containerizer does not hold, or no longer.
var ErrUnknownContainer = errors.New("unknown container")

// Containerizer runs containers. All methods may be called at once from several goroutines. Recover is
// called first, and once, even when there is nothing to recover.
type Containerizer interface {
	// Recover finds every checkpointed container as it was left, in the order of the argument: running, or
	// ended with its true exit status. Events go on from there: Exited and Cleaned come for what has ended too
	// (Failed and Cleaned for what never started), after the limits that were reached while nobody watched.
	// Containers of this instance without a checkpoint are destroyed; those of others are let be. An error
	// means that the state of some container could not be told; none is destroyed then.
	Recover(ctx context.Context, checkpoints []Checkpoint) ([]Recovered, error)
	// Launch starts a container and returns at once; how it goes is told by events. A context that ends
	// does not stop the launch: Destroy does. An id that is in use is answered by Failed.
	Launch(ctx context.Context, spec Spec)
	// Kill sends a signal to the container's processes (its process group), and answers
	// ErrUnknownContainer when there is none, or none yet.
	Kill(ctx context.Context, id string, signal syscall.Signal) error
	// Destroy kills whatever is in the container and returns at once; Exited (or Failed, when it was still
	// being launched) and Cleaned follow. Destroying a container that has ended, or failed, says that its end
	// has been taken note of: only then is its checkpoint deleted, so that until then Recover would tell of it.
	// Destroying an unknown container does nothing.
	Destroy(ctx context.Context, id string)
	// Update gives a running container other resources and limits.
	Update(ctx context.Context, id string, resources resource.Resources, limits map[string]resource.Limit) error
	// Usage reads what the containers use, one entry for each id that is known.
	Usage(ctx context.Context, ids []string) (map[string]Usage, error)
	// Status tells what is known of the containers, one entry for each id that is known.
	Status(ctx context.Context, ids []string) (map[string]Status, error)
	// Events is where everything that happens to containers is told. For one container the order is
	// Started, Limited (any number), Exited, Cleaned; or Failed, Cleaned. It must be read.
	Events() <-chan Event
	// Close stops watching and ends the events. Containers run on.
	Close() error
}

// Store keeps one opaque record for each container, over a restart of the agent. Put returns once the
// record survives the death of this process (not of the machine). It is called from several goroutines.
type Store interface {
	Put(id string, record []byte) error
	Delete(id string) error
}

// IsolatorInstance is an isolator under the name that the operator gave it.
type IsolatorInstance struct {
	Name     string
	Isolator isolator.Isolator
	// Launcher is the isolator as one that starts containers; nil when it never does.
	Launcher Launcher
	// Plugin and Version say who makes this isolator's handles.
	Plugin, Version string
}

// Launcher starts containers in the agent's stead: what isolator.Launcher says, but for Exec, which nothing in the
// agent asks for. Its methods, but for Launches and Bug, wait for a plugin that is down until their context ends. What
// fails with an error that is not final, as Wait does when the plugin is replaced, is to be called again.
type Launcher interface {
	// Launches tells whether it starts containers, as far as is known: of a plugin that has never been up it is not.
	Launches() bool
	Launch(ctx context.Context, s isolator.Spec, p isolator.Plan) (pid int, err error)
	Start(ctx context.Context, c isolator.Container) error
	Wait(ctx context.Context, c isolator.Container) (isolator.ExitStatus, error)
	Signal(ctx context.Context, c isolator.Container, signal int) error
	// Bug counts an answer that breaks the contract, and says so as an error.
	Bug(format string, args ...any) error
}

// Checkpoint is a record that was put into the Store and not deleted.
type Checkpoint struct {
	ID     string
	Record []byte
}

// State is what has become of a recovered container.
type State uint8

const (
	// Unstarted means that the agent went away before the container's command was let go: it never ran and
	// never will.
	Unstarted State = iota
	// Running means that the container runs and is watched: its Exited will come.
	Running
	// Ended means that the container ended while nobody watched.
	Ended
)

// String names the state as it is written in logs.
func (s State) String() string {
	switch s {
	case Running:
		return "running"
	case Ended:
		return "ended"
	default:
		return "unstarted"
	}
}

// Recovered is what Recover found of one container.
type Recovered struct {
	ID    string
	State State
	Pid   int // of the container's first process, when running
	// WaitStatus is the raw wait status (exit status 5 is 1280, SIGKILL is 9) of a container that ended. It
	// means something only when Known: an init that was itself killed leaves none.
	WaitStatus int
	Known      bool
}

// Spec is a container to be launched.
type Spec struct {
	ID        string // unique on this agent for ever; letters, digits, '-', '_' and '.'
	Framework string
	Executor  string
	Task      string
	Agent     string // the agent's id, as the master gave it
	Role      string // the role that the resources are allocated to

	Command Command
	URIs    []URI // fetched into the sandbox before the command starts
	// User the command runs as and the sandbox belongs to; empty for the agent's own.
	User string
	// Sandbox is the absolute path of the sandbox. It is made, with its parents, where it does not exist.
	Sandbox string
	// Checkpoint, ShutdownGrace and CommandTask are told to the command in its environment.
	Checkpoint    bool
	ShutdownGrace time.Duration
	CommandTask   bool

	Resources resource.Resources
	// Limits by name of resource (cpus, mem). A name that is missing has the site's default.
	Limits map[string]resource.Limit
	// Rlimits that the command runs under; what is not named is as the agent has it.
	Rlimits []Rlimit
	// Labels are the task's, for isolators; of several with one key, the last.
	Labels map[string]string
}

// Command is what a container runs. With Shell, Value goes to `/bin/sh -c`; without, it is the program, looked
// up in the PATH that the command gets, and Arguments are its whole argument vector, the first being the
// program's own name.
type Command struct {
	Shell       bool
	Value       string
	Arguments   []string
	Environment []Variable
}

// Variable is an environment variable.
type Variable struct{ Name, Value string }

// URI is something to be fetched into the sandbox.
type URI struct {
	Value      string
	Extract    bool   // unpack it when its name says that it is an archive
	Executable bool   // make it executable, and do not unpack it
	OutputFile string // path in the sandbox; empty for the last element of the URI's path
}

// Rlimit is a limit of setrlimit(2), named as the OCI runtime specification does: RLIMIT_NOFILE. Unlimited
// is math.MaxUint64.
type Rlimit struct {
	Type       string
	Soft, Hard uint64
}

// Status is what is known of a container.
type Status struct {
	Pid     int // of the container's first process; 0 before it has started
	Started time.Time
	Message string // what it is waiting for, when it is
}

// Event is something that happened to a container.
type Event interface {
	// Container is the id of the container it happened to.
	Container() string
}

// Started tells that the container's command runs (or that it could not be executed, and Exited is about to come).
type Started struct {
	ID  string
	Pid int // of the container's first process, as the agent sees it
}

// Reason says which part of a launch went wrong.
type Reason uint8

const (
	// LaunchFailed means that the container could not be made; the message says what was wrong.
	LaunchFailed Reason = iota
	// FetchFailed means that a URI could not be fetched.
	FetchFailed
	// Destroyed means that Destroy was called before the container started.
	Destroyed
)

// Failed tells that nothing of the container runs, and that it will never start. Cleaned follows, which may take long:
// as long as an isolator is away. The message completes the sentence "Failed to
// launch container: ".
type Failed struct {
	ID      string
	Reason  Reason
	Message string
}

// Limited tells that the container reached a limit. Where the limit is one that a container does not survive,
// Exited follows.
type Limited struct {
	ID         string
	Limitation Limitation
}

// Limitation is a limit that was reached.
type Limitation struct {
	Isolator string // the instance that watches over it
	// Resource is what ran out, as much as was used: mem in MB. Its name is empty where none is known.
	Resource string
	Amount   resource.Scalar
	Message  string // with the figures, for people
}

// Exited tells that the container has ended, with everything in it.
type Exited struct {
	ID         string
	WaitStatus int  // raw, as wait4(2) gives it
	Known      bool // false when the init was killed and left no status
}

// Cleaned tells that nothing is left of the container but its sandbox, and its checkpoint until Destroy.
type Cleaned struct {
	ID string
	// Err is what could not be removed. It is tried again at the next Recover.
	Err error
}

// Container returns the container's id.
func (e Started) Container() string { return e.ID }

// Container returns the container's id.
func (e Failed) Container() string { return e.ID }

// Container returns the container's id.
func (e Limited) Container() string { return e.ID }

// Container returns the container's id.
func (e Exited) Container() string { return e.ID }

// Container returns the container's id.
func (e Cleaned) Container() string { return e.ID }
