package agent

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// Compatible says why an agent whose id was given to a certain description cannot come back with another: the master
// would keep books on what is not there. Ids are not compared.
func Compatible(saved []byte, present *mesos.AgentInfo) error {
	old, err := decode[mesos.AgentInfo]("agent", "", saved)
	if err != nil {
		return err
	}
	now := proto.CloneOf(present)
	old.Id, now.Id = nil, nil
	if proto.Equal(old, now) {
		return nil
	}
	return fmt.Errorf("incompatible agent info detected\n\told: %s\n\tnew: %s\n"+
		"set hostname, port, resources, attributes and domain as they were, or start with an empty work_dir, "+
		"as a new agent", prototext.MarshalOptions{}.Format(old), prototext.MarshalOptions{}.Format(now))
}

// CompatibleAdditive is Compatible for an agent that may come back with more: resources and attributes may be added,
// and a domain where there was none. All else must be as it was.
func CompatibleAdditive(saved []byte, present *mesos.AgentInfo) error {
	old, err := decode[mesos.AgentInfo]("agent", "", saved)
	if err != nil {
		return err
	}
	had, err := wire.FromMesos(old.GetResources())
	if err != nil {
		return fmt.Errorf("read the agent's former resources: %w", err)
	}
	has, err := wire.FromMesos(present.GetResources())
	if err != nil {
		return fmt.Errorf("read the agent's resources: %w", err)
	}
	switch {
	case old.GetHostname() != present.GetHostname():
		return fmt.Errorf("hostname was %q and must not change to %q", old.GetHostname(), present.GetHostname())
	case old.GetPort() != present.GetPort():
		return fmt.Errorf("the port was %d and must not change to %d", old.GetPort(), present.GetPort())
	case !has.Contains(had):
		return fmt.Errorf("resources were %s; %s has less of them", had, has)
	case old.GetDomain() != nil && !proto.Equal(old.GetDomain(), present.GetDomain()):
		return errors.New("the domain must not change")
	}
	for _, a := range old.GetAttributes() {
		if !slices.ContainsFunc(present.GetAttributes(), func(b *mesos.Attribute) bool { return proto.Equal(a, b) }) {
			return fmt.Errorf("attribute %s was set, and must not be changed or taken away", a.GetName())
		}
	}
	return nil
}
