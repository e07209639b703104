// Command allocator-binpack is an allocator that fills one agent before it opens the next.
package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/serve"
)

// Config is the config block that the operator writes. The SDK publishes its schema, so the host reports a
// typo at the operator's file, line and column.
type Config struct {
	MaxUsed float64 `config:"max_used" default:"0.9" min:"0" max:"1" doc:"Leave agents fuller than this alone."`
}

type binpack struct{ Config }

// New runs once per configuration: a reload builds a fresh value, so no locks.
func New(_ context.Context, _ sdk.Host, c Config) (*binpack, error) { return &binpack{c}, nil }

func (b *binpack) Allocate(_ context.Context, in allocator.Cycle) ([]allocator.Offer, error) {
	open := slices.DeleteFunc(in.Agents, func(a allocator.CycleAgent) bool { return a.Used > b.MaxUsed })
	slices.SortFunc(open, func(x, y allocator.CycleAgent) int { return cmp.Compare(y.Used, x.Used) })
	return in.OfferAll(open), nil
}

func main() { serve.Allocator("binpack", "0.1.0", New) }
