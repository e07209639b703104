package resource

import "encoding/json"

func pointer(s string, set bool) *string {
	if !set {
		return nil
	}
	return &s
}

// MarshalJSON writes the collection as an array of Mesos's resource objects, reservations in the newer
// format. UnmarshalJSON and Parse read it back.
func (r Resources) MarshalJSON() ([]byte, error) {
	out := make([]jsonResource, 0, r.Len())
	for x := range r.All() {
		out = append(out, x.json())
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads an array of Mesos's resource objects, in either format of reservations.
func (r *Resources) UnmarshalJSON(data []byte) error {
	parsed, err := parseJSON(string(data), DefaultRole)
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

func (r *Resource) json() jsonResource {
	j := jsonResource{Name: r.Name, Type: r.Kind.String()}
	switch r.Kind {
	case KindRanges:
		j.Ranges = &jsonRanges{}
		for _, x := range r.Ranges {
			j.Ranges.Range = append(j.Ranges.Range, jsonRange(x))
		}
	case KindSet:
		j.Set = &jsonSet{Item: r.Set}
	default:
		j.Scalar = &jsonScalar{Value: json.Number(r.Scalar.String())}
	}
	for _, x := range r.Reservations {
		j.Reservations = append(j.Reservations, jsonReservation{
			Type: x.Type.String(), Role: x.Role, Principal: pointer(x.Principal, x.HasPrincipal), Labels: labelsJSON(x.Labels),
		})
	}
	if r.Provider != "" {
		j.ProviderID = &jsonID{r.Provider}
	}
	if r.Role != "" {
		j.AllocationInfo = &jsonAllocation{r.Role}
	}
	if r.Disk != nil {
		j.Disk = r.Disk.json()
	}
	if r.Revocable {
		j.Revocable = &struct{}{}
	}
	if r.Shared {
		j.Shared = &struct{}{}
	}
	return j
}

func (d *Disk) json() *jsonDisk {
	j := &jsonDisk{}
	if p := d.Persistence; p != nil {
		j.Persistence = &jsonPersistence{ID: p.ID, Principal: pointer(p.Principal, p.HasPrincipal)}
	}
	if v := d.Volume; v != nil {
		j.Volume = &jsonVolume{Mode: "RW", ContainerPath: v.ContainerPath, HostPath: v.HostPath}
		if v.ReadOnly {
			j.Volume.Mode = "RO"
		}
	}
	if s := d.Source; s != nil {
		j.Source = &jsonSource{
			Type: s.Type.String(), Vendor: s.Vendor, ID: s.ID, Profile: s.Profile, Metadata: labelsJSON(s.Metadata),
		}
		switch {
		case s.Root == "":
		case s.Type == DiskMount:
			j.Source.Mount = &jsonRoot{s.Root}
		default:
			j.Source.Path = &jsonRoot{s.Root}
		}
	}
	return j
}

func labelsJSON(labels []Label) *jsonLabels {
	if len(labels) == 0 {
		return nil
	}
	j := &jsonLabels{}
	for _, l := range labels {
		j.Labels = append(j.Labels, jsonLabel{Key: l.Key, Value: pointer(l.Value, l.HasValue)})
	}
	return j
}
