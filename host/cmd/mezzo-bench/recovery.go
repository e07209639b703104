package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

func newRecovery(r *report, bin *string) *cobra.Command {
	tasks := 50
	cmd := &cobra.Command{
		Use: "recovery", Short: "An agent killed with its tasks running, and started again",
		Long: `Launches sleeping tasks, kills the agent with SIGKILL, starts it again at once, and measures the time from the kill
until the master has it registered and active again. Counts the tasks whose processes are still the same.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Minute)
			defer cancel()
			c, err := startCluster(ctx, *bin)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.stop()) }()
			figures, err := measureRecovery(ctx, c, tasks)
			if err != nil {
				return fmt.Errorf("%w%s", err, c.logTail())
			}
			return r.print(c.configuration(), figures)
		},
	}
	cmd.Flags().IntVar(&tasks, "tasks", tasks, "how many tasks to have running")
	return cmd
}

func measureRecovery(ctx context.Context, c *cluster, tasks int) ([]figure, error) {
	s, err := subscribe(ctx, c.master)
	if err != nil {
		return nil, err
	}
	defer s.close(ctx)
	if err := runSleepers(ctx, s, tasks); err != nil {
		return nil, err
	}
	before, err := sleepers(c.agentProcess.Process.Pid)
	if err != nil {
		return nil, err
	}
	if len(before) != tasks {
		return nil, fmt.Errorf("%d of %d tasks have a process", len(before), tasks)
	}
	first, err := registeredAt(ctx, c)
	if err != nil {
		return nil, err
	}
	killed := time.Now()
	if err := c.agentProcess.Process.Signal(syscall.SIGKILL); err != nil {
		return nil, err
	}
	_ = c.agentProcess.Wait()
	if err := c.startAgent(); err != nil {
		return nil, err
	}
	for {
		again, err := registeredAt(ctx, c)
		if err == nil && again > first {
			break
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the agent to register again: %w", ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
	took := time.Since(killed)
	alive := slices.DeleteFunc(before, func(pid int) bool { return !isSleep(pid) })
	return []figure{
		{"kill_to_registered_seconds", "s", took.Seconds(), "0.5"},
		{"tasks_alive", "", len(alive), fmt.Sprint(tasks)},
	}, nil
}

// registeredAt is when the one active agent last registered, in seconds since 1970; 0 while none is active.
func registeredAt(ctx context.Context, c *cluster) (float64, error) {
	body, err := get(ctx, c.master, "/slaves")
	if err != nil {
		return 0, err
	}
	var slaves struct {
		Slaves []struct {
			Active       bool    `json:"active"`
			Registered   float64 `json:"registered_time"`
			Reregistered float64 `json:"reregistered_time"`
		} `json:"slaves"`
	}
	if err := json.Unmarshal(body, &slaves); err != nil {
		return 0, err
	}
	for _, a := range slaves.Slaves {
		if a.Active {
			return max(a.Registered, a.Reregistered), nil
		}
	}
	return 0, nil
}

// runSleepers launches tasks that sleep and waits until all are running.
func runSleepers(ctx context.Context, s *testScheduler, n int) error {
	offer, err := s.offer(ctx)
	if err != nil {
		return err
	}
	var infos []*mesos.TaskInfo
	for i := range n {
		infos = append(infos, sleeper(fmt.Sprintf("sleep-%d", i), offer))
	}
	if err := s.launch(ctx, offer, infos); err != nil {
		return err
	}
	for running := 0; running < n; {
		e, err := s.next(ctx, scheduler.Event_UPDATE)
		if err != nil {
			return err
		}
		status := e.event.GetUpdate().GetStatus()
		if err := s.acknowledge(ctx, status); err != nil {
			return err
		}
		switch status.GetState() {
		case mesos.TaskState_TASK_STARTING:
		case mesos.TaskState_TASK_RUNNING:
			running++
		default:
			return fmt.Errorf("task %s: %s: %s", status.GetTaskId().GetValue(), status.GetState(), status.GetMessage())
		}
	}
	return nil
}
