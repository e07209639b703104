package isolator_test

import (
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// What is wrong with a plan is said with the entry's own name.
func TestValidate(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]isolator.Plan{
		`entry "PATH" is not name=value`:                              {Env: []string{"A=b", "PATH"}},
		`destination "tmp" is not a clean absolute path`:              {Mounts: []isolator.Mount{{Destination: "tmp"}}},
		`source of the mount at /a "b/" is not a clean absolute path`: {Mounts: []isolator.Mount{{Destination: "/a", Source: "b/", Options: []string{"rbind"}}}},
		`"NOFILE" is no name such as RLIMIT_NOFILE`:                   {Rlimits: []isolator.Rlimit{{Type: "NOFILE"}}},
		`soft value 2, which is above its hard one, 1`:                {Rlimits: []isolator.Rlimit{{Type: "RLIMIT_CPU", Soft: 2, Hard: 1}}},
		`"net" is none of [pid network`:                               {Namespaces: []isolator.Namespace{{Type: "net"}}},
		`type "char", which is none of c, b, u and p`:                 {Devices: []isolator.Device{{Path: "/dev/x", Type: "char"}}},
		`"/sys/fs/cgroups/x" is not below /sys/fs/cgroup`:             {CgroupPaths: []string{"/sys/fs/cgroups/x"}},
		`prestart command "true" is not a clean absolute path`:        {Prestart: []isolator.Command{{Path: "true"}}},
		`root file system "/a//b" is not a clean absolute path`:       {RootFS: "/a//b"},
	} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", p, err, want)
		}
	}
	if err := (isolator.Plan{}).Validate(); err != nil {
		t.Errorf("an empty plan: %v", err)
	}
}
