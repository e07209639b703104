package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/daemon"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
)

func newConfig(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check configuration files", GroupID: "check"}
	offline := false
	validate := &cobra.Command{
		Use: "validate FILE", Short: "Check a configuration without starting it", Args: args(cobra.ExactArgs(1)),
		Long: `Reads a configuration file, or all *.hcl files of a folder, and checks everything that can be checked without
starting a daemon: syntax, names, types, values; then each plugin is started by itself, says what its config block may
hold, and judges it (that policies compile, say). Every mistake is shown at its line.`,
		Example: "  mezzo config validate configs/local.hcl\n  mezzo config validate --offline /etc/mezzo",
		RunE: func(cmd *cobra.Command, a []string) error {
			settings, err := config.Load(a[0])
			if err != nil {
				return err
			}
			for _, w := range settings.Warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			checked := 0
			if !offline {
				specs, err := daemon.PluginSpecs(settings)
				if err != nil {
					return err
				}
				if err := pluginhost.Check(cmd.Context(), pluginhost.Options{Logger: slog.New(slog.DiscardHandler)}, specs); err != nil {
					return err
				}
				checked = len(specs)
			}
			return o.print(cmd.OutOrStdout(), rows{
				header: []string{"file", "state", "plugins checked"}, cells: [][]string{{a[0], "valid", fmt.Sprint(checked)}},
				value: map[string]any{"file": a[0], "valid": true, "plugins_checked": checked},
			})
		},
	}
	validate.Flags().BoolVar(&offline, "offline", false, "do not start plugins: their config blocks stay unchecked")
	cmd.AddCommand(validate)
	return cmd
}
