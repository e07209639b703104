package wire

import (
	"fmt"
	"maps"
	"slices"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"google.golang.org/protobuf/proto"
)

// LimitsFromMesos reads limits by name, as in TaskInfo.limits and QuotaConfig.limits; positive infinity
// is the infinite limit.
func LimitsFromMesos(in map[string]*mesos.Value_Scalar) (resource.Limits, error) {
	named := make([]resource.NamedLimit, 0, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		limit, err := resource.ParseLimit(in[name].GetValue())
		if err != nil {
			return resource.Limits{}, fmt.Errorf("limit of %s: %w", name, err)
		}
		named = append(named, resource.NamedLimit{Name: name, Limit: limit})
	}
	return resource.NewLimits(named...)
}

// LimitsToMesos writes the finite limits.
func LimitsToMesos(in resource.Limits) map[string]*mesos.Value_Scalar {
	out := make(map[string]*mesos.Value_Scalar)
	for name, limit := range in.All() {
		out[name] = scalarTo(limit.Float())
	}
	return out
}

// QuantitiesFromMesos reads amounts by name, as in QuotaConfig.guarantees.
func QuantitiesFromMesos(in map[string]*mesos.Value_Scalar) (resource.Quantities, error) {
	q := make([]resource.Quantity, 0, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		amount, err := resource.ParseScalar(in[name].GetValue())
		if err != nil {
			return resource.Quantities{}, fmt.Errorf("quantity of %s: %w", name, err)
		}
		q = append(q, resource.Quantity{Name: name, Amount: amount})
	}
	return resource.NewQuantities(q...)
}

// QuantitiesToMesos writes amounts by name.
func QuantitiesToMesos(in resource.Quantities) map[string]*mesos.Value_Scalar {
	out := make(map[string]*mesos.Value_Scalar)
	for name, amount := range in.All() {
		out[name] = scalarTo(amount.Float())
	}
	return out
}

// AttributesFromMesos reads an agent's attributes in their order. Sets are refused, as in Mesos.
func AttributesFromMesos(in []*mesos.Attribute) ([]resource.Attribute, error) {
	out := make([]resource.Attribute, 0, len(in))
	for _, m := range in {
		a := resource.Attribute{Name: m.GetName()}
		var err error
		switch m.GetType() {
		case mesos.Value_TEXT:
			a.Text = m.GetText().GetValue()
		case mesos.Value_SCALAR:
			a.Kind = resource.AttributeScalar
			a.Scalar, err = resource.ParseScalar(m.GetScalar().GetValue())
		case mesos.Value_RANGES:
			a.Kind = resource.AttributeRanges
			a.Ranges, err = rangesFrom(m.GetRanges())
		default:
			err = fmt.Errorf("type %s is not supported", m.GetType())
		}
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", a.Name, err)
		}
		out = append(out, a)
	}
	return out, nil
}

// AttributesToMesos writes attributes in their order.
func AttributesToMesos(in []resource.Attribute) []*mesos.Attribute {
	out := make([]*mesos.Attribute, 0, len(in))
	for _, a := range in {
		m := &mesos.Attribute{Name: proto.String(a.Name)}
		switch a.Kind {
		case resource.AttributeScalar:
			m.Type = mesos.Value_SCALAR.Enum()
			m.Scalar = scalarTo(a.Scalar.Float())
		case resource.AttributeRanges:
			m.Type = mesos.Value_RANGES.Enum()
			m.Ranges = rangesTo(a.Ranges)
		default:
			m.Type = mesos.Value_TEXT.Enum()
			m.Text = &mesos.Value_Text{Value: proto.String(a.Text)}
		}
		out = append(out, m)
	}
	return out
}
