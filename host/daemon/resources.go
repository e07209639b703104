package daemon

import (
	"fmt"
	"math"
	"os"
	"runtime"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// What an agent is taken to have where the machine does not tell: MB of memory and of disk.
const (
	unknownMem  = 1024
	unknownDisk = 10240
	// defaultPorts are offered where the configuration names none.
	defaultPorts = "[31000-32000]"
)

// agentResources returns what the configuration says the agent has, completed by what the machine has of cpus,
// mem, disk and ports where it does not say.
func agentResources(configured, role, workDir string) (resource.Resources, error) {
	given, err := resource.Parse(configured, role)
	if err != nil {
		return resource.Resources{}, fmt.Errorf("resources: %w", err)
	}
	named := map[string]bool{}
	for r := range given.All() {
		named[r.Name] = true
	}
	found := []struct{ name, value string }{
		{"cpus", fmt.Sprint(runtime.NumCPU())},
		{"mem", fmt.Sprint(spare(totalMemory(), 1024, 2048, unknownMem))},
		{"disk", fmt.Sprint(spare(totalDisk(workDir), 5120, 10240, unknownDisk))},
		{"ports", defaultPorts},
	}
	total := given
	for _, f := range found {
		if named[f.name] {
			continue
		}
		more, err := resource.Parse(f.name+":"+f.value, role)
		if err != nil {
			return resource.Resources{}, fmt.Errorf("resources of this machine: %w", err)
		}
		if total, err = total.Add(more); err != nil {
			return resource.Resources{}, fmt.Errorf("resources: %w", err)
		}
	}
	return total, nil
}

// spare is what of a machine's MB is given to tasks: all but a reserve, or half of a small machine's
// (https://mesos.apache.org/documentation/latest/attributes-resources/).
func spare(total, reserve, small, unknown uint64) uint64 {
	switch {
	case total == 0:
		return unknown
	case total < small:
		return total / 2
	}
	return total - reserve
}

// megabytes converts bytes, rounding down.
func megabytes(bytes uint64) uint64 { return min(bytes>>20, math.MaxInt64/1000) }

// hostname returns the configured name or the machine's own.
func hostname(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("find this machine's name (or set hostname): %w", err)
	}
	return name, nil
}
