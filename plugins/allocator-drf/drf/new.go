package drf

import (
	"context"
	"math/rand/v2"

	"github.com/mezzo-cluster/mezzo/sdk"
)

// New makes the plugin of a configuration. A seed of 0 is replaced by a random one.
func New(_ context.Context, host sdk.Host, c Config) (*Allocator, error) {
	if c.Seed == 0 {
		c.Seed = rand.Uint64() // no secret
	}
	a, err := NewAllocator(c)
	if err != nil {
		return nil, err
	}
	if host.Logger != nil {
		host.Logger.Debug("allocator configured", "allocation_interval", c.AllocationInterval, "seed", c.Seed)
	}
	return a, nil
}
