// Package drf is an allocator that shares a cluster fairly among roles, and within each role among its
// frameworks, by dominant resource fairness: who has the smallest share of the resource that it has most
// of is served next. Roles form a tree, a weight is how much more than another a role may have, and
// quotas guarantee and limit what roles get.
//
// An Allocator is a state machine. It gets the cluster's events and the time, and says what to offer; it
// has no clock, no goroutine and no randomness but a seed, so the same calls give the same answers. Its
// work is incremental: an event marks the agents that it concerns, a cycle looks at marked agents only,
// and the order among roles and frameworks is kept as shares change.
//
// The package imports the sdk (package allocator and package resource) and the standard library.
package drf
