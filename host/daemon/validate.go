package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
)

// PluginSpecs returns all of a configuration's plugins.
func PluginSpecs(s *config.Settings) ([]pluginhost.Spec, error) {
	dir := ""
	switch {
	case s.Master != nil:
		dir = s.Master.PluginDir
	case s.Agent != nil:
		dir = s.Agent.PluginDir
	}
	return pluginSpecs(s, dir, config.Kinds()...)
}

// Validate reads the files that the daemons need, starts each of a configuration's plugins by itself, has it judge its
// config block, and ends it. It returns what
// they warn of, and how many there are. Only plugins with a checksum are started, as by the daemons, unless `mezzo local` is to run it.
func Validate(ctx context.Context, s *config.Settings) (warnings []string, checked int, err error) {
	specs, err := PluginSpecs(s)
	if err != nil {
		return nil, 0, err
	}
	local := s.Master != nil && s.Agent != nil
	warnings, err = pluginhost.Check(ctx, pluginhost.Options{RequireChecksum: !local}, specs)
	var files []error
	if m := s.Master; m != nil {
		files = append(files, checkFiles(m.TLS, m.Authentication))
	}
	if a := s.Agent; a != nil {
		files = append(files, checkFiles(a.TLS, a.Authentication))
	}
	return warnings, len(specs), errors.Join(append(files, err)...)
}

// ValidateOffline checks the plugins' config blocks by what the lock file keeps of the plugins, which need not be there.
// What only a plugin can judge, such as whether a policy compiles, stays unchecked.
func ValidateOffline(s *config.Settings) (checked int, err error) {
	specs, err := PluginSpecs(s)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, spec := range specs {
		locked, err := s.Locked(spec.Kind, spec.Name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", spec, err))
			continue
		}
		errs = append(errs, pluginhost.CheckOffline(spec, pluginhost.Description{
			Name: locked.Name, Version: locked.Version, Kinds: []string{spec.Kind}, Services: locked.Services,
			Capabilities: locked.Capabilities, Schema: locked.Schema, SHA256: locked.SHA256,
		}))
	}
	return len(specs), errors.Join(errs...)
}

// LockPlugins asks each of a configuration's plugins what it is, for the lock file. One whose block has a checksum is only
// started if its program has that.
func LockPlugins(ctx context.Context, s *config.Settings) (config.Lock, error) {
	specs, err := PluginSpecs(s)
	if err != nil {
		return config.Lock{}, err
	}
	lock := config.Lock{Plugins: map[string]config.Locked{}}
	for _, spec := range specs {
		d, err := pluginhost.Inspect(ctx, pluginhost.Options{}, spec)
		if err == nil {
			_, err = spec.Service(*d)
		}
		if err == nil {
			err = config.CheckSchema(d.Schema)
		}
		if err != nil {
			return lock, fmt.Errorf("%s: %w", spec, err)
		}
		lock.Plugins[config.LockKey(spec.Kind, spec.Name)] = config.Locked{
			SHA256: d.SHA256, Name: d.Name, Version: d.Version, Services: d.Services, Capabilities: d.Capabilities, Schema: d.Schema,
		}
	}
	return lock, nil
}
