package main

import (
	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/version"
)

func newVersion(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.print(cmd.OutOrStdout(), rows{
				header: []string{"mezzo", "mesos api", "revision"},
				cells:  [][]string{{version.Mezzo(), version.Mesos, version.Revision()}},
				value:  map[string]string{"version": version.Mezzo(), "mesos_version": version.Mesos, "revision": version.Revision()},
			})
		},
	}
}
