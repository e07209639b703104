// Package isolatorconv turns the plain types of package isolator into the messages of mezzo.isolator.v1
// and back, for both ends of a plugin's connection.
package isolatorconv

import (
	"fmt"

	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// ContainerToProto encodes a container.
func ContainerToProto(c isolator.Container) *isolatorv1.Container {
	return &isolatorv1.Container{Id: c.ID, ParentId: c.Parent, Instance: c.Instance, Handle: handleToProto(c.Handle)}
}

// ContainerFromProto decodes a container.
func ContainerFromProto(p *isolatorv1.Container) isolator.Container {
	return isolator.Container{
		ID: p.GetId(), Parent: p.GetParentId(), Instance: p.GetInstance(), Handle: handleFromProto(p.GetHandle()),
	}
}

// ContainersToProto encodes containers.
func ContainersToProto(cs []isolator.Container) []*isolatorv1.Container {
	out := make([]*isolatorv1.Container, 0, len(cs))
	for _, c := range cs {
		out = append(out, ContainerToProto(c))
	}
	return out
}

// ContainersFromProto decodes containers.
func ContainersFromProto(ps []*isolatorv1.Container) []isolator.Container {
	out := make([]isolator.Container, 0, len(ps))
	for _, p := range ps {
		out = append(out, ContainerFromProto(p))
	}
	return out
}

func handleToProto(h isolator.Handle) *isolatorv1.Handle {
	if h.Plugin == "" && h.HandleVersion == 0 && len(h.Data) == 0 {
		return nil
	}
	return &isolatorv1.Handle{Plugin: h.Plugin, Version: h.Version, HandleVersion: h.HandleVersion, Data: h.Data}
}

func handleFromProto(p *isolatorv1.Handle) isolator.Handle {
	return isolator.Handle{
		Plugin: p.GetPlugin(), Version: p.GetVersion(), HandleVersion: p.GetHandleVersion(), Data: p.GetData(),
	}
}

// SpecToProto encodes a spec.
func SpecToProto(s isolator.Spec) *isolatorv1.Spec {
	return &isolatorv1.Spec{
		Container: ContainerToProto(s.Container), FrameworkId: s.Framework, ExecutorId: s.Executor, TaskId: s.Task,
		CommandTask: s.CommandTask, User: s.User, Sandbox: s.Sandbox, Rootfs: s.RootFS,
		Resources: resourceconv.ToProto(s.Resources), Limits: LimitsToProto(s.Limits),
		ShareCgroups: s.ShareCgroups, Path: s.Path, Args: s.Args, Env: s.Env, Labels: s.Labels,
	}
}

// SpecFromProto decodes a spec.
func SpecFromProto(p *isolatorv1.Spec) (isolator.Spec, error) {
	r, err := resourceconv.FromProto(p.GetResources())
	if err != nil {
		return isolator.Spec{}, fmt.Errorf("container %q: %w", p.GetContainer().GetId(), err)
	}
	limits, err := LimitsFromProto(p.GetLimits())
	if err != nil {
		return isolator.Spec{}, fmt.Errorf("container %q: %w", p.GetContainer().GetId(), err)
	}
	return isolator.Spec{
		Container: ContainerFromProto(p.GetContainer()), Framework: p.GetFrameworkId(), Executor: p.GetExecutorId(),
		Task: p.GetTaskId(), CommandTask: p.GetCommandTask(), User: p.GetUser(), Sandbox: p.GetSandbox(),
		RootFS: p.GetRootfs(), Resources: r, Limits: limits, ShareCgroups: p.GetShareCgroups(),
		Path: p.GetPath(), Args: p.GetArgs(), Env: p.GetEnv(), Labels: p.GetLabels(),
	}, nil
}

// LimitsToProto encodes limits by name, the infinite ones too.
func LimitsToProto(limits map[string]resource.Limit) []*resourcev1.Limit {
	var out []*resourcev1.Limit
	for name, l := range limits {
		out = append(out, resourceconv.LimitToProto(name, l))
	}
	return out
}

// LimitsFromProto decodes limits by name.
func LimitsFromProto(ps []*resourcev1.Limit) (map[string]resource.Limit, error) {
	if len(ps) == 0 {
		return nil, nil //nolint:nilnil // no limits are an empty map
	}
	out := make(map[string]resource.Limit, len(ps))
	for _, p := range ps {
		name, l, err := resourceconv.LimitFromProto(p)
		if err != nil {
			return nil, err
		}
		out[name] = l
	}
	return out, nil
}

var limitationReasons = map[isolator.LimitationReason]isolatorv1.LimitationReason{
	isolator.LimitationMemory: isolatorv1.LimitationReason_LIMITATION_REASON_MEMORY,
	isolator.LimitationDisk:   isolatorv1.LimitationReason_LIMITATION_REASON_DISK,
	isolator.LimitationOther:  isolatorv1.LimitationReason_LIMITATION_REASON_OTHER,
}

// LimitationToProto encodes a limitation.
func LimitationToProto(l isolator.Limitation) *isolatorv1.WatchResponse {
	return &isolatorv1.WatchResponse{
		Reason: limitationReasons[l.Reason], Message: l.Message, Resources: resourceconv.ToProto(l.Resources),
		Used: l.Used, Limit: l.Limit,
	}
}

// LimitationFromProto decodes a limitation. A reason that is unknown is LimitationOther.
func LimitationFromProto(p *isolatorv1.WatchResponse) (isolator.Limitation, error) {
	r, err := resourceconv.FromProto(p.GetResources())
	if err != nil {
		return isolator.Limitation{}, fmt.Errorf("limitation: %w", err)
	}
	out := isolator.Limitation{
		Reason: isolator.LimitationOther, Message: p.GetMessage(), Resources: r, Used: p.GetUsed(), Limit: p.GetLimit(),
	}
	for reason, number := range limitationReasons {
		if number == p.GetReason() {
			out.Reason = reason
		}
	}
	return out, nil
}

// StatusToProto encodes a container's status.
func StatusToProto(s isolator.Status) *isolatorv1.ContainerStatus {
	out := &isolatorv1.ContainerStatus{CgroupPaths: s.CgroupPaths, NetClsClassId: s.NetClsClassID}
	for network, addresses := range s.Addresses {
		out.Networks = append(out.Networks, &isolatorv1.NetworkAddresses{Network: network, Addresses: addresses})
	}
	return out
}

// StatusFromProto decodes a container's status.
func StatusFromProto(p *isolatorv1.ContainerStatus) isolator.Status {
	out := isolator.Status{CgroupPaths: p.GetCgroupPaths(), NetClsClassID: p.GetNetClsClassId()}
	for _, n := range p.GetNetworks() {
		if out.Addresses == nil {
			out.Addresses = map[string][]string{}
		}
		out.Addresses[n.GetNetwork()] = n.GetAddresses()
	}
	return out
}

// ExitToProto encodes how something ended.
func ExitToProto(e isolator.ExitStatus) *isolatorv1.ExitStatus {
	return &isolatorv1.ExitStatus{Code: int32(e.Code), Signal: int32(e.Signal), Known: e.Known} //nolint:gosec // small by nature
}

// ExitFromProto decodes how something ended; nil is not known.
func ExitFromProto(p *isolatorv1.ExitStatus) isolator.ExitStatus {
	return isolator.ExitStatus{Code: int(p.GetCode()), Signal: int(p.GetSignal()), Known: p.GetKnown()}
}
