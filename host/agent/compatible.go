package agent

import (
	"fmt"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
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
