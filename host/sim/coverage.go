package sim

import (
	"maps"
	"slices"
)

// Coverage says what has happened in runs, and how often: by "effect master SendAgent", "effect agent Launch",
// "fault agent killed", "state TASK_RUNNING" (a state that a framework was told), "event ...", "timer ...".
type Coverage map[string]int

// Add counts in what another run had.
func (c Coverage) Add(o Coverage) {
	for k, n := range o {
		c[k] += n
	}
}

// Keys are what has happened at least once, in order.
func (c Coverage) Keys() []string { return slices.Sorted(maps.Keys(c)) }

func (c Coverage) hit(kind, what string) { c[kind+" "+what]++ }
