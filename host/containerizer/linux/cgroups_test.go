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
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/mezzo/", "/sys/fs/cgroup/*/mezzo/"} {
		names, err := filepath.Glob(pattern + r.config.Instance)
		if err != nil {
			r.t.Fatal(err)
		}
		found = append(found, names...)
	}
	return found
}

func TestInCgroups(t *testing.T) {
	t.Parallel()
	r := withCgroups(t, cgroups.Config{})
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); (err == nil) != wantUnified {
		t.Fatal("this machine does not have the version of cgroups that this test is about")
	}
	r.c.Launch(context.Background(), r.confined("in", "cat /proc/self/cgroup; (cat /proc/self/cgroup); sleep 1000", 500, 64000))
	want[containerizer.Started](r, "in")
	folders := len(r.cgroupsLeft())
	inside := ":/mezzo/" + r.config.Instance + "/in\n"
	until(t, "its cgroups", func() bool { return strings.Count(r.read("in", "stdout"), inside) == 2*folders })
	if wanted := map[bool]int{false: 4, true: 1}[wantUnified]; folders != wanted {
		t.Errorf("there are cgroups in %d hierarchies, want %d", folders, wanted)
	}
	r.c.Destroy(context.Background(), "in")
	want[containerizer.Exited](r, "in")
	want[containerizer.Cleaned](r, "in")
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
