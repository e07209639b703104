package allocatorconv

import (
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
)

// Frame is an encoded RunRequest or RunResponse.
type Frame struct{ data []byte }

// headroom is what a frame leaves before its content for the tag and length of the message's one field.
const headroom = 1 + 5

// newFrame is a frame to append the content to.
func newFrame(size int) []byte { return make([]byte, headroom, headroom+size) }

// closeFrame puts the field's tag and length before the content.
func closeFrame(b []byte, number protowire.Number) Frame {
	n := uint64(len(b) - headroom)
	start := headroom - 1 - protowire.SizeVarint(n)
	protowire.AppendVarint(protowire.AppendTag(b[start:start], number, protowire.BytesType), n)
	return Frame{b[start:]}
}

// Field numbers of RunRequest and RunResponse.
const (
	fieldSnapshot = 1
	fieldUpdates  = 2
	fieldAnswers  = 3

	fieldAllocations     = 1
	fieldInverseOffers   = 2
	fieldProgress        = 3
	fieldSnapshotRequest = 4
)

// SnapshotFrames cuts a snapshot into frames of at most maxBytes. A single update that is larger is a frame
// by itself. There is at least one.
func SnapshotFrames(s allocator.Snapshot, maxBytes int) iter.Seq[Frame] {
	return func(yield func(Frame) bool) {
		size := min(maxBytes, 512+256*len(s.Updates))
		begin := func(first bool) []byte {
			b := resourceconv.AppendVarint(newFrame(size), 1, s.Sequence)
			return resourceconv.AppendBool(b, 2, first)
		}
		b := begin(true)
		empty := len(b)
		for _, u := range s.Updates {
			end := len(b)
			b = appendUpdate(b, 4, u)
			if len(b)+lastSize <= maxBytes || end == empty {
				continue
			}
			next := begin(false)
			empty = len(next)
			next = append(next, b[end:]...)
			if !yield(closeFrame(b[:end], fieldSnapshot)) {
				return
			}
			b = next
		}
		yield(closeFrame(resourceconv.AppendBool(b, 3, true), fieldSnapshot))
	}
}

// lastSize is what the mark of a last chunk takes.
const lastSize = 2

// UpdatesFrame encodes updates, of which sequence is the last one's.
func UpdatesFrame(sequence uint64, updates []allocator.Update) Frame {
	b := resourceconv.AppendVarint(newFrame(64+256*len(updates)), 1, sequence)
	for _, u := range updates {
		b = appendUpdate(b, 2, u)
	}
	return closeFrame(b, fieldUpdates)
}

// AnswersFrame encodes answers.
func AnswersFrame(answers []allocator.Answer) Frame {
	b := newFrame(64 * len(answers))
	for _, a := range answers {
		var at int
		b, at = resourceconv.BeginField(b, 1)
		b = resourceconv.AppendVarint(b, 1, a.ID)
		if a.Accepted() {
			b = appendText(b, 2, a.OfferID)
		} else {
			b = appendText(b, 3, a.Refused)
		}
		b = resourceconv.EndField(b, at)
	}
	return closeFrame(b, fieldAnswers)
}

// appendText appends a string also when it is empty: as one of a oneof.
func appendText(b []byte, number protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), s)
}

// AllocationsFrame encodes proposals.
func AllocationsFrame(allocations []allocator.Allocation) Frame {
	b := newFrame(192 * len(allocations))
	for i := range allocations {
		a := &allocations[i]
		var at int
		b, at = resourceconv.BeginField(b, 1)
		b = resourceconv.AppendVarint(b, 1, a.ID)
		b = resourceconv.AppendString(b, 2, a.Framework)
		b = resourceconv.AppendString(b, 3, a.Role)
		b = resourceconv.AppendString(b, 4, a.Agent)
		b = resourceconv.AppendField(b, 5, a.Resources)
		b = resourceconv.EndField(b, at)
	}
	return closeFrame(b, fieldAllocations)
}

// InverseOffersFrame encodes inverse offers.
func InverseOffersFrame(offers []allocator.InverseOffer) Frame {
	m := &allocatorv1.InverseOffers{}
	for i := range offers {
		m.InverseOffers = append(m.InverseOffers, InverseOfferToProto(&offers[i]))
	}
	return messageFrame(fieldInverseOffers, m)
}

// ProgressFrame encodes how far updates have been considered.
func ProgressFrame(sequence uint64) Frame {
	return messageFrame(fieldProgress, &allocatorv1.Progress{Sequence: sequence})
}

// SnapshotRequestFrame encodes that a snapshot is wanted.
func SnapshotRequestFrame(reason string) Frame {
	return messageFrame(fieldSnapshotRequest, &allocatorv1.SnapshotRequest{Reason: reason})
}

func messageFrame(number protowire.Number, m proto.Message) Frame {
	b, err := proto.MarshalOptions{}.MarshalAppend(newFrame(proto.Size(m)), m)
	if err != nil { // a text that is not UTF-8: what the message says is lost, and not that it came
		b = newFrame(0)
	}
	return closeFrame(b, number)
}

// appendUpdate appends an Update as a field. The updates that are many on a large cluster are encoded by
// hand, the others by the generated code.
func appendUpdate(b []byte, number protowire.Number, u allocator.Update) []byte {
	b, at := resourceconv.BeginField(b, number)
	switch u := u.(type) {
	case allocator.AgentAdded:
		b = appendAgentAdded(b, u)
	case allocator.AgentChanged:
		var x int
		b, x = resourceconv.BeginField(b, 2)
		b = appendAgent(b, 1, &u.Agent)
		b = resourceconv.EndField(resourceconv.AppendBool(b, 2, u.ClearFilters), x)
	case allocator.Allocated:
		b = appendHeld(b, 8, u.Framework, u.Agent, allocator.Recovered{Resources: u.Resources})
	case allocator.Recovered:
		b = appendHeld(b, 9, u.Framework, u.Agent, u)
	default:
		out, err := proto.MarshalOptions{}.MarshalAppend(b, UpdateToProto(u))
		if err == nil { // else it has text that is not UTF-8, and the update is empty: none that is known
			b = out
		}
	}
	return resourceconv.EndField(b, at)
}

func appendAgentAdded(b []byte, u allocator.AgentAdded) []byte {
	b, x := resourceconv.BeginField(b, 1)
	b = appendAgent(b, 1, &u.Agent)
	for i := range u.Uses {
		var at int
		b, at = resourceconv.BeginField(b, 2)
		b = resourceconv.AppendString(b, 1, u.Uses[i].Framework)
		b = resourceconv.AppendField(b, 2, u.Uses[i].Resources)
		b = resourceconv.EndField(b, at)
	}
	return resourceconv.EndField(b, x)
}

func appendAgent(b []byte, number protowire.Number, a *allocator.Agent) []byte {
	b, at := resourceconv.BeginField(b, number)
	b = resourceconv.AppendString(b, 1, a.ID)
	b = resourceconv.AppendString(b, 2, a.Hostname)
	b = resourceconv.AppendString(b, 3, a.Region)
	b = resourceconv.AppendString(b, 4, a.Zone)
	b = resourceconv.AppendBool(b, 5, a.Remote)
	for _, p := range resourceconv.AttributesToProto(a.Attributes) {
		b = appendMessage(b, 6, p)
	}
	var x int
	b, x = resourceconv.BeginField(b, 7)
	b = resourceconv.AppendBool(b, 1, a.Capabilities.MultiRole)
	b = resourceconv.AppendBool(b, 2, a.Capabilities.HierarchicalRole)
	b = resourceconv.AppendBool(b, 3, a.Capabilities.ReservationRefinement)
	b = resourceconv.EndField(b, x)
	b = resourceconv.AppendField(b, 8, a.Total)
	b = resourceconv.AppendBool(b, 9, a.Active)
	if a.Unavailability != nil {
		b = appendMessage(b, 10, unavailabilityToProto(a.Unavailability))
	}
	return resourceconv.EndField(b, at)
}

func appendMessage(b []byte, number protowire.Number, m proto.Message) []byte {
	b, at := resourceconv.BeginField(b, number)
	if out, err := (proto.MarshalOptions{}).MarshalAppend(b, m); err == nil {
		b = out
	}
	return resourceconv.EndField(b, at)
}

// appendHeld appends an Allocated or a Recovered, which have their fields in common.
func appendHeld(b []byte, number protowire.Number, framework, agent string, u allocator.Recovered) []byte {
	b, at := resourceconv.BeginField(b, number)
	b = resourceconv.AppendString(b, 1, framework)
	b = resourceconv.AppendString(b, 2, agent)
	b = resourceconv.AppendField(b, 3, u.Resources)
	if u.Filter != nil {
		b = appendMessage(b, 4, filterToProto(u.Filter))
	}
	return resourceconv.EndField(b, at)
}
