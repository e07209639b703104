package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/client"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// psTask is a line of `mezzo ps`, as JSON has it.
type psTask struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Framework string    `json:"framework"`
	Agent     string    `json:"agent"`
	State     string    `json:"state"`
	Message   string    `json:"message,omitempty"`
	CPUs      float64   `json:"cpus"`
	Mem       float64   `json:"mem"`
	Since     time.Time `json:"since"`
}

func newPs(o *options) *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use: "ps", Short: "List tasks", GroupID: "work", Args: args(cobra.NoArgs),
		Long: "Lists the cluster's tasks that have not ended, or with --all the ended ones that the master still remembers, too.",
		Example: "  mezzo ps\n  mezzo ps --all\n" +
			"  mezzo ps --output json | jq -r '.[] | select(.state == \"TASK_RUNNING\") | .id'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			defer c.Close()
			tasks, err := c.Tasks(cmd.Context())
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), psRows(tasks.All(), all))
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "ended tasks, too")
	return cmd
}

func psRows(tasks []*mesos.Task, all bool) rows {
	list := []psTask{}
	for _, t := range tasks {
		if all || !client.IsTerminal(t.GetState()) {
			list = append(list, psOf(t))
		}
	}
	slices.SortStableFunc(list, func(a, b psTask) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	r := rows{
		header: []string{"task", "state", "framework", "agent", "cpus", "mem (MB)", "since", "message"},
		empty:  "No tasks are running.", value: list,
	}
	if all {
		r.empty = "No tasks."
	}
	for _, t := range list {
		r.cells = append(r.cells, []string{
			t.ID, strings.TrimPrefix(t.State, "TASK_"), t.Framework, t.Agent, amount(t.CPUs), amount(t.Mem), ago(t.Since), firstLine(t.Message),
		})
	}
	return r
}

func psOf(t *mesos.Task) psTask {
	p := psTask{
		ID: t.GetTaskId().GetValue(), Name: t.GetName(), Framework: t.GetFrameworkId().GetValue(),
		Agent: t.GetAgentId().GetValue(), State: t.GetState().String(),
		CPUs: scalar(t.GetResources(), "cpus"), Mem: scalar(t.GetResources(), "mem"),
	}
	if s := t.GetStatuses(); len(s) > 0 {
		last := s[len(s)-1]
		p.Message = last.GetMessage()
		p.Since = time.UnixMicro(int64(last.GetTimestamp() * 1e6)).UTC()
	}
	return p
}

// scalar sums a scalar resource over all reservations.
func scalar(rs []*mesos.Resource, name string) float64 {
	var sum float64
	for _, r := range rs {
		if r.GetName() == name {
			sum += r.GetScalar().GetValue()
		}
	}
	return sum
}
