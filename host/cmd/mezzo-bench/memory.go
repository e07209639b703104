package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// idle is how long the cluster is left alone before its memory is read.
const idle = 5 * time.Second

func newMemory(r *report, bin *string) *cobra.Command {
	tasks := 50
	cmd := &cobra.Command{
		Use: "memory", Short: "Memory of the daemons, of a task, and of the master's state",
		Long: `Reads the resident memory of an idle master and agent, then launches sleeping tasks and reads how much the
processes of ours (the agent, its plugins, and each task's mezzo-init; not the sleep itself) have grown by, as their
proportional share. Then fills the master's state machine, in this process, with 100,000 tasks.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Minute)
			defer cancel()
			c, err := startCluster(ctx, *bin)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.stop()) }()
			figures, err := measureMemory(ctx, c, tasks)
			if err != nil {
				return fmt.Errorf("%w%s", err, c.logTail())
			}
			return r.print(c.configuration(), figures)
		},
	}
	cmd.Flags().IntVar(&tasks, "tasks", tasks, "how many tasks to have running")
	return cmd
}

func measureMemory(ctx context.Context, c *cluster, tasks int) ([]figure, error) {
	time.Sleep(idle)
	master, err := memoryOf(c.masterProcess.Process.Pid)
	if err != nil {
		return nil, err
	}
	agent, err := memoryOf(c.agentProcess.Process.Pid)
	if err != nil {
		return nil, err
	}
	ours := func(pid int) bool { return !isSleep(pid) }
	before, err := memoryBelow(c.agentProcess.Process.Pid, ours)
	if err != nil {
		return nil, err
	}
	s, err := subscribe(ctx, c.master)
	if err != nil {
		return nil, err
	}
	defer s.close(ctx)
	if err := runSleepers(ctx, s, tasks); err != nil {
		return nil, err
	}
	time.Sleep(idle)
	after, err := memoryBelow(c.agentProcess.Process.Pid, ours)
	if err != nil {
		return nil, err
	}
	perTask, err := masterBytesPerTask(100_000)
	if err != nil {
		return nil, err
	}
	return []figure{
		{"master_rss_mib", "MiB", master.rss, "40"},
		{"agent_rss_mib", "MiB", agent.rss, "40"},
		{"agent_with_plugins_rss_mib", "MiB", before.rss, "120"},
		{"per_task_pss_mib", "MiB", (after.pss - before.pss) / float64(tasks), "4"},
		{"master_bytes_per_task", "bytes", perTask, "1500"},
	}, nil
}
