package daemon

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// What an agent is taken to have where the machine does not tell: MB of memory and of disk.
const (
	unknownMem  = 1024
	unknownDisk = 10240
	// defaultPorts are offered where the configuration names none.
	defaultPorts = "[31000-32000]"
)

// contribution is what an isolator brings to the agent, unreserved.
type contribution struct {
	isolator  string
	resources resource.Resources
}

// agentResources returns what the configuration says the agent has and what isolators bring, completed by what the
// machine has of cpus, mem, disk and ports where neither says.
func agentResources(configured, role, workDir string, contributed []contribution) (resource.Resources, error) {
	given, err := resource.Parse(configured, role)
	if err != nil {
		return resource.Resources{}, fmt.Errorf("resources: %w", err)
	}
	named := map[string]string{}
	for _, name := range configuredNames(configured) {
		named[name] = "the agent's configuration (resources)"
	}
	found := []struct{ name, value string }{
		{"cpus", fmt.Sprint(runtime.NumCPU())},
		{"mem", fmt.Sprint(spare(totalMemory(), 1024, 2048, unknownMem))},
		{"disk", fmt.Sprint(spare(totalDisk(workDir), 5120, 10240, unknownDisk))},
		{"ports", defaultPorts},
	}
	total, err := withContributed(given, role, contributed, named)
	if err != nil {
		return resource.Resources{}, err
	}
	for _, f := range found {
		if named[f.name] != "" {
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

// configuredNames are what resources, which can be read, name, also with nothing of it: who writes disk:0 wants no disk
// to be found.
func configuredNames(resources string) []string {
	var list []struct{ Name string }
	if json.Unmarshal([]byte(resources), &list) != nil {
		for entry := range strings.SplitSeq(resources, ";") {
			head, _, _ := strings.Cut(entry, ":")
			name, _, _ := strings.Cut(head, "(")
			list = append(list, struct{ Name string }{strings.TrimSpace(name)})
		}
	}
	var names []string
	for _, r := range list {
		names = append(names, r.Name)
	}
	return names
}

// withContributed adds what isolators bring, in the agent's default role. named has who names which resource already.
func withContributed(total resource.Resources, role string, contributed []contribution, named map[string]string) (resource.Resources, error) {
	for _, c := range contributed {
		by := fmt.Sprintf("isolator %q", c.isolator)
		for r := range c.resources.All() {
			if other := named[r.Name]; other != "" && other != by {
				return resource.Resources{}, fmt.Errorf("%s contributes %s, which %s gives, too: take it out of one of them", by, r.Name, other)
			}
			named[r.Name] = by
		}
		more := c.resources
		var err error
		if role != "" && role != "*" {
			if more, err = more.PushReservation(resource.Reservation{Type: resource.Static, Role: role}); err != nil {
				return resource.Resources{}, fmt.Errorf("%s: %w", by, err)
			}
		}
		if total, err = total.Add(more); err != nil {
			return resource.Resources{}, fmt.Errorf("%s: %w", by, err)
		}
	}
	return total, nil
}

// ignoringFound is what an agent has, with what it finds out on its machine as it had that before.
func ignoringFound(had, has resource.Resources, configured string, contributed []contribution) ([]*mesos.Resource, error) {
	found := map[string]bool{"cpus": true, "mem": true, "disk": true, "ports": true}
	for _, name := range configuredNames(configured) {
		delete(found, name)
	}
	for _, c := range contributed {
		for r := range c.resources.All() {
			delete(found, r.Name)
		}
	}
	kept := had.Filter(func(r resource.Resource) bool { return found[r.Name] })
	all, err := kept.Add(has.Filter(func(r resource.Resource) bool { return !found[r.Name] }))
	if err != nil {
		return nil, fmt.Errorf("compare the agent's resources: %w", err)
	}
	return wire.ToMesos(all, wire.Format{RefinedReservations: true}), nil
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
