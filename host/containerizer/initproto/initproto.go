// Package initproto is what the agent and mezzo-init say to each other: the plan that the agent sends over
// the start socket, the answers on it, and the records that mezzo-init leaves in a container's status file.
// mezzo-init outlives upgrades of the agent, so all of it carries versions. The package imports next to
// nothing, for the sake of mezzo-init's size.
//
// The conversation on the start socket (descriptor SocketFD of mezzo-init):
//
//	agent: the plan, as AppendPlan writes it
//	init:  ReplyReady, when the namespaces and mounts stand; or ReplyError and a message, and it ends
//	agent: Go; or it closes the socket, and mezzo-init ends without having run anything
//	init:  ReplySpawned, when the command runs or has turned out not to; and it closes the socket
package initproto

import (
	"errors"
)

// Version is that of the plan and of the status records. It moves when an older mezzo-init could not
// understand a plan, or an older agent a record.
const Version = 1

const (
	// SocketFD is where mezzo-init finds the start socket.
	SocketFD = 3
	// StatusFD is where mezzo-init finds the status file, open for writing only.
	StatusFD = 4

	// ReplyReady says that everything is set up and only Go is missing.
	ReplyReady = 'R'
	// ReplyError says that the set-up went wrong; a message follows, to the end of the stream.
	ReplyError = 'E'
	// Go lets the command start.
	Go = 'G'
	// ReplySpawned says that the command was started, or that there is nothing to start. What came of it is in
	// the status file.
	ReplySpawned = 'S'

	// MaxPlan is the largest plan in bytes, without its header. Linux takes about 2 MiB of arguments and
	// environment at the most, so a larger plan could not be executed.
	MaxPlan = 8 << 20
	// HeaderLen is the length of what precedes a plan: magic, version and length.
	HeaderLen = 12
)

// errMalformed is returned for bytes that are not a plan.
var errMalformed = errors.New("malformed plan")

// Plan is what mezzo-init is to do.
type Plan struct {
	// Args is the command's argument vector, Path the program: as it is when it has a slash, else looked up
	// in the PATH of Env.
	Path string
	Args []string
	Env  []string
	Dir  string
	// SwitchUser says that UID, GID and Groups are to be taken on.
	SwitchUser bool
	UID, GID   uint32
	Groups     []uint32
	// Namespaces says that mezzo-init is the first process of its own pid and mount namespaces, so that it
	// is to make the mounts its own and to mount /proc.
	Namespaces bool
	Hostname   string // set when not empty; needs a UTS namespace
	Mounts     []Mount
	Rlimits    []Rlimit
	// Capabilities, when not nil, are all that the command is to have.
	Capabilities *Capabilities
	NoNewPrivs   bool
	// JoinFiles are files that the thread which starts the command writes "0" to: the tasks files of cgroups.
	JoinFiles []string
	// JoinNamespaces are namespaces that the thread which starts the command enters.
	JoinNamespaces []Namespace
	// Prestart are commands that run, one after the other, in the container's namespaces and with the rights
	// of mezzo-init, before it is ready. One that does not exit with 0 is an error.
	Prestart []Command
}

// Namespace is an existing namespace: its file, and its kind as the flag of clone(2).
type Namespace struct {
	Path string
	Flag uint64
}

// Command is a program with its whole argument vector.
type Command struct {
	Path string
	Args []string
	Env  []string
}

// Mount is one mount, in the words of mount(2).
type Mount struct {
	Source, Target, Type, Data string
	Flags                      uint64
}

// Rlimit is one limit of setrlimit(2); Resource is its number.
type Rlimit struct {
	Resource   uint32
	Soft, Hard uint64
}

// Capabilities are the capability sets of capabilities(7), one bit for each capability.
type Capabilities struct {
	Bounding, Effective, Inheritable, Permitted, Ambient uint64
}
