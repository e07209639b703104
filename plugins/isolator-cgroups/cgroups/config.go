//go:build linux

package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mezzo-cluster/mezzo/sdk"
)

// Config is the config block the operator writes.
type Config struct {
	Root                    string `config:"root" default:"mezzo" doc:"Cgroup that holds those of all agents of this machine; each has one of its own in it."`
	Hierarchy               string `config:"hierarchy" default:"/sys/fs/cgroup" doc:"Where cgroups are mounted: the one hierarchy of version 2, or the folder with one for each controller of version 1."`
	EnableCFS               bool   `config:"enable_cfs" default:"false" doc:"Limit every task to the cpus it was given, not only those that set a limit."`
	LimitSwap               bool   `config:"limit_swap" default:"false" doc:"Count swap against the memory limit. Version 1 only."`
	PidsLimit               int    `config:"pids_limit" default:"0" min:"0" max:"4194304" doc:"Processes and threads that a container may have; 0 for no limit."`
	RevocableCPULowPriority bool   `config:"revocable_cpu_low_priority" default:"true" doc:"Give tasks on revocable cpus a hundredth of the weight of others."`
}

// controllers are what every container is confined with.
var controllers = []string{"cpu", "memory", "pids"}

// open finds the hierarchy and checks that it has what is needed.
func open(c Config) (hierarchy, error) {
	if !filepath.IsAbs(c.Hierarchy) {
		return nil, sdk.ConfigError(fmt.Errorf("%q is not an absolute path", c.Hierarchy), "hierarchy")
	}
	if c.Root == "" || !filepath.IsLocal(c.Root) || filepath.Clean(c.Root) != c.Root || c.Root == "." {
		return nil, sdk.ConfigError(fmt.Errorf("%q is not the name of a cgroup below the hierarchy", c.Root), "root")
	}
	unified, err := isUnified(c.Hierarchy)
	if err != nil {
		return nil, sdk.ConfigError(err, "hierarchy")
	}
	if unified {
		return openUnified(c)
	}
	return openSeparate(c)
}

// isUnified tells whether a folder is a hierarchy of version 2.
func isUnified(folder string) (bool, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return false, fmt.Errorf("look for cgroups at %s: %w", folder, err)
	}
	return fs.Type == unix.CGROUP2_SUPER_MAGIC, nil
}

// openUnified is open for version 2.
func openUnified(c Config) (hierarchy, error) {
	if c.LimitSwap {
		return nil, sdk.ConfigError(errors.New("cgroups of version 2 are in use, with which swap cannot be limited along with memory"), "limit_swap")
	}
	b, err := os.ReadFile(filepath.Join(c.Hierarchy, "cgroup.controllers"))
	if err != nil {
		return nil, sdk.ConfigError(err, "hierarchy")
	}
	have := strings.Fields(string(b))
	if missing := lacking(have, controllers); len(missing) > 0 {
		return nil, sdk.ConfigError(fmt.Errorf("the hierarchy at %s (version 2) lacks the controllers %s: it has %q. "+
			"They may be in use by version 1, or disabled on the kernel's command line",
			c.Hierarchy, strings.Join(missing, ", "), strings.Join(have, " ")), "hierarchy")
	}
	return newUnified(c.Hierarchy)
}

// openSeparate is open for version 1.
func openSeparate(c Config) (hierarchy, error) {
	var have []string
	wanted := append([]string{"cpuacct"}, controllers...)
	for _, name := range wanted {
		var fs unix.Statfs_t
		err := unix.Statfs(filepath.Join(c.Hierarchy, name), &fs)
		if err == nil && fs.Type == unix.CGROUP_SUPER_MAGIC {
			have = append(have, name)
		}
	}
	if missing := lacking(have, wanted); len(missing) > 0 {
		return nil, sdk.ConfigError(fmt.Errorf("there is neither a hierarchy of version 2 at %s, nor are the controllers %s of version 1 mounted below it",
			c.Hierarchy, strings.Join(missing, ", ")), "hierarchy")
	}
	return newSeparate(c.Hierarchy, c.LimitSwap)
}

func lacking(have, wanted []string) []string {
	var out []string
	for _, w := range wanted {
		found := false
		for _, h := range have {
			found = found || h == w
		}
		if !found {
			out = append(out, w)
		}
	}
	return out
}
