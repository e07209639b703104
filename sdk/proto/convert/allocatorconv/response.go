package allocatorconv

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
)

// Response is a RunResponse in plain types. What it has is not nil.
type Response struct {
	Allocations []allocator.Allocation
	// Bad are proposals whose form is wrong.
	Bad      []BadProposal
	Inverse  []allocator.InverseOffer
	Progress *uint64
	// SnapshotRequest is why the plugin wants a snapshot.
	SnapshotRequest *string
}

// BadProposal is a proposal whose form is wrong.
type BadProposal struct {
	ID  uint64
	Err error
}

// Response decodes a RunResponse. It keeps nothing of b.
func (d *Decoder) Response(b []byte) (Response, error) {
	var r Response
	err := resourceconv.EachField(b, func(f resourceconv.Field) error {
		if f.Type != protowire.BytesType {
			return nil
		}
		switch f.Number {
		case fieldAllocations:
			r.Allocations = []allocator.Allocation{}
			return resourceconv.EachField(f.Bytes, func(f resourceconv.Field) error { return d.allocation(&r, f) })
		case fieldInverseOffers:
			return inverseOffers(&r, f.Bytes)
		case fieldProgress:
			r.Progress = new(uint64)
			return resourceconv.EachField(f.Bytes, func(f resourceconv.Field) error {
				if f.Number == 1 {
					*r.Progress = f.Varint
				}
				return nil
			})
		case fieldSnapshotRequest:
			var p allocatorv1.SnapshotRequest
			err := proto.Unmarshal(f.Bytes, &p)
			reason := p.GetReason()
			r.SnapshotRequest = &reason
			return err
		}
		return nil
	})
	return r, err
}

func (d *Decoder) allocation(r *Response, f resourceconv.Field) error {
	if f.Number != 1 || f.Type != protowire.BytesType {
		return nil
	}
	var a allocator.Allocation
	var bad error
	err := resourceconv.EachField(f.Bytes, func(f resourceconv.Field) error {
		switch f.Number {
		case 1:
			a.ID = f.Varint
		case 2:
			a.Framework = d.resources.Text(f.Bytes)
		case 3:
			a.Role = d.resources.Text(f.Bytes)
		case 4:
			a.Agent = resourceconv.Text(f.Bytes)
		case 5:
			a.Resources, bad = d.resources.Resources(f.Bytes)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if bad == nil {
		bad = checkAllocation(&a)
	}
	if bad != nil {
		r.Bad = append(r.Bad, BadProposal{ID: a.ID, Err: bad})
		return nil
	}
	r.Allocations = append(r.Allocations, a)
	return nil
}

func inverseOffers(r *Response, b []byte) error {
	var p allocatorv1.InverseOffers
	if err := proto.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("decode inverse offers: %w", err)
	}
	r.Inverse = []allocator.InverseOffer{}
	for _, x := range p.GetInverseOffers() {
		o, err := InverseOfferFromProto(x)
		if err != nil {
			r.Bad = append(r.Bad, BadProposal{ID: x.GetId(), Err: err})
			continue
		}
		r.Inverse = append(r.Inverse, o)
	}
	return nil
}
