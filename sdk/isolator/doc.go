// Package isolator is the contract of isolator plugins: how a container is confined, and what it uses.
//
// An agent calls its isolators in the order of its configuration, and unwinds in reverse. The life of a
// container is
//
//	Prepare  before anything runs: make what the container needs, return a Plan
//	Isolate  its first process exists and waits; put it where it belongs
//	Watch, Update, Usage, Status  while it runs
//	Cleanup  its processes are gone, or never were: undo all of it
//
// A plugin keeps nothing in memory that it cannot do without. What it needs to find a container's things
// again is the Handle that Prepare returns: the agent writes it down and hands it back in every later
// call, and in Recover after either of them was restarted. Every call may come twice; the second is to find
// the first's work done and answer the same. Errors are those of package sdk; with none of them an error
// counts as a bug of the plugin.
//
// The words are those of the OCI runtime specification. The package imports the standard library and
// sdk/resource only.
package isolator
