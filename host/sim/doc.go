// Package sim runs a whole cluster in one goroutine, in virtual time, from a seed.
//
// What decides is real: the state machines of package master and package agent, the executors of package effect
// that carry their effects out, the records of package record, the registry's state, and the DRF allocator. What
// is simulated is the world around them: clocks and timers, the network, disks, the registry's log, containers,
// the channel to the allocator, and schedulers. The world is full of faults: connections break, messages are
// late, processes are killed in the middle of what they do, machines lose what was not synced, masters lose the
// leadership without knowing it.
//
// After each step the rules are checked that must hold whatever happens, and at the end, when the faults have
// stopped, that everything comes right: each task has ended at its framework exactly once or truly runs, and no
// status update was lost. A run is a function of its seed alone; its hash covers every event and every effect.
//
// The package may import the machines, package effect, and plugins/allocator-drf/drf, and nothing that does I/O.
package sim
