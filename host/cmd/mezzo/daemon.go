package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/daemon"
)

func newLocal() *cobra.Command {
	data := ""
	cmd := &cobra.Command{
		Use: "local FILE", Short: "Run a master and an agent in one process, to try things out", GroupID: daemonGroup, Args: args(cobra.ExactArgs(1)),
		Long: `Runs a master and an agent on this machine, as a configuration file with both blocks says. Plugins need no checksum
here. Interrupted, it ends all tasks and then itself. Killed, it leaves the tasks running, and finds them again at the next
start on the same data.`,
		Example: "  mezzo local configs/local.hcl\n  mezzo local --data /tmp/mezzo configs/local.hcl",
	}
	cmd.Flags().StringVar(&data, "data", "", "keep everything in this folder, in place of the file's data_dir and work_dir")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		settings, err := config.Load(a[0])
		if err != nil {
			return err
		}
		if settings.Master == nil || settings.Agent == nil {
			return fmt.Errorf("%s has no %s block; `mezzo local` needs both", a[0], missing(settings))
		}
		if err := useData(settings, data); err != nil {
			return err
		}
		return daemon.RunLocal(cmd.Context(), daemon.Options{Settings: settings, Path: a[0], Log: daemon.NewLogger(cmd.ErrOrStderr(), settings.Log)})
	}
	return cmd
}

func missing(s *config.Settings) string {
	if s.Master == nil {
		return "master"
	}
	return "agent"
}

func newMaster() *cobra.Command {
	return &cobra.Command{
		Use: "master FILE", Short: "Run a master", GroupID: daemonGroup, Args: args(cobra.ExactArgs(1)),
		Long:    "Runs a master as the file's master block says. See `mezzo config validate` and docs/operators.md.",
		Example: "  mezzo master /etc/mezzo/master.hcl",
		RunE: func(cmd *cobra.Command, a []string) error {
			settings, err := config.Load(a[0])
			if err != nil {
				return err
			}
			if settings.Master == nil {
				return fmt.Errorf("%s has no master block", a[0])
			}
			return daemon.RunMaster(cmd.Context(), daemon.Options{Settings: settings, Path: a[0], Log: daemon.NewLogger(cmd.ErrOrStderr(), settings.Log)})
		},
	}
}

func newAgent() *cobra.Command {
	return &cobra.Command{
		Use: "agent FILE", Short: "Run an agent", GroupID: daemonGroup, Args: args(cobra.ExactArgs(1)),
		Long: `Runs an agent as the file's agent block says. Interrupted or killed, it leaves its containers running, and finds them
again at the next start; SIGUSR1 ends its tasks and has it leave the cluster.`,
		Example: "  mezzo agent /etc/mezzo/agent.hcl",
		RunE: func(cmd *cobra.Command, a []string) error {
			settings, err := config.Load(a[0])
			if err != nil {
				return err
			}
			if settings.Agent == nil {
				return fmt.Errorf("%s has no agent block", a[0])
			}
			return daemon.RunAgent(cmd.Context(), daemon.Options{Settings: settings, Path: a[0], Log: daemon.NewLogger(cmd.ErrOrStderr(), settings.Log)})
		},
	}
}
