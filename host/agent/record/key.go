package record

import "fmt"

// Ids have no slash in them, which the agent sees to before it takes on a task.
const (
	frameworkPrefix = "framework/"
	taskPrefix      = "task/"
	updatePrefix    = "update/"
	ackPrefix       = "acknowledged/"
	killPrefix      = "kill/"
	sandboxPrefix   = "sandbox/"
	containerPrefix = "container/"
	epochKey        = "epoch"
	bootKey         = "boot"
)

// FrameworkKey is the key of a Framework.
func FrameworkKey(framework string) string { return frameworkPrefix + framework }

// TaskKey is the key of a Task.
func TaskKey(framework, task string) string { return taskPrefix + framework + "/" + task }

// UpdateKey is the key of a task's n-th Update, counted from 0. Keys sort as their numbers do.
func UpdateKey(framework, task string, n uint64) string {
	return fmt.Sprintf("%s%s/%s/%016x", updatePrefix, framework, task, n)
}

// AckKey is the key of a task's Acknowledged.
func AckKey(framework, task string) string { return ackPrefix + framework + "/" + task }

// KillKey is the key of a task's Kill.
func KillKey(framework, task string) string { return killPrefix + framework + "/" + task }

// SandboxKey is the key of a container's Sandbox.
func SandboxKey(container string) string { return sandboxPrefix + container }

// ContainerKey is the key of the containerizer's own record of a container, which nobody else reads.
func ContainerKey(container string) string { return containerPrefix + container }

// EpochKey is the key of the Epoch.
func EpochKey() string { return epochKey }

// BootKey is the key of the Boot.
func BootKey() string { return bootKey }
