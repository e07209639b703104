package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/daemon"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
)

func newPluginLock(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "lock FILE", Short: "Pin the plugins' programs by checksum, in a file beside the configuration", Args: args(cobra.ExactArgs(1)),
		Long: `Writes the checksums of a configuration's plugins, as their programs are now, into a lock file beside it: cluster.hcl
gets cluster.lock.json, a folder mezzo.lock.json. Masters and agents start no plugin whose program is another, and none
that has no checksum, here or in its block. Run it again after a plugin has been upgraded.`,
		Example: "  mezzo plugin lock /etc/mezzo/master.hcl",
		RunE: func(cmd *cobra.Command, a []string) error {
			settings, err := config.Load(a[0])
			if err != nil {
				return err
			}
			specs, err := daemon.PluginSpecs(settings)
			if err != nil {
				return err
			}
			lock := config.Lock{Plugins: map[string]config.Locked{}}
			r := rows{header: []string{"kind", "name", "version", "sha256"}, empty: "This configuration has no plugins.", value: &lock}
			for _, s := range specs {
				s.SHA256 = "" // what was locked before does not count
				d, err := pluginhost.Inspect(cmd.Context(), pluginhost.Options{Logger: slog.New(slog.DiscardHandler)}, s)
				if err != nil {
					return err
				}
				lock.Plugins[config.LockKey(s.Kind, s.Name)] = config.Locked{SHA256: d.SHA256, Version: d.Version}
				r.cells = append(r.cells, []string{s.Kind, s.Name, d.Version, d.SHA256})
			}
			if _, err := lock.Write(a[0]); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), r)
		},
	}
}
