package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/client"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func newLogs(o *options) *cobra.Command {
	var framework, file string
	follow, stderr := false, false
	cmd := &cobra.Command{
		Use: "logs TASK", Short: "Print what a task has written", GroupID: "work", Args: args(cobra.ExactArgs(1)),
		Long: `Prints a task's standard output, or another file of its sandbox. With -f it goes on until the task has ended.
The file is read from the task's agent, for as long as the agent keeps the sandbox.`,
		Example: "  mezzo logs task-1\n  mezzo logs -f task-1\n  mezzo logs --stderr task-1\n  mezzo logs --file data/report.txt task-1",
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			defer c.Close()
			ctx := cmd.Context()
			task, err := c.FindTask(ctx, a[0], framework)
			if err != nil {
				return err
			}
			sandbox, err := c.Sandbox(ctx, task)
			if err != nil {
				return err
			}
			if stderr {
				file = "stderr"
			}
			if !follow {
				_, err = sandbox.Copy(ctx, cmd.OutOrStdout(), file, 0)
				return err
			}
			err = sandbox.Follow(ctx, cmd.OutOrStdout(), file, 0, ended(ctx, c, task))
			if ctx.Err() != nil {
				return nil // the user has seen enough
			}
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "go on until the task has ended")
	f.BoolVar(&stderr, "stderr", false, "standard error rather than standard output")
	f.StringVar(&file, "file", "stdout", "file of the sandbox to print")
	f.StringVar(&framework, "framework", "", "framework of the task, where several have one of that id")
	return cmd
}

// endedPoll is how often a followed task is looked at.
const endedPoll = time.Second

// ended returns a channel that is closed when the task has ended, or is known no more.
func ended(ctx context.Context, c *client.Client, task *mesos.Task) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for state := task.GetState(); !client.IsTerminal(state); {
			select {
			case <-ctx.Done():
				return
			case <-time.After(endedPoll):
			}
			now, err := c.FindTask(ctx, task.GetTaskId().GetValue(), task.GetFrameworkId().GetValue())
			if err != nil {
				return
			}
			state = now.GetState()
		}
	}()
	return done
}
