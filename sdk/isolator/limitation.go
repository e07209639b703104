package isolator

import "github.com/mezzo-cluster/mezzo/sdk/resource"

// LimitationReason says which limit a container has reached. It decides the reason of the task's last
// status.
type LimitationReason string

// The reasons.
const (
	LimitationMemory LimitationReason = "memory" // REASON_CONTAINER_LIMITATION_MEMORY
	LimitationDisk   LimitationReason = "disk"   // REASON_CONTAINER_LIMITATION_DISK
	LimitationOther  LimitationReason = "other"  // REASON_CONTAINER_LIMITATION
)

// Limitation is a limit that a container has reached. The agent destroys the container.
type Limitation struct {
	Reason LimitationReason
	// Message is for people: what was reached, with the figures.
	Message string
	// Resources are the limit as a resource, as Mesos puts it into a task's status: mem of 32 for a task that
	// was given 32 MB.
	Resources resource.Resources
	// Used and Limit are figures in the unit of the resource's kernel interface: bytes for memory and disk,
	// processes for pids. 0 when not known.
	Used  uint64
	Limit uint64
}

// Status is what there is to tell about a container, beyond its usage.
type Status struct {
	// Addresses are the container's IP addresses by network name.
	Addresses map[string][]string
	// CgroupPaths are those it is confined in.
	CgroupPaths []string
	// NetClsClassID is the class that its packets carry; 0 for none.
	NetClsClassID uint32
}
