package main

import (
	"context"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// testAllocator offers everything that is free.
type testAllocator struct {
	mode   string
	config Config
}

func newAllocator(mode string) func(context.Context, sdk.Host, Config) (*testAllocator, error) {
	return func(_ context.Context, h sdk.Host, c Config) (*testAllocator, error) {
		if err := c.check(h, mode); err != nil {
			return nil, err
		}
		return &testAllocator{mode: mode, config: c}, start(mode)
	}
}

func (a *testAllocator) Allocate(ctx context.Context, in allocator.Cycle) ([]allocator.Offer, error) {
	misbehave(a.mode)
	if err := pause(ctx, a.config.Pause); err != nil {
		return nil, err
	}
	return in.OfferAll(in.Agents), nil
}
