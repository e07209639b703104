package wire

import (
	"errors"
	"fmt"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// FromMesos validates resources of a message and collects them. Errors are in Mesos's words where it
// has some: Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0.
func FromMesos(in []*mesos.Resource) (resource.Resources, error) {
	out := make([]resource.Resource, 0, len(in))
	for _, m := range in {
		r, err := ResourceFromMesos(m)
		if err != nil {
			return resource.Resources{}, err
		}
		out = append(out, r)
	}
	return resource.New(out...)
}

// ResourceFromMesos validates one resource of a message. An empty resource is an error.
func ResourceFromMesos(m *mesos.Resource) (resource.Resource, error) {
	r := resource.Resource{
		Name:      m.GetName(),
		Provider:  m.GetProviderId().GetValue(),
		Role:      m.GetAllocationInfo().GetRole(),
		Revocable: m.GetRevocable() != nil,
		Shared:    m.GetShared() != nil,
	}
	var err error
	if r.Reservations, err = reservationsFrom(m); err != nil {
		return r, invalid(r.Name, err)
	}
	if r.Disk, err = diskFrom(m.GetDisk()); err != nil {
		return r, invalid(r.Name, err)
	}
	if err := valueFrom(m, &r); err != nil {
		return r, invalid(r.Name, err)
	}
	if err := r.Validate(); err != nil {
		return r, err
	}
	if r.IsEmpty() {
		return r, invalid(r.String(), emptyValue(r.Kind))
	}
	return r, nil
}

func invalid(what string, err error) error {
	return fmt.Errorf("Resource '%s' is invalid: %w", what, err) //nolint:staticcheck // Mesos's words, shown to its clients
}

func emptyValue(k resource.Kind) error {
	switch k {
	case resource.KindRanges:
		return errors.New("Invalid ranges resource: no ranges") //nolint:staticcheck // Mesos's words, shown to its clients
	case resource.KindSet:
		return errors.New("Invalid set resource: no items") //nolint:staticcheck // as above
	default:
		return errors.New("Invalid scalar resource: value <= 0") //nolint:staticcheck // as above
	}
}

// valueFrom reads the value that the resource's type names; values of other types must not be there.
func valueFrom(m *mesos.Resource, r *resource.Resource) error {
	hasScalar, hasRanges, hasSet := m.GetScalar() != nil, m.GetRanges() != nil, m.GetSet() != nil
	var err error
	switch m.GetType() {
	case mesos.Value_SCALAR:
		if !hasScalar || hasRanges || hasSet {
			return errors.New("Invalid scalar resource") //nolint:staticcheck // Mesos's words, shown to its clients
		}
		r.Scalar, err = resource.ParseScalar(m.GetScalar().GetValue())
	case mesos.Value_RANGES:
		r.Kind = resource.KindRanges
		if hasScalar || !hasRanges || hasSet {
			return errors.New("Invalid ranges resource") //nolint:staticcheck // as above
		}
		r.Ranges, err = rangesFrom(m.GetRanges())
	case mesos.Value_SET:
		r.Kind = resource.KindSet
		if hasScalar || hasRanges || !hasSet {
			return errors.New("Invalid set resource") //nolint:staticcheck // as above
		}
		r.Set, err = resource.NewSet(m.GetSet().GetItem()...)
	default:
		return errors.New("Unsupported resource type") //nolint:staticcheck // as above
	}
	return err
}

func rangesFrom(m *mesos.Value_Ranges) (resource.Ranges, error) {
	ranges := make([]resource.Range, 0, len(m.GetRange()))
	for _, x := range m.GetRange() {
		ranges = append(ranges, resource.Range{Begin: x.GetBegin(), End: x.GetEnd()})
	}
	return resource.NewRanges(ranges...)
}

// reservationsFrom reads whichever of the two formats is used.
func reservationsFrom(m *mesos.Resource) ([]resource.Reservation, error) {
	if len(m.GetReservations()) == 0 {
		return olderReservation(m)
	}
	//nolint:staticcheck // the deprecated fields are what is asked for
	if m.Role != nil || m.GetReservation() != nil {
		return nil, errors.New("both 'Resource.reservations' and the older 'Resource.role' or 'Resource.reservation' are set")
	}
	stack := make([]resource.Reservation, 0, len(m.GetReservations()))
	for _, x := range m.GetReservations() {
		r := reservationFrom(x)
		r.Role = x.GetRole()
		switch x.GetType() {
		case mesos.Resource_ReservationInfo_STATIC:
			r.Type = resource.Static
		case mesos.Resource_ReservationInfo_DYNAMIC:
			r.Type = resource.Dynamic
		}
		stack = append(stack, r)
	}
	return stack, nil
}

// olderReservation reads Resource.role and, for a dynamic reservation, Resource.reservation.
func olderReservation(m *mesos.Resource) ([]resource.Reservation, error) {
	role := m.GetRole() //nolint:staticcheck // the deprecated field is what is asked for
	if role == resource.DefaultRole {
		if m.GetReservation() != nil {
			//nolint:staticcheck // Mesos's words, shown to its clients
			return nil, errors.New("Invalid reservation: role \"*\" cannot be dynamically reserved")
		}
		return nil, nil
	}
	if m.GetReservation() == nil {
		return []resource.Reservation{{Type: resource.Static, Role: role}}, nil
	}
	r := reservationFrom(m.GetReservation())
	r.Type, r.Role = resource.Dynamic, role
	return []resource.Reservation{r}, nil
}

func reservationFrom(m *mesos.Resource_ReservationInfo) resource.Reservation {
	return resource.Reservation{
		Principal: m.GetPrincipal(), HasPrincipal: m.Principal != nil, Labels: labelsFrom(m.GetLabels()),
	}
}

func labelsFrom(m *mesos.Labels) []resource.Label {
	if len(m.GetLabels()) == 0 {
		return nil
	}
	labels := make([]resource.Label, 0, len(m.GetLabels()))
	for _, x := range m.GetLabels() {
		labels = append(labels, resource.Label{Key: x.GetKey(), Value: x.GetValue(), HasValue: x.Value != nil})
	}
	return labels
}

func diskFrom(m *mesos.Resource_DiskInfo) (*resource.Disk, error) {
	if m == nil {
		return nil, nil
	}
	d := &resource.Disk{}
	if p := m.GetPersistence(); p != nil {
		d.Persistence = &resource.Persistence{
			ID: p.GetId(), Principal: p.GetPrincipal(), HasPrincipal: p.Principal != nil,
		}
	}
	if v := m.GetVolume(); v != nil {
		if v.GetImage() != nil || v.GetSource() != nil {
			return nil, errors.New("'disk.volume' must not have an image or a source")
		}
		d.Volume = &resource.Volume{
			ContainerPath: v.GetContainerPath(), HostPath: v.GetHostPath(), ReadOnly: v.GetMode() == mesos.Volume_RO,
		}
	}
	d.Source = sourceFrom(m.GetSource())
	return d, nil
}

func sourceFrom(m *mesos.Resource_DiskInfo_Source) *resource.DiskSource {
	if m == nil {
		return nil
	}
	s := &resource.DiskSource{
		Vendor: m.GetVendor(), ID: m.GetId(), Profile: m.GetProfile(), Metadata: labelsFrom(m.GetMetadata()),
	}
	switch m.GetType() {
	case mesos.Resource_DiskInfo_Source_PATH:
		s.Type, s.Root = resource.DiskPath, m.GetPath().GetRoot()
	case mesos.Resource_DiskInfo_Source_MOUNT:
		s.Type, s.Root = resource.DiskMount, m.GetMount().GetRoot()
	case mesos.Resource_DiskInfo_Source_BLOCK:
		s.Type = resource.DiskBlock
	case mesos.Resource_DiskInfo_Source_RAW:
		s.Type = resource.DiskRaw
	}
	return s
}
