//go:build linux

package linux_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
	"github.com/mezzo-cluster/mezzo/plugins/isolator-cgroups/cgroups"
	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// withCgroups is a rig with the shipped isolator, in process.
func withCgroups(t testing.TB, config cgroups.Config) *rig {
	t.Helper()
	config.Root, config.Hierarchy = "mezzo", "/sys/fs/cgroup"
	return newRig(t, func(c *launcher.Config) {
		i, err := cgroups.New(context.Background(), sdk.Host{Logger: slog.New(slog.DiscardHandler)}, config)
		if err != nil {
			t.Fatal(err)
		}
		c.Isolators = []containerizer.IsolatorInstance{{Name: "cgroups", Isolator: i}}
	})
}

func (r *rig) confined(id, command string, cpus, mem resource.Scalar) containerizer.Spec {
	r.t.Helper()
	spec := r.shell(id, command)
	var err error
	spec.Resources, err = resource.New(
		resource.Resource{Name: "cpus", Kind: resource.KindScalar, Scalar: cpus},
		resource.Resource{Name: "mem", Kind: resource.KindScalar, Scalar: mem},
	)
	if err != nil {
		r.t.Fatal(err)
	}
	return spec
}

// cgroupsLeft are the folders of the rig's cgroups that exist.
func (r *rig) cgroupsLeft() []string {
	found, err := filepath.Glob("/sys/fs/cgroup/*/mezzo/" + r.config.Instance)
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

func TestInCgroups(t *testing.T) {
	t.Parallel()
	r := withCgroups(t, cgroups.Config{})
	status, stdout, stderr := r.runToEnd(r.confined("in", "cat /proc/self/cgroup; (setsid cat /proc/self/cgroup)", 500, 64000))
	inside := ":/mezzo/" + r.config.Instance + "/in\n"
	if status != 0 || strings.Count(stdout, inside) != 8 { // four controllers, twice
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	if left := r.cgroupsLeft(); len(left) > 0 {
		t.Error("left:", left)
	}
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	r := withCgroups(t, cgroups.Config{})
	for id, command := range map[string]string{"itself": "exec tail /dev/zero", "a-child": "tail /dev/zero; sleep 1000"} {
		r.c.Launch(context.Background(), r.confined(id, command, 500, 32000))
		want[containerizer.Started](r, id)
		l := want[containerizer.Limited](r, id).Limitation
		if l.Isolator != "cgroups" || l.Resource != "mem" || l.Amount != 32000 || !strings.Contains(l.Message, "Memory limit exceeded") {
			t.Errorf("%s: %+v", id, l)
		}
		if exited := want[containerizer.Exited](r, id); exited.WaitStatus != 9 {
			t.Errorf("%s: %+v", id, exited)
		}
		want[containerizer.Cleaned](r, id)
	}
	if left := r.cgroupsLeft(); len(left) > 0 {
		t.Error("left:", left)
	}
}

func TestForkBomb(t *testing.T) {
	t.Parallel()
	r := withCgroups(t, cgroups.Config{PidsLimit: 50})
	r.c.Launch(context.Background(), r.confined("bomb", "b() { b | b & }; b; sleep 1000", 100, 64000))
	started := want[containerizer.Started](r, "bomb")
	until(t, "the bomb", func() bool {
		u, err := r.c.Usage(context.Background(), []string{"bomb"})
		return err == nil && *u["bomb"].Threads >= 40
	})
	r.c.Destroy(context.Background(), "bomb")
	want[containerizer.Exited](r, "bomb")
	if cleaned := want[containerizer.Cleaned](r, "bomb"); cleaned.Err != nil {
		t.Error(cleaned.Err)
	}
	if alive(started.Pid) || len(r.cgroupsLeft()) > 0 {
		t.Error("something is left")
	}
}

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
		}
	}
	round(0)
	before := counts(t)
	for n := range 5 {
		round(n + 1)
	}
	until(t, "descriptors, mounts and threads as before: "+before, func() bool { return counts(t) == before })
	left, err := os.ReadDir(filepath.Join(r.config.RuntimeDir, r.config.Instance))
	if err != nil || len(left) > 0 || len(r.cgroupsLeft()) > 0 {
		t.Error("left:", left, r.cgroupsLeft(), err)
	}
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
