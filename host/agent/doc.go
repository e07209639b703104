// Package agent is the agent's state machine: the tasks it was given, the containers they run in, and the status
// updates that tell of them.
//
// An Agent is driven by events (a message of the master, something that happened to a container, a timer that
// fired) and answers each with effects that somebody else carries out, in order: write a record, launch a
// container, send a message, set a timer. It reads no clock, opens no socket and no file, starts no goroutine, and
// draws ids from the source it is given, so that the daemon and a seeded simulator drive the very same code.
//
// What must survive the agent's death is written down, by an Append effect, before anything follows from it:
// a task before its container is launched, a status update before it is sent, an acknowledgement before the next
// update goes out. A new Agent built from those records and from what the containerizer found goes on where the
// old one stopped. Package record has the records' forms, package runstore keeps them, package durable keeps the
// few things that must survive the machine.
//
// What others read is State, an immutable snapshot. An Agent itself belongs to the one goroutine that steps it; a
// State may be read by any number of goroutines at once.
//
// The package imports sdk/resource, the wire types, the containerizer's plain types and the link's messages; no
// gRPC, no HTTP, no HCL.
package agent
