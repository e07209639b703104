package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/daemon"
)

func newConfig(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check configuration files", GroupID: "check"}
	offline := false
	validate := &cobra.Command{
		Use: "validate FILE", Short: "Check a configuration without starting it", Args: args(cobra.ExactArgs(1)),
		Long: `Reads a configuration file, or all *.hcl files of a folder, and checks everything that can be checked without
starting a daemon: syntax, names, types, values; then each plugin is started by itself, says what its config block may
hold, and judges it (that policies compile, say). Every mistake is shown at its line, and so are warnings, which are no
mistakes. Only plugins with a checksum, in their block or in the lock file, are started, unless the file has both a
master and an agent, for mezzo local.

With --offline nothing is started, and the plugins need not be on this machine: config blocks are checked against what
the lock file keeps of the plugins. What only a plugin can judge stays unchecked.`,
		Example: "  mezzo config validate configs/local.hcl\n  mezzo plugin lock /etc/mezzo && mezzo config validate --offline /etc/mezzo",
		RunE: func(cmd *cobra.Command, a []string) error {
			settings, err := config.Load(a[0])
			if err != nil {
				return err
			}
			warnings, checked := settings.Warnings, 0
			if offline {
				checked, err = daemon.ValidateOffline(settings)
			} else {
				var more []string
				more, checked, err = daemon.Validate(cmd.Context(), settings)
				warnings = append(warnings, more...)
			}
			for _, w := range warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), rows{
				header: []string{"file", "state", "plugins checked"}, cells: [][]string{{a[0], "valid", fmt.Sprint(checked)}},
				value: map[string]any{"file": a[0], "valid": true, "plugins_checked": checked, "warnings": append([]string{}, warnings...)},
			})
		},
	}
	validate.Flags().BoolVar(&offline, "offline", false, "start no plugin: check their config blocks by what the lock file keeps of them")
	cmd.AddCommand(validate)
	return cmd
}
