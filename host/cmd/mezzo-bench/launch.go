package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// oneByOne is how many tasks are launched one after the other, for the latencies.
const oneByOne = 200

func newLaunch(r *report, bin *string) *cobra.Command {
	tasks := 500
	cmd := &cobra.Command{
		Use: "launch", Short: "Task launches on one agent, over HTTP",
		Long: `Launches tasks of /bin/true on one agent over the scheduler API: all at once for the rate, and one by one for the
times from ACCEPT (its bytes sent) to TASK_RUNNING and TASK_FINISHED (their bytes received), the acknowledgement of
TASK_STARTING within. In the same run, a bare loop of fork and exec of the same program.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Minute)
			defer cancel()
			c, err := startCluster(ctx, *bin)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.stop()) }()
			figures, err := measureLaunch(ctx, c, tasks)
			if err != nil {
				return fmt.Errorf("%w%s", err, c.logTail())
			}
			return r.print(c.configuration(), figures)
		},
	}
	cmd.Flags().IntVar(&tasks, "tasks", tasks, "how many tasks to launch at once")
	return cmd
}

func measureLaunch(ctx context.Context, c *cluster, tasks int) ([]figure, error) {
	s, err := subscribe(ctx, c.master)
	if err != nil {
		return nil, err
	}
	defer s.close(ctx)
	forks, err := forkExec(tasks)
	if err != nil {
		return nil, err
	}
	var running, finished []time.Duration
	for i := range oneByOne {
		r, f, err := launchOne(ctx, s, fmt.Sprintf("one-%d", i))
		if err != nil {
			return nil, err
		}
		running, finished = append(running, r), append(finished, f)
	}
	rate, err := launchMany(ctx, s, tasks)
	if err != nil {
		return nil, err
	}
	return []figure{
		{"tasks_per_second", "1/s", rate, "150"},
		{"accept_to_running_ms", "ms", quantilesOf(running), "p50 15, p99 40"},
		{"accept_to_finished_ms", "ms", quantilesOf(finished), "p50 25"},
		{"fork_exec_per_second", "1/s", forks, ""},
	}, nil
}

// forkExec runs the tasks' program in a bare loop.
func forkExec(n int) (perSecond float64, err error) {
	start := time.Now()
	for range n {
		if err := exec.Command("/bin/true").Run(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

func launchOne(ctx context.Context, s *testScheduler, id string) (running, finished time.Duration, err error) {
	offer, err := s.offer(ctx)
	if err != nil {
		return 0, 0, err
	}
	sent := time.Now()
	if err := s.launch(ctx, offer, []*mesos.TaskInfo{task(id, "/bin/true", offer)}); err != nil {
		return 0, 0, err
	}
	for {
		e, err := s.next(ctx, scheduler.Event_UPDATE)
		if err != nil {
			return 0, 0, err
		}
		status := e.event.GetUpdate().GetStatus()
		if err := s.acknowledge(ctx, status); err != nil {
			return 0, 0, err
		}
		switch status.GetState() {
		case mesos.TaskState_TASK_STARTING:
		case mesos.TaskState_TASK_RUNNING:
			running = e.at.Sub(sent)
		case mesos.TaskState_TASK_FINISHED:
			return running, e.at.Sub(sent), nil
		default:
			return 0, 0, fmt.Errorf("task %s: %s: %s", id, status.GetState(), status.GetMessage())
		}
	}
}

func launchMany(ctx context.Context, s *testScheduler, n int) (perSecond float64, err error) {
	offer, err := s.offer(ctx)
	if err != nil {
		return 0, err
	}
	var infos []*mesos.TaskInfo
	for i := range n {
		infos = append(infos, task(fmt.Sprintf("many-%d", i), "/bin/true", offer))
	}
	start := time.Now()
	if err := s.launch(ctx, offer, infos); err != nil {
		return 0, err
	}
	for done := 0; done < n; {
		e, err := s.next(ctx, scheduler.Event_UPDATE)
		if err != nil {
			return 0, fmt.Errorf("%d of %d tasks have finished: %w", done, n, err)
		}
		status := e.event.GetUpdate().GetStatus()
		if err := s.acknowledge(ctx, status); err != nil {
			return 0, err
		}
		switch status.GetState() {
		case mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING:
		case mesos.TaskState_TASK_FINISHED:
			done++
		default:
			return 0, fmt.Errorf("task %s: %s: %s", status.GetTaskId().GetValue(), status.GetState(), status.GetMessage())
		}
	}
	return float64(n) / time.Since(start).Seconds(), nil
}
