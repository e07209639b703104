package config

import (
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// Cgroup is a plugin's cgroup block: what its process may use, together with all that it starts. Zero is no limit.
type Cgroup struct {
	CPUs   float64 // processors
	Memory int64   // bytes
	PIDs   int     // processes and threads
}

// Bounds of the values. Below the least ones no plugin runs, and the kernel knows no less of a processor.
const (
	leastCPUs, mostCPUs     = 0.01, 10_000
	leastMemory, mostMemory = 1 << 20, 1 << 50
	mostPIDs                = 4_194_304
)

func (c *Cgroup) fields() []field {
	return []field{
		{name: "cpus", set: c.setCPUs},
		{name: "memory", set: c.setMemory},
		count("pids", &c.PIDs, 1).and(func() error {
			if c.PIDs > mostPIDs {
				return fmt.Errorf("%d is more than %d", c.PIDs, mostPIDs)
			}
			return nil
		}),
	}
}

func (c *Cgroup) setCPUs(v cty.Value) error {
	if v.Type() != cty.Number {
		return fmt.Errorf("a number of processors is needed, such as 0.5, not %s", v.Type().FriendlyName())
	}
	if c.CPUs, _ = v.AsBigFloat().Float64(); c.CPUs < leastCPUs || c.CPUs > mostCPUs {
		return fmt.Errorf("%s is not from %v to %v", figure(v.AsBigFloat()), leastCPUs, mostCPUs)
	}
	return nil
}

func (c *Cgroup) setMemory(v cty.Value) error {
	bytes, err := scalar(&pluginv1.Type{Kind: pluginv1.Kind_KIND_BYTES}, v)
	if err != nil {
		return err
	}
	// It comes as a plugin would get it.
	if c.Memory, err = strconv.ParseInt(fmt.Sprint(bytes), 10, 64); err != nil || c.Memory < leastMemory || c.Memory > mostMemory {
		return fmt.Errorf("%v bytes are not from 1MiB to 1024TiB", bytes)
	}
	return nil
}

// cgroup reads the block; an empty one gives a group without limits.
func (p *Plugin) cgroup(block *hcl.Block, eval *hcl.EvalContext) hcl.Diagnostics {
	p.Cgroup = &Cgroup{}
	_, diags := decode(block.Body, eval, p.Cgroup.fields())
	return diags
}
