// Package master is the leading master's state machine: agents, frameworks, offers and tasks, and the books on
// who holds which resources.
//
// A Master lives for one epoch of leadership. It is driven by events (a call of a scheduler, a message of an
// agent, a timer that fired, a registry change that was committed, allocations proposed by the allocator) and
// answers each with effects that somebody else carries out, in order: send, commit, set a timer. It reads no
// clock, opens no socket, starts no goroutine and draws no random number, so that the daemon and a seeded
// simulator drive the very same code.
//
// What others read is State, an immutable snapshot. A Master itself belongs to the one goroutine that steps it;
// a State may be read by any number of goroutines at once, and reading takes nothing from the loop.
//
// The package imports sdk/resource, sdk/allocator, the wire types, host/registry's plain types and the link's
// messages; no gRPC, no HTTP, no HCL.
package master
