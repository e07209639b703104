package allocatorconv

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// RequestKind is what a Request is.
type RequestKind uint8

const (
	// UnknownRequest is one that this version does not know.
	UnknownRequest RequestKind = iota
	// SnapshotRequestChunk is a part of a snapshot.
	SnapshotRequestChunk
	// UpdatesRequest is updates.
	UpdatesRequest
	// AnswersRequest is answers.
	AnswersRequest
)

// Request is a RunRequest in plain types.
type Request struct {
	Kind        RequestKind
	Sequence    uint64 // of a chunk or updates
	First, Last bool   // of a chunk
	Updates     []allocator.Update
	Answers     []allocator.Answer
}

// Decoder decodes the messages of one stream. It is for one goroutine. The zero value is ready.
type Decoder struct{ resources resourceconv.Decoder }

// Request decodes a RunRequest. It keeps nothing of b.
func (d *Decoder) Request(b []byte) (Request, error) {
	var r Request
	err := resourceconv.EachField(b, func(f resourceconv.Field) error {
		if f.Type != protowire.BytesType {
			return nil
		}
		switch f.Number {
		case fieldSnapshot:
			return d.chunk(&r, f.Bytes)
		case fieldUpdates:
			r = Request{Kind: UpdatesRequest}
			return resourceconv.EachField(f.Bytes, func(f resourceconv.Field) error {
				if f.Number == 1 {
					r.Sequence = f.Varint
					return nil
				}
				return d.appendUpdate(&r.Updates, f)
			})
		case fieldAnswers:
			r = Request{Kind: AnswersRequest}
			return resourceconv.EachField(f.Bytes, func(f resourceconv.Field) error {
				return d.answer(&r.Answers, f)
			})
		}
		return nil
	})
	return r, err
}

func (d *Decoder) chunk(r *Request, b []byte) error {
	*r = Request{Kind: SnapshotRequestChunk}
	return resourceconv.EachField(b, func(f resourceconv.Field) error {
		switch f.Number {
		case 1:
			r.Sequence = f.Varint
		case 2:
			r.First = f.Varint != 0
		case 3:
			r.Last = f.Varint != 0
		case 4:
			f.Number = 2
			return d.appendUpdate(&r.Updates, f)
		}
		return nil
	})
}

func (d *Decoder) answer(out *[]allocator.Answer, f resourceconv.Field) error {
	if f.Number != 1 || f.Type != protowire.BytesType {
		return nil
	}
	a, accepted := allocator.Answer{}, false
	err := resourceconv.EachField(f.Bytes, func(f resourceconv.Field) error {
		switch f.Number {
		case 1:
			a.ID = f.Varint
		case 2:
			a.OfferID, a.Refused, accepted = resourceconv.Text(f.Bytes), "", true
		case 3:
			a.Refused, a.OfferID, accepted = d.resources.Text(f.Bytes), "", false
		}
		return nil
	})
	if !accepted && a.Refused == "" {
		a.Refused = "refused"
	}
	*out = append(*out, a)
	return err
}

// appendUpdate decodes an Update: by hand those that are many, and the others by the generated code.
func (d *Decoder) appendUpdate(out *[]allocator.Update, f resourceconv.Field) error {
	if f.Number != 2 || f.Type != protowire.BytesType {
		return nil
	}
	number, kind, n := protowire.ConsumeTag(f.Bytes)
	if n < 0 {
		return nil // empty: none that is known
	}
	var u allocator.Update
	var err error
	inner, m := []byte(nil), -1
	if kind == protowire.BytesType {
		inner, m = protowire.ConsumeBytes(f.Bytes[n:])
	}
	switch whole := n+m == len(f.Bytes); {
	case whole && number == 1:
		u, err = d.agentAdded(inner)
	case whole && number == 2:
		u, err = d.agentChanged(inner)
	case whole && number == 8:
		var x allocator.Recovered
		x, err = d.held(inner)
		u = allocator.Allocated{Framework: x.Framework, Agent: x.Agent, Resources: x.Resources}
	case whole && number == 9:
		u, err = d.held(inner)
	default:
		var p allocatorv1.Update
		if err := proto.Unmarshal(f.Bytes, &p); err != nil {
			return fmt.Errorf("decode update: %w", err)
		}
		u, err = UpdateFromProto(&p)
	}
	if err == nil && u != nil {
		*out = append(*out, u)
	}
	return err
}

func (d *Decoder) agentAdded(b []byte) (allocator.AgentAdded, error) {
	var u allocator.AgentAdded
	err := resourceconv.EachField(b, func(f resourceconv.Field) error {
		switch f.Number {
		case 1:
			return d.agent(&u.Agent, f.Bytes)
		case 2:
			use, err := d.heldAt(f.Bytes, 2)
			u.Uses = append(u.Uses, allocator.Use{Framework: use.Framework, Resources: use.Resources})
			return err
		}
		return nil
	})
	if err != nil {
		return u, fmt.Errorf("agent %q: %w", u.Agent.ID, err)
	}
	return u, nil
}

func (d *Decoder) agentChanged(b []byte) (allocator.AgentChanged, error) {
	var u allocator.AgentChanged
	err := resourceconv.EachField(b, func(f resourceconv.Field) error {
		switch f.Number {
		case 1:
			return d.agent(&u.Agent, f.Bytes)
		case 2:
			u.ClearFilters = f.Varint != 0
		}
		return nil
	})
	if err != nil {
		return u, fmt.Errorf("agent %q: %w", u.Agent.ID, err)
	}
	return u, nil
}

func (d *Decoder) agent(a *allocator.Agent, b []byte) error {
	return resourceconv.EachField(b, func(f resourceconv.Field) (err error) {
		switch f.Number {
		case 1:
			a.ID = resourceconv.Text(f.Bytes)
		case 2:
			a.Hostname = resourceconv.Text(f.Bytes)
		case 3:
			a.Region = d.resources.Text(f.Bytes)
		case 4:
			a.Zone = d.resources.Text(f.Bytes)
		case 5:
			a.Remote = f.Varint != 0
		case 6:
			return appendAttribute(&a.Attributes, f.Bytes)
		case 7:
			return capabilities(&a.Capabilities, f.Bytes)
		case 8:
			a.Total, err = d.resources.Resources(f.Bytes)
		case 9:
			a.Active = f.Varint != 0
		case 10:
			var p allocatorv1.Unavailability
			err = proto.Unmarshal(f.Bytes, &p)
			a.Unavailability = unavailabilityFromProto(&p)
		}
		return err
	})
}

func appendAttribute(out *[]resource.Attribute, b []byte) error {
	var p resourcev1.Attribute
	if err := proto.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("decode attribute: %w", err)
	}
	as, err := resourceconv.AttributesFromProto([]*resourcev1.Attribute{&p})
	*out = append(*out, as...)
	return err
}

func capabilities(c *allocator.AgentCapabilities, b []byte) error {
	return resourceconv.EachField(b, func(f resourceconv.Field) error {
		switch f.Number {
		case 1:
			c.MultiRole = f.Varint != 0
		case 2:
			c.HierarchicalRole = f.Varint != 0
		case 3:
			c.ReservationRefinement = f.Varint != 0
		}
		return nil
	})
}

// held decodes an Allocated or a Recovered, which have their fields in common.
func (d *Decoder) held(b []byte) (allocator.Recovered, error) { return d.heldAt(b, 3) }

// heldAt decodes something with resources in the field of that number: 3, or 2 for a Use.
func (d *Decoder) heldAt(b []byte, resources protowire.Number) (allocator.Recovered, error) {
	var u allocator.Recovered
	err := resourceconv.EachField(b, func(f resourceconv.Field) (err error) {
		switch f.Number {
		case 1:
			u.Framework = d.resources.Text(f.Bytes)
		case resources:
			u.Resources, err = d.resources.Resources(f.Bytes)
		case 2:
			u.Agent = resourceconv.Text(f.Bytes)
		case 4:
			var p allocatorv1.Filter
			err = proto.Unmarshal(f.Bytes, &p)
			u.Filter = filterFromProto(&p)
		}
		return err
	})
	if err != nil {
		return u, fmt.Errorf("resources of framework %q on agent %q: %w", u.Framework, u.Agent, err)
	}
	return u, nil
}
