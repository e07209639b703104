// Package resource is the arithmetic of cluster resources: cpus, mem, ports and whatever else an agent
// offers, with the roles they are reserved for, the volumes made of them and the roles they are
// allocated to.
//
// Quantities are exact. A scalar is an integer of thousandths, so launching and freeing 0.1 cpus any
// number of times leaves the total as it was; what does not fit is an error, never a wrapped or rounded
// number. Ranges and sets are kept sorted and merged, so equal resources have equal forms.
//
// A Resources value is immutable and cheap to copy; every operation returns a new one. All values of
// this package may be read by any number of goroutines at once.
//
// The package imports the standard library only. Package resource/wire turns these values into the
// messages of mesos.v1 and back.
package resource
