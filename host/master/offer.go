package master

import (
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Offer is an outstanding offer: resources of one agent, for one framework in one role. It never changes.
type Offer struct {
	ID        string
	Framework string
	Agent     string
	Role      string
	// Resources carry the role they are allocated to.
	Resources resource.Resources

	expires time.Duration // monotonic; 0 when the offer is held as long as it takes
}
