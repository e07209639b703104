// Package clock holds the notion of time that the state machines are given. It imports only the standard
// library, and reads no clock itself: whoever drives a machine does.
package clock

import "time"

// Time is one moment, on two scales. Timeouts are computed on Mono, which never steps; fields on the wire and
// in logs carry Wall, which may.
type Time struct {
	// Wall is the time of day, UTC.
	Wall time.Time
	// Mono is the time since an arbitrary origin that is fixed for the life of the process (or simulation).
	Mono time.Duration
}

// Add returns the moment d later on both scales.
func (t Time) Add(d time.Duration) Time {
	return Time{Wall: t.Wall.Add(d), Mono: t.Mono + d}
}
