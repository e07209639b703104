package master

import "github.com/mezzo-cluster/mezzo/sdk/allocator"

// Allocations are proposals of the allocator. Each is judged against the present state alone and answered with
// an AllocatorAnswer of the same generation, in the same order. A batch of another generation than the latest
// AllocatorReady's is void and is not answered.
type Allocations struct {
	Generation uint64
	Batch      []allocator.Allocation
}

// AllocatorReady tells that an allocator is at work which was given a snapshot of the state. Whoever drives it
// takes a new generation for every snapshot.
type AllocatorReady struct{ Generation uint64 }

// AllocatorDown tells that there is no allocator at present. Offers stay good; no new ones are made.
type AllocatorDown struct{}

func (Allocations) event()    {}
func (AllocatorReady) event() {}
func (AllocatorDown) event()  {}

// AllocatorUpdate tells the allocator what has happened. Seq grows by one with each; an allocator that was given
// a snapshot of sequence N needs those after N.
type AllocatorUpdate struct {
	Seq    uint64
	Update allocator.Update
}

// AllocatorAnswer tells the allocator what became of a batch of allocations.
type AllocatorAnswer struct {
	Generation uint64
	Answers    []allocator.Answer
}

func (AllocatorUpdate) effect() {}
func (AllocatorAnswer) effect() {}
