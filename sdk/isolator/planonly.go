package isolator

import (
	"context"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// PlanOnly is for isolators that say how a container is started and leave nothing on the machine: embed it, and
// write Prepare alone. There is nothing to recover, to measure, to watch or to clean up then. Whoever makes
// something that is there after Prepare writes Recover and Cleanup as well.
type PlanOnly struct{}

// Recover knows of no container.
func (PlanOnly) Recover(context.Context, string, []Container) ([]Container, error) { return nil, nil }

// Isolate does nothing.
func (PlanOnly) Isolate(context.Context, Container, int) error { return nil }

// Watch waits until ctx ends.
func (PlanOnly) Watch(ctx context.Context, _ Container, _ func(Limitation) error) error {
	<-ctx.Done()
	return nil
}

// Update does nothing: what is planned once is not changed.
func (PlanOnly) Update(context.Context, Container, resource.Resources, map[string]resource.Limit) error {
	return nil
}

// Usage measures nothing.
func (PlanOnly) Usage(context.Context, []Container) (map[string]Usage, error) { return nil, nil }

// Status has nothing to tell.
func (PlanOnly) Status(context.Context, []Container) (map[string]Status, error) { return nil, nil }

// Cleanup does nothing.
func (PlanOnly) Cleanup(context.Context, Container) error { return nil }
