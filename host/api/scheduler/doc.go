// Package scheduler is the scheduler API of a master: POST /api/v1/scheduler. It checks what arrives, asks what
// the caller may do, hands events to the master's state machine, and carries the machine's events to the
// frameworks' streams.
//
// It imports host/master for its events and its published state, and host/api/endpoint and host/api/stream.
package scheduler
