package wire

import (
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"google.golang.org/protobuf/proto"
)

// Format says which fields a resource is written with.
type Format struct {
	// RefinedReservations writes Resource.reservations and no role, for frameworks with the capability
	// RESERVATION_REFINEMENT. Otherwise Resource.role and Resource.reservation are written, and a
	// resource with more than one reservation, which that format cannot express, is left out.
	RefinedReservations bool
	// BothReservations writes both formats at once, as Mesos's operator endpoints do; a resource with
	// more than one reservation has the newer alone.
	BothReservations bool
	// AllocationInfo writes the role the resource is allocated to. Frameworks without the capability
	// MULTI_ROLE do not expect it.
	AllocationInfo bool
}

// ToMesos writes resources in the given format. The messages share nothing with the resources.
func ToMesos(in resource.Resources, f Format) []*mesos.Resource {
	out := make([]*mesos.Resource, 0, in.Len())
	for r := range in.All() {
		if m := resourceTo(&r, f); m != nil {
			out = append(out, m)
		}
	}
	return out
}

func resourceTo(r *resource.Resource, f Format) *mesos.Resource {
	newer, older := f.RefinedReservations || f.BothReservations, !f.RefinedReservations || f.BothReservations
	if len(r.Reservations) > 1 {
		if !newer {
			return nil
		}
		older = false
	}
	m := &mesos.Resource{Name: proto.String(r.Name)}
	valueTo(m, r)
	if older {
		olderReservationTo(m, r)
	}
	if newer {
		for i := range r.Reservations {
			m.Reservations = append(m.Reservations, reservationTo(&r.Reservations[i]))
		}
	}
	if r.Provider != "" {
		m.ProviderId = &mesos.ResourceProviderID{Value: proto.String(r.Provider)}
	}
	if f.AllocationInfo && r.Role != "" {
		m.AllocationInfo = &mesos.Resource_AllocationInfo{Role: proto.String(r.Role)}
	}
	m.Disk = diskTo(r.Disk)
	if r.Revocable {
		m.Revocable = &mesos.Resource_RevocableInfo{}
	}
	if r.Shared {
		m.Shared = &mesos.Resource_SharedInfo{}
	}
	return m
}

func valueTo(m *mesos.Resource, r *resource.Resource) {
	switch r.Kind {
	case resource.KindRanges:
		m.Type = mesos.Value_RANGES.Enum()
		m.Ranges = rangesTo(r.Ranges)
	case resource.KindSet:
		m.Type = mesos.Value_SET.Enum()
		m.Set = &mesos.Value_Set{Item: append([]string(nil), r.Set...)}
	default:
		m.Type = mesos.Value_SCALAR.Enum()
		m.Scalar = scalarTo(r.Scalar.Float())
	}
}

func scalarTo(v float64) *mesos.Value_Scalar { return &mesos.Value_Scalar{Value: proto.Float64(v)} }

func rangesTo(r resource.Ranges) *mesos.Value_Ranges {
	m := &mesos.Value_Ranges{}
	for _, x := range r {
		m.Range = append(m.Range, &mesos.Value_Range{Begin: proto.Uint64(x.Begin), End: proto.Uint64(x.End)})
	}
	return m
}

// olderReservationTo writes the role and, for a dynamic reservation, who made it.
func olderReservationTo(m *mesos.Resource, r *resource.Resource) {
	m.Role = proto.String(r.ReservationRole()) //nolint:staticcheck // the deprecated field is what is asked for
	if len(r.Reservations) != 1 || r.Reservations[0].Type != resource.Dynamic {
		return
	}
	m.Reservation = &mesos.Resource_ReservationInfo{Labels: labelsTo(r.Reservations[0].Labels)}
	if r.Reservations[0].HasPrincipal {
		m.Reservation.Principal = proto.String(r.Reservations[0].Principal)
	}
}

func reservationTo(r *resource.Reservation) *mesos.Resource_ReservationInfo {
	m := &mesos.Resource_ReservationInfo{
		Type:   mesos.Resource_ReservationInfo_STATIC.Enum(),
		Role:   proto.String(r.Role),
		Labels: labelsTo(r.Labels),
	}
	if r.Type == resource.Dynamic {
		m.Type = mesos.Resource_ReservationInfo_DYNAMIC.Enum()
	}
	if r.HasPrincipal {
		m.Principal = proto.String(r.Principal)
	}
	return m
}

func labelsTo(labels []resource.Label) *mesos.Labels {
	if len(labels) == 0 {
		return nil
	}
	m := &mesos.Labels{}
	for _, l := range labels {
		x := &mesos.Label{Key: proto.String(l.Key)}
		if l.HasValue {
			x.Value = proto.String(l.Value)
		}
		m.Labels = append(m.Labels, x)
	}
	return m
}

func diskTo(d *resource.Disk) *mesos.Resource_DiskInfo {
	if d == nil {
		return nil
	}
	m := &mesos.Resource_DiskInfo{Source: sourceTo(d.Source)}
	if p := d.Persistence; p != nil {
		m.Persistence = &mesos.Resource_DiskInfo_Persistence{Id: proto.String(p.ID)}
		if p.HasPrincipal {
			m.Persistence.Principal = proto.String(p.Principal)
		}
	}
	if v := d.Volume; v != nil {
		m.Volume = &mesos.Volume{
			Mode: mesos.Volume_RW.Enum(), ContainerPath: proto.String(v.ContainerPath), HostPath: nonEmpty(v.HostPath),
		}
		if v.ReadOnly {
			m.Volume.Mode = mesos.Volume_RO.Enum()
		}
	}
	return m
}

func sourceTo(s *resource.DiskSource) *mesos.Resource_DiskInfo_Source {
	if s == nil {
		return nil
	}
	m := &mesos.Resource_DiskInfo_Source{
		Vendor: nonEmpty(s.Vendor), Id: nonEmpty(s.ID), Profile: nonEmpty(s.Profile), Metadata: labelsTo(s.Metadata),
	}
	switch s.Type {
	case resource.DiskPath:
		m.Type = mesos.Resource_DiskInfo_Source_PATH.Enum()
		m.Path = &mesos.Resource_DiskInfo_Source_Path{Root: nonEmpty(s.Root)}
	case resource.DiskMount:
		m.Type = mesos.Resource_DiskInfo_Source_MOUNT.Enum()
		m.Mount = &mesos.Resource_DiskInfo_Source_Mount{Root: nonEmpty(s.Root)}
	case resource.DiskBlock:
		m.Type = mesos.Resource_DiskInfo_Source_BLOCK.Enum()
	case resource.DiskRaw:
		m.Type = mesos.Resource_DiskInfo_Source_RAW.Enum()
	}
	return m
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
