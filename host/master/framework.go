package master

import (
	"slices"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"google.golang.org/protobuf/proto"
)

// Capabilities is the set of a framework's capabilities.
type Capabilities uint32

// capabilitiesOf reads the capabilities of a message; those that this release does not know are left out.
func capabilitiesOf(info *mesos.FrameworkInfo) Capabilities {
	var c Capabilities
	for _, x := range info.GetCapabilities() {
		if t := x.GetType(); t > 0 && t < 32 {
			c |= 1 << t
		}
	}
	return c
}

// Has tells whether the set holds a capability.
func (c Capabilities) Has(t mesos.FrameworkInfo_Capability_Type) bool { return c&(1<<t) != 0 }

// PartitionAware tells whether the framework knows the task states DROPPED, UNREACHABLE, GONE,
// GONE_BY_OPERATOR and UNKNOWN. Others are told TASK_LOST.
func (c Capabilities) PartitionAware() bool {
	return c.Has(mesos.FrameworkInfo_Capability_PARTITION_AWARE)
}

// MultiRole tells whether the framework has a list of roles, and knows allocation_info.
func (c Capabilities) MultiRole() bool { return c.Has(mesos.FrameworkInfo_Capability_MULTI_ROLE) }

// RefinedReservations tells whether the framework knows Resource.reservations.
func (c Capabilities) RefinedReservations() bool {
	return c.Has(mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT)
}

// Framework is a scheduler as the master knows it. A Framework that a State holds is never changed.
type Framework struct {
	rev uint64

	ID string
	// Encoded is the encoded FrameworkInfo, with id and principal.
	Encoded      []byte
	Name         string
	User         string
	Principal    string
	Capabilities Capabilities
	// Roles are those it is subscribed to, in order. A framework without MULTI_ROLE has exactly one.
	Roles []string
	// Suppressed are those of Roles for which it wants no offers now, in order.
	Suppressed []string
	// Constraints are what its offers must meet, nil for none.
	Constraints *scheduler.OfferConstraints
	// FailoverTimeout is how long it may be disconnected before it is removed. Not negative.
	FailoverTimeout time.Duration
	Checkpoint      bool

	// Connected says that it has an open stream, which is Stream.
	Connected bool
	Stream    StreamID
	// Active frameworks may be offered resources. Here it is the same as Connected.
	Active bool
	// Recovered says that this master knows it from an agent alone: it has not subscribed since the master
	// began.
	Recovered bool

	RegisteredTime time.Time
	// ReregisteredTime is zero when it has subscribed once only.
	ReregisteredTime time.Time
	// UnregisteredTime is zero for one that is not completed, and connected.
	UnregisteredTime time.Time

	// TasksByState counts its tasks, completed ones too, by latest state.
	TasksByState TaskCounts

	failoverAt  time.Duration // monotonic; when a disconnected one is removed
	heartbeatAt time.Duration // monotonic; when the next heartbeat is due
	constraints allocatorParts
}

// Info decodes the framework's description.
func (f *Framework) Info() *mesos.FrameworkInfo {
	info := &mesos.FrameworkInfo{}
	mustDecode(f.Encoded, info)
	return info
}

// HasRole tells whether the framework is subscribed to a role.
func (f *Framework) HasRole(role string) bool {
	_, found := slices.BinarySearch(f.Roles, role)
	return found
}

// IsSuppressed tells whether the framework wants no offers for one of its roles.
func (f *Framework) IsSuppressed(role string) bool {
	_, found := slices.BinarySearch(f.Suppressed, role)
	return found
}

// mustDecode decodes what this master has encoded itself.
func mustDecode(data []byte, into proto.Message) {
	if err := proto.Unmarshal(data, into); err != nil {
		panic("decode own encoding of " + string(into.ProtoReflect().Descriptor().FullName()) + ": " + err.Error())
	}
}

// encode encodes a message that is known to be well-formed, the same way each time.
func encode(m proto.Message) []byte {
	data, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(m)
	if err != nil {
		panic("encode " + string(m.ProtoReflect().Descriptor().FullName()) + ": " + err.Error())
	}
	return data
}
