package isolator

import "github.com/mezzo-cluster/mezzo/sdk/resource"

// Spec is a container that is to be started.
type Spec struct {
	Container Container
	Framework string
	Executor  string
	Task      string // empty for a custom executor's container
	// CommandTask says that the container is a task's own, without an executor process.
	CommandTask bool
	// User is the OS user that the container's command runs as; empty for the agent's own.
	User string
	// Sandbox is the container's work directory on the agent's machine, absolute.
	Sandbox string
	// RootFS is the root of the container's image on the agent's machine; empty when it shares the machine's.
	RootFS string
	// Resources are those the container may use, with the role they are allocated to.
	Resources resource.Resources
	// Limits has, by resource name (cpus, mem), the most that the container may use, finite or infinite. What
	// is not in it is limited, where the isolator limits it, to what Resources say.
	Limits map[string]resource.Limit
	// ShareCgroups says, for a nested container, that it is confined with its parent.
	ShareCgroups bool
	Path         string   // the program, looked up in the PATH of Env where it has no slash
	Args         []string // the command's whole argument vector
	Env          []string // name=value
	// Labels are the task's; of several with one key, the last.
	Labels map[string]string
}

// Plan is what an isolator demands of a container's start, in the vocabulary of the OCI runtime
// specification. The plans of several isolators are merged in the order of the configuration: lists are
// appended, and two that contradict each other (another value for a variable, another source for a
// destination, another path for a namespace, another value for a limit) fail the launch. So does what an agent cannot
// carry out; Validate says what no agent does.
type Plan struct {
	// Handle is to be stored; Plugin and Version are filled in by the agent.
	Handle Handle
	// Env is name=value. It does not replace a variable that the task sets.
	Env        []string
	Mounts     []Mount
	Devices    []Device
	Namespaces []Namespace
	Rlimits    []Rlimit
	// Capabilities restrict the process; nil leaves the choice to others.
	Capabilities *Capabilities
	// Prestart is commands that run in the container's namespaces, as the agent's user, before the task. One
	// that fails fails the launch.
	Prestart []Command
	// CgroupPaths is the folders (below /sys/fs/cgroup, absolute) whose cgroup.procs the container's first
	// process is written to before it is released. Several are of cgroups v1, one for a hierarchy.
	CgroupPaths []string
	// RootFS replaces the root filesystem; empty leaves it.
	RootFS string
	// Hostname is set in a UTS namespace of its own; empty leaves it.
	Hostname string
}

// Mount is a file system that appears in the container, as in the OCI runtime specification. Mounts are made in the
// order of the plan, in the container's own mount namespace.
type Mount struct {
	// Destination is absolute, in the container, and has to be there: an isolator makes it in Prepare, in
	// Spec.Sandbox (which has the same path in a container without a root filesystem of its own) or Spec.RootFS.
	Destination string
	Type        string // bind, tmpfs, proc...
	// Source is, for a bind mount, an absolute path on the agent's machine.
	Source  string
	Options []string // as those of mount(8): ro, nosuid, rbind, size=64m
}

// Device is a device file in the container.
type Device struct {
	Path     string
	Type     string // c, b, u or p
	Major    int64
	Minor    int64
	FileMode uint32
	UID      uint32
	GID      uint32
	// Access is what the device cgroup allows: letters of rwm.
	Access string
}

// NamespaceType is a kind of Linux namespace by its OCI name.
type NamespaceType string

// The namespaces.
const (
	PIDNamespace     NamespaceType = "pid"
	NetworkNamespace NamespaceType = "network"
	MountNamespace   NamespaceType = "mount"
	IPCNamespace     NamespaceType = "ipc"
	UTSNamespace     NamespaceType = "uts"
	UserNamespace    NamespaceType = "user"
	CgroupNamespace  NamespaceType = "cgroup"
	TimeNamespace    NamespaceType = "time"
)

// Namespace is one that the container is in: a new one, or with a path an existing one.
type Namespace struct {
	Type NamespaceType
	Path string
}

// Rlimit is a limit of setrlimit. Type is as in RLIMIT_NOFILE; the largest uint64 is no limit.
type Rlimit struct {
	Type string
	Soft uint64
	Hard uint64
}

// Capabilities are sets of Linux capabilities by name, as in CAP_NET_ADMIN.
type Capabilities struct {
	Bounding    []string
	Effective   []string
	Inheritable []string
	Permitted   []string
	Ambient     []string
}

// Command is a program to run.
type Command struct {
	Path string // absolute
	Args []string
	Env  []string
}
