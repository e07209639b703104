// Package allocator is the contract of allocator plugins: who is offered which resources.
//
// The master keeps the books. It tells the plugin, in order, all that matters for the decision: after a
// Reset the whole cluster as Updates, then what happens to it as further Updates. The plugin proposes
// Allocations; the master judges each against the present state and answers it, accepted with the id of the
// offer made of it, or refused with the reason. So a plugin that is behind, or wrong, costs a refusal, and
// can never give a resource out twice.
//
// There are two ways to write one. A Cycler is one method, called again and again with the cluster as it
// is, over a copy that this package keeps. An Allocator gets the events themselves and keeps what it
// likes; that is for allocators that must be fast on large clusters. FromCycler turns the first into the
// second. Either is served as a plugin by package serve.
//
// Names are those of Mesos. All times are wall-clock times that the caller hands in; nothing here reads
// a clock. The package imports the standard library and sdk/resource only.
package allocator
