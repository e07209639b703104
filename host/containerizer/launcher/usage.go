//go:build unix

package launcher

import (
	"fmt"
	"reflect"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
)

// mergeUsage takes over every figure that is known.
func mergeUsage(into, from containerizer.Usage) containerizer.Usage {
	dst, src := reflect.ValueOf(&into).Elem(), reflect.ValueOf(from)
	for n := range src.NumField() {
		if field := src.Field(n); field.Kind() == reflect.Pointer && !field.IsNil() {
			dst.Field(n).Set(field)
		}
	}
	return into
}

// addProcessUsage adds what the system tells of the processes of containers of which no isolator has told.
func addProcessUsage(usage map[string]containerizer.Usage, containers []*container) error {
	ids := map[int]string{}
	var pids []int
	for _, c := range containers {
		if pid := c.status().Pid; pid > 0 && usage[c.id].CPUsUserTimeSecs == nil {
			ids[pid], pids = c.id, append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return nil
	}
	figures, err := processUsage(pids)
	if err != nil {
		return fmt.Errorf("read usage of processes: %w", err)
	}
	for pid, u := range figures {
		told := usage[ids[pid]]
		u.Timestamp = told.Timestamp
		usage[ids[pid]] = mergeUsage(u, told)
	}
	return nil
}
