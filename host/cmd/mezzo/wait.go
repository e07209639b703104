package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/client"
)

// waitPoll is how often a cluster that is not ready is looked at.
const waitPoll = 100 * time.Millisecond

func newWait(o *options) *cobra.Command {
	agents, process := 1, 0
	timeout := time.Minute
	cmd := &cobra.Command{
		Use: "wait", Short: "Wait until a cluster is ready for work", GroupID: "work", Args: args(cobra.NoArgs),
		Long:    "Waits until a master leads and enough agents are registered and active.",
		Example: "  mezzo local configs/local.hcl & mezzo wait --process $! && mezzo run -- 'echo ready'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			defer c.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			n, err := waitReady(ctx, c, agents, process)
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), rows{
				header: []string{"state", "agents"}, cells: [][]string{{"ready", fmt.Sprint(n)}}, value: map[string]int{"agents": n},
			})
		},
	}
	cmd.Flags().IntVar(&agents, "agents", agents, "how many agents to wait for")
	cmd.Flags().IntVar(&process, "process", 0, "give up when this process has ended (a pid)")
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "give up after this long")
	return cmd
}

func waitReady(ctx context.Context, c *client.Client, agents, process int) (int, error) {
	last := 0
	for {
		n, err := activeAgents(ctx, c)
		if err == nil {
			last = n
		}
		if process != 0 && !alive(process) {
			return 0, fmt.Errorf("process %d has ended before the cluster was ready", process)
		}
		if err == nil && n >= agents {
			return n, nil
		}
		select {
		case <-ctx.Done():
			if err == nil || errors.Is(err, ctx.Err()) {
				err = fmt.Errorf("%d of %d agents are active", last, agents)
			}
			return 0, fmt.Errorf("the cluster is not ready: %w", err)
		case <-time.After(waitPoll):
		}
	}
}

func activeAgents(ctx context.Context, c *client.Client) (int, error) {
	list, err := c.Agents(ctx)
	n := 0
	for _, a := range list {
		if a.GetActive() {
			n++
		}
	}
	return n, err
}
