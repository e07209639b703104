package resourceconv

import (
	"fmt"

	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// QuantitiesToProto encodes quantities.
func QuantitiesToProto(q resource.Quantities) *resourcev1.Quantities {
	out := &resourcev1.Quantities{}
	for name, amount := range q.All() {
		out.Items = append(out.Items, &resourcev1.Quantity{Name: name, Amount: int64(amount)})
	}
	return out
}

// QuantitiesFromProto decodes and checks quantities; nil is none.
func QuantitiesFromProto(p *resourcev1.Quantities) (resource.Quantities, error) {
	var q []resource.Quantity
	for _, x := range p.GetItems() {
		q = append(q, resource.Quantity{Name: x.GetName(), Amount: resource.Scalar(x.GetAmount())})
	}
	return resource.NewQuantities(q...)
}

// LimitToProto encodes one limit.
func LimitToProto(name string, l resource.Limit) *resourcev1.Limit {
	amount, finite := l.Value()
	if !finite {
		return &resourcev1.Limit{Name: name, Infinite: true}
	}
	return &resourcev1.Limit{Name: name, Amount: int64(amount)}
}

// LimitFromProto decodes one limit.
func LimitFromProto(p *resourcev1.Limit) (string, resource.Limit, error) {
	switch {
	case p.GetInfinite():
		return p.GetName(), resource.Infinite(), nil
	case p.GetAmount() < 0:
		return "", resource.Limit{}, fmt.Errorf("limit of %q is negative: %d", p.GetName(), p.GetAmount())
	default:
		return p.GetName(), resource.Finite(resource.Scalar(p.GetAmount())), nil
	}
}

// LimitsToProto encodes limits.
func LimitsToProto(l resource.Limits) []*resourcev1.Limit {
	var out []*resourcev1.Limit
	for name, limit := range l.All() {
		out = append(out, LimitToProto(name, limit))
	}
	return out
}

// LimitsFromProto decodes and checks limits.
func LimitsFromProto(p []*resourcev1.Limit) (resource.Limits, error) {
	named := make([]resource.NamedLimit, 0, len(p))
	for _, x := range p {
		name, limit, err := LimitFromProto(x)
		if err != nil {
			return resource.Limits{}, err
		}
		named = append(named, resource.NamedLimit{Name: name, Limit: limit})
	}
	return resource.NewLimits(named...)
}

// AttributesToProto encodes an agent's attributes.
func AttributesToProto(as []resource.Attribute) []*resourcev1.Attribute {
	var out []*resourcev1.Attribute
	for i := range as {
		p := &resourcev1.Attribute{Name: as[i].Name}
		switch as[i].Kind {
		case resource.AttributeScalar:
			p.Value = &resourcev1.Attribute_Scalar{Scalar: int64(as[i].Scalar)}
		case resource.AttributeRanges:
			p.Value = &resourcev1.Attribute_Ranges{Ranges: &resourcev1.Ranges{Bounds: rangesToProto(as[i].Ranges)}}
		default:
			p.Value = &resourcev1.Attribute_Text{Text: as[i].Text}
		}
		out = append(out, p)
	}
	return out
}

// AttributesFromProto decodes an agent's attributes.
func AttributesFromProto(ps []*resourcev1.Attribute) ([]resource.Attribute, error) {
	var out []resource.Attribute
	for _, p := range ps {
		a := resource.Attribute{Name: p.GetName()}
		switch v := p.GetValue().(type) {
		case *resourcev1.Attribute_Text:
			a.Text = v.Text
		case *resourcev1.Attribute_Scalar:
			a.Kind, a.Scalar = resource.AttributeScalar, resource.Scalar(v.Scalar)
		case *resourcev1.Attribute_Ranges:
			ranges, err := rangesFromProto(v.Ranges.GetBounds())
			if err == nil {
				ranges, err = resource.NewRanges(ranges...)
			}
			if err != nil {
				return nil, fmt.Errorf("attribute %q: %w", p.GetName(), err)
			}
			a.Kind, a.Ranges = resource.AttributeRanges, ranges
		default:
			return nil, fmt.Errorf("attribute %q has no value", p.GetName())
		}
		out = append(out, a)
	}
	return out, nil
}
