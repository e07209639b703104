// Package cgroup gives a plugin's process a Linux control group of its own: it is in it from its first instruction,
// what it starts cannot leave it by detaching itself, and at its end whatever is left in the group is killed.
//
// The groups of a host's plugins are below one parent, which carries the host's name and holds nothing else; a host
// that was killed has left it, and the next one clears it. Both versions of cgroups are spoken through the kernel's
// files. The package imports the standard library and golang.org/x alone.
package cgroup

// Limits bound a plugin's process together with all that it starts. A zero is no limit.
type Limits struct {
	// CPUs is how many processors' time it may use; a hundredth is the least the kernel knows.
	CPUs float64
	// Memory is in bytes, swapped out memory included where the kernel counts that. A process that needs more is killed.
	Memory int64
	// PIDs is how many processes and threads it may have.
	PIDs int
}
