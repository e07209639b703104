package resourceconv

import (
	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

func diskToProto(d *resource.Disk) *resourcev1.Disk {
	if d == nil {
		return nil
	}
	out := &resourcev1.Disk{}
	if p := d.Persistence; p != nil {
		out.Persistence = &resourcev1.Persistence{Id: p.ID, Principal: optional(p.Principal, p.HasPrincipal)}
	}
	if v := d.Volume; v != nil {
		out.Volume = &resourcev1.Volume{ContainerPath: v.ContainerPath, HostPath: v.HostPath, ReadOnly: v.ReadOnly}
	}
	if s := d.Source; s != nil {
		out.Source = &resourcev1.DiskSource{
			Type: resourcev1.DiskSourceType(s.Type), Root: s.Root, Vendor: s.Vendor, Id: s.ID, Profile: s.Profile,
			Metadata: labelsToProto(s.Metadata),
		}
	}
	return out
}

func diskFromProto(p *resourcev1.Disk) *resource.Disk {
	if p == nil {
		return nil
	}
	out := &resource.Disk{}
	if x := p.GetPersistence(); x != nil {
		out.Persistence = &resource.Persistence{ID: x.GetId(), Principal: x.GetPrincipal(), HasPrincipal: x.Principal != nil}
	}
	if x := p.GetVolume(); x != nil {
		out.Volume = &resource.Volume{ContainerPath: x.GetContainerPath(), HostPath: x.GetHostPath(), ReadOnly: x.GetReadOnly()}
	}
	if x := p.GetSource(); x != nil {
		out.Source = &resource.DiskSource{
			Type: resource.DiskSourceType(enum(x.GetType())),
			Root: x.GetRoot(), Vendor: x.GetVendor(), ID: x.GetId(), Profile: x.GetProfile(),
			Metadata: labelsFromProto(x.GetMetadata()),
		}
	}
	return out
}
