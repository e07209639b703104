// Package mutant has the planted bugs: places where the code can be made wrong on purpose, one at a time, to see
// that the simulator finds it. A build has the one that its tag names (mutant_lost_update, say), and without such a
// tag none: the constants are false then, and what depends on them is not compiled.
//
// A mutant is used where the bug is: `if mutant.LostUpdate { ... }`. The package imports nothing.
package mutant

// The planted bugs. The tag of each is mutant_ and its name.
const (
	// LostUpdate: an acknowledgement takes the update after it off the agent's stream, too.
	LostUpdate = planted == "lost_update"
	// WrongAcknowledgement: an agent takes any acknowledgement for that of the oldest update.
	WrongAcknowledgement = planted == "wrong_acknowledgement"
	// LateCheckpoint: an agent writes down what it does only after it has done it.
	LateCheckpoint = planted == "late_checkpoint"
	// WriteErrorIgnored: an agent goes on although it could not write.
	WriteErrorIgnored = planted == "write_error_ignored"
	// StaleEpoch: an agent follows a master whose term is over.
	StaleEpoch = planted == "stale_epoch"
	// NoRetry: an update that is not acknowledged is not repeated.
	NoRetry = planted == "no_retry"
	// NotResumed: what a framework has not acknowledged is not sent at once when it subscribes again.
	NotResumed = planted == "not_resumed"
	// KillNotForced: a command that does not heed SIGTERM is left alone.
	KillNotForced = planted == "kill_not_forced"
	// KillUnanswered: a KILL of a task that the agent does not know is not answered.
	KillUnanswered = planted == "kill_unanswered"
	// EndContradicted: an agent says of a task whose end it has told that it does not know it.
	EndContradicted = planted == "end_contradicted"
	// RecoveredForgotten: an agent that is restarted does not go on with the containers that run.
	RecoveredForgotten = planted == "recovered_forgotten"
	// ResourcesKept: an agent does not give an ended task's resources back.
	ResourcesKept = planted == "resources_kept"
	// DoubleOffer: what is offered stays free.
	DoubleOffer = planted == "double_offer"
	// FreedOnAcknowledgement: a task's resources are given back when its end is acknowledged, not when it ends.
	FreedOnAcknowledgement = planted == "freed_on_acknowledgement"
	// OfferNotRescinded: a framework is not told that its offer has gone with the agent.
	OfferNotRescinded = planted == "offer_not_rescinded"
	// RegisteredBeforeCommit: an agent is told that it is registered before the registry has it.
	RegisteredBeforeCommit = planted == "registered_before_commit"
	// UnreachableBeforeCommit: frameworks are told that an agent is unreachable before the registry has it as that.
	UnreachableBeforeCommit = planted == "unreachable_before_commit"
	// EndForgotten: of a task that has ended, but whose end is not acknowledged, nothing is kept when its agent
	// becomes unreachable.
	EndForgotten = planted == "end_forgotten"
	// LaunchLost: a task that never got to its agent is not missed when the agent returns.
	LaunchLost = planted == "launch_lost"
	// AllocatorNotTold: the allocator is not told of resources that come back with an ended task.
	AllocatorNotTold = planted == "allocator_not_told"
)

// Name is the planted bug of this build, empty for none.
const Name = planted
