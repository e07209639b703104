package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/daemon"
)

func newPluginLock(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "lock FILE", Short: "Pin the plugins' programs by checksum, in a file beside the configuration", Args: args(cobra.ExactArgs(1)),
		Long: `Writes into a lock file beside a configuration the checksums of its plugins' programs as they are now, and what they
say of themselves: name, version, services, capabilities and what their config blocks may hold. cluster.hcl gets
cluster.lock.json, a folder mezzo.lock.json. Masters and agents start no plugin whose program is another, and none that
has no checksum, here or in its block; mezzo config validate --offline needs nothing but this file. Run it again after a
plugin has been upgraded, and review what has changed.`,
		Example: "  mezzo plugin lock /etc/mezzo/master.hcl",
		RunE: func(cmd *cobra.Command, a []string) error {
			settings, err := config.LoadUnlocked(a[0])
			if err != nil {
				return err
			}
			lock, err := daemon.LockPlugins(cmd.Context(), settings)
			if err != nil {
				return err
			}
			if _, err := lock.Write(a[0]); err != nil {
				return err
			}
			r := rows{header: []string{"kind", "name", "version", "sha256"}, empty: "This configuration has no plugins.", value: &lock}
			for _, key := range slices.Sorted(maps.Keys(lock.Plugins)) {
				kind, name, _ := strings.Cut(key, " ")
				r.cells = append(r.cells, []string{kind, name, lock.Plugins[key].Version, lock.Plugins[key].SHA256})
			}
			return o.print(cmd.OutOrStdout(), r)
		},
	}
}
