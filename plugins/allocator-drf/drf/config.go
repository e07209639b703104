package drf

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Config is the plugin's config block.
type Config struct {
	FairnessExclude    []string      `config:"fairness_exclude" doc:"Names of resources that do not count when shares are compared, for example gpus."`
	AllocationInterval time.Duration `config:"allocation_interval" default:"1s" doc:"How often resources that were given back are offered again. New agents and frameworks that want offers do not wait for it. It is also the least time for which declined resources are held back."`
	MinAllocatable     string        `config:"min_allocatable" default:"cpus:0.01|mem:32" doc:"The least that is worth an offer: sets of quantities, of which one has to be there. A set is written as cpus:1;mem:32, sets are parted by |. Empty offers anything."`
	FilterGPUResources bool          `config:"filter_gpu_resources" default:"true" doc:"Keep agents that have GPUs for frameworks with the GPU_RESOURCES capability."`
	Seed               uint64        `config:"seed" default:"0" min:"0" doc:"Decides in which order agents are looked at. The same seed gives the same order; 0 chooses one at each start."`
}

// DefaultConfig is the configuration of a block that sets nothing.
func DefaultConfig() Config {
	return Config{AllocationInterval: time.Second, MinAllocatable: "cpus:0.01|mem:32", FilterGPUResources: true}
}

// settings is a Config that was checked.
type settings struct {
	interval       time.Duration
	minAllocatable []resource.Quantities
	filterGPU      bool
}

func (c Config) settings() (settings, error) {
	s := settings{interval: c.AllocationInterval, filterGPU: c.FilterGPUResources}
	if c.AllocationInterval <= 0 {
		return s, sdk.ConfigError(fmt.Errorf("must be more than 0, and is %s", c.AllocationInterval), "allocation_interval")
	}
	for i, name := range c.FairnessExclude {
		if strings.TrimSpace(name) == "" {
			return s, sdk.ConfigError(errors.New("the name is empty"), "fairness_exclude", i)
		}
	}
	var err error
	if s.minAllocatable, err = parseMinimum(c.MinAllocatable); err != nil {
		return s, sdk.ConfigError(err, "min_allocatable")
	}
	return s, nil
}

// parseMinimum reads sets of quantities: cpus:0.01|mem:32.
func parseMinimum(text string) ([]resource.Quantities, error) {
	var sets []resource.Quantities
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, "|") {
		q, err := resource.ParseQuantities(part)
		if err != nil {
			return nil, err
		}
		sets = append(sets, q)
	}
	return sets, nil
}

// enough tells whether one of the sets is covered. No set at all asks for nothing. It does not allocate.
func enough(sets []resource.Quantities, r resource.Resources) bool {
	if len(sets) == 0 {
		return true
	}
	for _, set := range sets {
		if covers(r, set) {
			return true
		}
	}
	return false
}

func covers(r resource.Resources, q resource.Quantities) bool {
	for name, amount := range q.All() {
		if r.Amount(name) < amount {
			return false
		}
	}
	return true
}
