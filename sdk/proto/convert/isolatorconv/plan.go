package isolatorconv

import (
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
)

// PlanToProto encodes a plan.
func PlanToProto(p isolator.Plan) *isolatorv1.Plan {
	out := &isolatorv1.Plan{
		Handle: handleToProto(p.Handle), Env: p.Env, CgroupPaths: p.CgroupPaths, Rootfs: p.RootFS, Hostname: p.Hostname,
	}
	for _, m := range p.Mounts {
		out.Mounts = append(out.Mounts, &isolatorv1.Mount{
			Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Options})
	}
	for _, d := range p.Devices {
		out.Devices = append(out.Devices, &isolatorv1.Device{
			Path: d.Path, Type: d.Type, Major: d.Major, Minor: d.Minor, FileMode: d.FileMode, Uid: d.UID, Gid: d.GID, Access: d.Access})
	}
	for _, n := range p.Namespaces {
		out.Namespaces = append(out.Namespaces, &isolatorv1.Namespace{Type: string(n.Type), Path: n.Path})
	}
	for _, r := range p.Rlimits {
		out.Rlimits = append(out.Rlimits, &isolatorv1.Rlimit{Type: r.Type, Soft: r.Soft, Hard: r.Hard})
	}
	if c := p.Capabilities; c != nil {
		out.Capabilities = &isolatorv1.Capabilities{
			Bounding: c.Bounding, Effective: c.Effective, Inheritable: c.Inheritable, Permitted: c.Permitted, Ambient: c.Ambient}
	}
	for _, c := range p.Prestart {
		out.Prestart = append(out.Prestart, &isolatorv1.Command{Path: c.Path, Args: c.Args, Env: c.Env})
	}
	return out
}

// PlanFromProto decodes a plan; nil is an empty one.
func PlanFromProto(p *isolatorv1.Plan) isolator.Plan {
	out := isolator.Plan{
		Handle: handleFromProto(p.GetHandle()), Env: p.GetEnv(), CgroupPaths: p.GetCgroupPaths(),
		RootFS: p.GetRootfs(), Hostname: p.GetHostname(),
	}
	for _, m := range p.GetMounts() {
		out.Mounts = append(out.Mounts, isolator.Mount{
			Destination: m.GetDestination(), Type: m.GetType(), Source: m.GetSource(), Options: m.GetOptions()})
	}
	for _, d := range p.GetDevices() {
		out.Devices = append(out.Devices, isolator.Device{
			Path: d.GetPath(), Type: d.GetType(), Major: d.GetMajor(), Minor: d.GetMinor(), FileMode: d.GetFileMode(),
			UID: d.GetUid(), GID: d.GetGid(), Access: d.GetAccess()})
	}
	for _, n := range p.GetNamespaces() {
		out.Namespaces = append(out.Namespaces, isolator.Namespace{Type: isolator.NamespaceType(n.GetType()), Path: n.GetPath()})
	}
	for _, r := range p.GetRlimits() {
		out.Rlimits = append(out.Rlimits, isolator.Rlimit{Type: r.GetType(), Soft: r.GetSoft(), Hard: r.GetHard()})
	}
	if c := p.GetCapabilities(); c != nil {
		out.Capabilities = &isolator.Capabilities{
			Bounding: c.GetBounding(), Effective: c.GetEffective(), Inheritable: c.GetInheritable(),
			Permitted: c.GetPermitted(), Ambient: c.GetAmbient()}
	}
	for _, c := range p.GetPrestart() {
		out.Prestart = append(out.Prestart, isolator.Command{Path: c.GetPath(), Args: c.GetArgs(), Env: c.GetEnv()})
	}
	return out
}
