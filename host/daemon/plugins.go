package daemon

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/cgroup"
)

// pluginSpecs turns the plugin blocks of some kinds into what the plugin host runs. dir is where binaries are that
// a block does not name; empty means the folder of this program.
func pluginSpecs(s *config.Settings, dir string, kinds ...string) ([]pluginhost.Spec, error) {
	if dir == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the plugins' folder (or set plugin_dir): %w", err)
		}
		dir = filepath.Dir(self)
	}
	var specs []pluginhost.Spec
	for _, kind := range kinds {
		for _, p := range s.Of(kind) {
			specs = append(specs, pluginhost.Spec{
				Kind: p.Kind, Name: p.Name, Binary: p.Path(dir), SHA256: p.SHA256, User: p.User, Group: p.Group,
				Timeout: p.Timeout, Env: p.Env, Plain: p.TLS == "off", Cgroup: cgroupLimits(p), Config: p,
			})
		}
	}
	return specs, nil
}

// cgroupLimits are those of a plugin's cgroup, nil when it is to have none.
func cgroupLimits(p config.Plugin) *cgroup.Limits {
	if p.Cgroup == nil {
		return nil
	}
	return &cgroup.Limits{CPUs: p.Cgroup.CPUs, Memory: p.Cgroup.Memory, PIDs: p.Cgroup.PIDs}
}

// The kinds of plugins that each daemon starts.
var (
	masterKinds = []string{"allocator", "authorizer"}
	agentKinds  = []string{"authorizer", "isolator"}
)
