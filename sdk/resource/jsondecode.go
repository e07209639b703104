package resource

import (
	"errors"
	"fmt"
)

// resource is the Resource the object describes.
func (j *jsonResource) resource(defaultRole string) (Resource, error) {
	r := Resource{Name: j.Name, Revocable: j.Revocable != nil, Shared: j.Shared != nil}
	if err := j.value(&r); err != nil {
		return Resource{}, err
	}
	var err error
	if r.Reservations, err = j.stack(defaultRole); err != nil {
		return Resource{}, err
	}
	if j.ProviderID != nil {
		r.Provider = j.ProviderID.Value
	}
	if j.AllocationInfo != nil {
		r.Role = j.AllocationInfo.Role
	}
	if j.Disk != nil {
		if r.Disk, err = j.Disk.disk(); err != nil {
			return Resource{}, err
		}
	}
	return r, r.normalise()
}

func (j *jsonResource) value(r *Resource) error {
	var err error
	switch j.Type {
	case "SCALAR":
		if j.Scalar == nil {
			return errors.New("type SCALAR without scalar.value")
		}
		r.Scalar, err = parseScalarText(j.Scalar.Value.String())
	case "RANGES":
		r.Kind = KindRanges
		if j.Ranges == nil {
			return errors.New("type RANGES without ranges")
		}
		ranges := make([]Range, 0, len(j.Ranges.Range))
		for _, x := range j.Ranges.Range {
			ranges = append(ranges, Range(x))
		}
		r.Ranges, err = NewRanges(ranges...)
	case "SET":
		r.Kind = KindSet
		if j.Set == nil {
			return errors.New("type SET without set")
		}
		r.Set, err = NewSet(j.Set.Item...)
	default:
		return fmt.Errorf("type %q is not SCALAR, RANGES or SET", j.Type)
	}
	return err
}

// stack is the reservations, from whichever of the two formats the object uses.
func (j *jsonResource) stack(defaultRole string) ([]Reservation, error) {
	if len(j.Reservations) == 0 {
		if j.Role == nil {
			if j.Reservation != nil {
				return nil, errors.New("reservation without role")
			}
			return staticFor(defaultRole), nil
		}
		return j.legacyStack()
	}
	if j.Role != nil || j.Reservation != nil {
		return nil, errors.New("both reservations and the older role or reservation are set")
	}
	stack := make([]Reservation, 0, len(j.Reservations))
	for _, x := range j.Reservations {
		r := Reservation{Role: x.Role, Labels: x.Labels.list()}
		r.Principal, r.HasPrincipal = optional(x.Principal)
		switch x.Type {
		case "STATIC":
			r.Type = Static
		case "DYNAMIC":
			r.Type = Dynamic
		default:
			return nil, fmt.Errorf("reservation type %q is not STATIC or DYNAMIC", x.Type)
		}
		stack = append(stack, r)
	}
	return stack, nil
}

func (j *jsonResource) legacyStack() ([]Reservation, error) {
	if err := ValidateRole(*j.Role); err != nil {
		return nil, err
	}
	if j.Reservation == nil {
		return staticFor(*j.Role), nil
	}
	r := Reservation{Type: Dynamic, Role: *j.Role, Labels: j.Reservation.Labels.list()}
	r.Principal, r.HasPrincipal = optional(j.Reservation.Principal)
	return []Reservation{r}, nil
}

func (j *jsonDisk) disk() (*Disk, error) {
	d := &Disk{}
	if p := j.Persistence; p != nil {
		d.Persistence = &Persistence{ID: p.ID}
		d.Persistence.Principal, d.Persistence.HasPrincipal = optional(p.Principal)
	}
	if v := j.Volume; v != nil {
		if v.Mode != "RW" && v.Mode != "RO" {
			return nil, fmt.Errorf("disk.volume.mode %q is not RW or RO", v.Mode)
		}
		d.Volume = &Volume{ContainerPath: v.ContainerPath, HostPath: v.HostPath, ReadOnly: v.Mode == "RO"}
	}
	if s := j.Source; s != nil {
		d.Source = &DiskSource{Vendor: s.Vendor, ID: s.ID, Profile: s.Profile, Metadata: s.Metadata.list()}
		for t := DiskPath; t <= DiskRaw; t++ {
			if t.String() == s.Type {
				d.Source.Type = t
			}
		}
		switch {
		case d.Source.Type == 0:
			return nil, fmt.Errorf("disk.source.type %q is not PATH, MOUNT, BLOCK or RAW", s.Type)
		case d.Source.Type == DiskPath && s.Path != nil:
			d.Source.Root = s.Path.Root
		case d.Source.Type == DiskMount && s.Mount != nil:
			d.Source.Root = s.Mount.Root
		}
	}
	return d, nil
}

func (j *jsonLabels) list() []Label {
	if j == nil {
		return nil
	}
	labels := make([]Label, 0, len(j.Labels))
	for _, x := range j.Labels {
		l := Label{Key: x.Key}
		l.Value, l.HasValue = optional(x.Value)
		labels = append(labels, l)
	}
	return labels
}

func optional(s *string) (string, bool) {
	if s == nil {
		return "", false
	}
	return *s, true
}
