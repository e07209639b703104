package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/master"
)

// frameworkLine is a line of `mezzo frameworks`, as JSON has it.
type frameworkLine struct {
	ID         string             `json:"id"`
	Name       string             `json:"name"`
	User       string             `json:"user"`
	Principal  string             `json:"principal,omitempty"`
	Roles      []string           `json:"roles"`
	State      string             `json:"state"`
	Registered time.Time          `json:"registered"`
	Allocated  map[string]float64 `json:"allocated"`
	Offered    map[string]float64 `json:"offered"`
}

func newFrameworks(o *options) *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use: "frameworks", Short: "List frameworks", GroupID: "work", Args: args(cobra.NoArgs),
		Long:    "Lists the frameworks, with what is allocated and offered to them; with --all those that have been removed, too.",
		Example: "  mezzo frameworks\n  mezzo frameworks --all --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			defer c.Close()
			active, completed, err := c.Frameworks(cmd.Context())
			if err != nil {
				return err
			}
			if !all {
				completed = nil
			}
			return o.print(cmd.OutOrStdout(), frameworkRows(active, completed))
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "removed frameworks, too")
	return cmd
}

func frameworkRows(active, completed []*master.Response_GetFrameworks_Framework) rows {
	list := []frameworkLine{}
	for _, f := range active {
		list = append(list, frameworkOf(f, false))
	}
	for _, f := range completed {
		list = append(list, frameworkOf(f, true))
	}
	slices.SortStableFunc(list, func(a, b frameworkLine) int {
		return cmp.Or(a.Registered.Compare(b.Registered), cmp.Compare(a.ID, b.ID))
	})
	r := rows{
		header: []string{"framework", "name", "state", "roles", "user", "cpus", "mem (MB)", "offered cpus", "registered"},
		empty:  "No frameworks are registered.", value: list,
	}
	for _, f := range list {
		r.cells = append(r.cells, []string{
			f.ID, f.Name, f.State, strings.Join(f.Roles, " "), f.User, amount(f.Allocated["cpus"]), amount(f.Allocated["mem"]),
			amount(f.Offered["cpus"]), ago(f.Registered),
		})
	}
	return r
}

func frameworkOf(f *master.Response_GetFrameworks_Framework, completed bool) frameworkLine {
	info := f.GetFrameworkInfo()
	l := frameworkLine{
		ID: info.GetId().GetValue(), Name: info.GetName(), User: info.GetUser(), Principal: info.GetPrincipal(),
		Roles: info.GetRoles(), State: frameworkState(f, completed),
		Registered: time.Unix(0, f.GetRegisteredTime().GetNanoseconds()).UTC(),
		Allocated:  scalars(f.GetAllocatedResources()), Offered: scalars(f.GetOfferedResources()),
	}
	if len(l.Roles) == 0 {
		l.Roles = []string{info.GetRole()}
	}
	return l
}

func frameworkState(f *master.Response_GetFrameworks_Framework, completed bool) string {
	switch {
	case completed:
		return "removed"
	case f.GetRecovered():
		return "recovered"
	case !f.GetConnected():
		return "disconnected"
	case !f.GetActive():
		return "inactive"
	}
	return "active"
}
