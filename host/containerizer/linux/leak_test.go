//go:build linux && !cgroups2

package linux_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/plugins/isolator-cgroups/cgroups"
)

// TestNothingLeaks runs containers that end in every way, and compares this process and the machine before and after.
func TestNothingLeaks(t *testing.T) { //nolint:paralleltest // it counts descriptors and mounts
	r := withCgroups(t, cgroups.Config{})
	round := func(n int) {
		var ids []string
		launch := func(id, command string) {
			id += itoa(n)
			ids = append(ids, id)
			r.c.Launch(context.Background(), r.confined(id, command, 100, 32000))
		}
		launch("ok", "true")
		launch("fails", "exit 1")
		launch("leaves-children", "sleep 1000 & setsid sleep 1000 &")
		launch("mounts", "mount -t tmpfs none /mnt")
		launch("oom", "exec tail /dev/zero")
		launch("destroyed", "sleep 1000")
		launch("destroyed-early", "sleep 1000")
		r.c.Destroy(context.Background(), ids[len(ids)-1])
		r.c.Destroy(context.Background(), ids[len(ids)-2])
		for _, id := range ids {
			for {
				if _, ok := r.next(id).(containerizer.Cleaned); ok {
					break
				}
			}
			r.c.Destroy(context.Background(), id)
		}
	}
	round(0)
	before := counts(t)
	for n := range 5 {
		round(n + 1)
	}
	until(t, "descriptors, mounts and threads as before: "+before, func() bool { return counts(t) == before })
	until(t, "no file or cgroup is left", func() bool {
		left, err := os.ReadDir(filepath.Join(r.config.RuntimeDir, r.config.Instance))
		return err == nil && len(left) == 0 && len(r.cgroupsLeft()) == 0
	})
}

// counts are this process's descriptors and children, and the mounts.
func counts(t *testing.T) string {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return itoa(len(fds)) + " descriptors, " + itoa(strings.Count(string(mounts), "\n")) + " mounts, " +
		itoa(len(descendants(t, os.Getpid()))) + " processes"
}
