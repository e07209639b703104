package master

import (
	"strings"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Agent is an agent that has registered with this master and has not been removed since. An Agent that a State
// holds is never changed.
type Agent struct {
	rev uint64

	ID string
	// Encoded is the encoded AgentInfo, with the id.
	Encoded  []byte
	Hostname string
	Port     int32
	// HTTPAddress is host:port of the agent's HTTP endpoint.
	HTTPAddress string
	Version     string
	// Instance is the random id of the agent's work directory, empty when it was not told.
	Instance     string
	Principal    string
	Capabilities []mesos.AgentInfo_Capability_Type
	Attributes   []resource.Attribute
	Region, Zone string

	// Connected agents have a connection, which is Conn.
	Connected bool
	Conn      ConnID
	// Active agents may be offered. Here it is the same as Connected.
	Active bool

	RegisteredTime time.Time
	// ReregisteredTime is zero when it has registered once only with this master.
	ReregisteredTime time.Time

	// Total is all that the agent has, allocated to nobody.
	Total resource.Resources
	// Free is what of Total no framework uses or is offered, allocated to nobody.
	Free resource.Resources
	// Uses are what frameworks use and are offered, in the order of their ids.
	Uses []Use

	offerParts   *mesos.Offer // the parts that all offers of the agent have in common
	overdrawn    bool         // what is used does not fit Total
	missed       int          // pings without answer
	ping         uint64       // the number of the latest ping
	pingAt       time.Duration
	reregisterAt time.Duration
	leaving      leaving // the commit under way that will take the agent away
}

// leaving says which registry change, if any, is about to remove an agent.
type leaving uint8

const (
	staying leaving = iota
	becomingUnreachable
	unregistering
)

// Use is what one framework has of an agent.
type Use struct {
	Framework string
	// Used is held by tasks, Offered by outstanding offers. Both carry the role they are allocated to.
	Used    resource.Resources
	Offered resource.Resources
}

// Info decodes the agent's description.
func (a *Agent) Info() *mesos.AgentInfo {
	info := &mesos.AgentInfo{}
	mustDecode(a.Encoded, info)
	return info
}

// PID is the agent's name in the legacy endpoints: slave(1)@host:port.
func (a *Agent) PID() string { return "slave(1)@" + a.HTTPAddress }

// Used is what all frameworks' tasks hold.
func (a *Agent) Used() resource.Resources {
	return a.sum(func(u *Use) resource.Resources { return u.Used })
}

// Offered is what all outstanding offers hold.
func (a *Agent) Offered() resource.Resources {
	return a.sum(func(u *Use) resource.Resources { return u.Offered })
}

func (a *Agent) sum(part func(*Use) resource.Resources) resource.Resources {
	var all resource.Resources
	for i := range a.Uses {
		if sum, err := all.Add(part(&a.Uses[i])); err == nil {
			all = sum
		}
	}
	return all
}

func compareUse(u Use, framework string) int { return strings.Compare(u.Framework, framework) }

// RecoveredAgent is an agent that the registry has as admitted and that has not come back to this master yet.
type RecoveredAgent struct {
	ID string
	// Encoded is the encoded AgentInfo.
	Encoded  []byte
	Hostname string
}

// Info decodes the agent's description.
func (a *RecoveredAgent) Info() *mesos.AgentInfo {
	info := &mesos.AgentInfo{}
	mustDecode(a.Encoded, info)
	return info
}
