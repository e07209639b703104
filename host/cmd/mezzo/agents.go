package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/master"
)

// agentLine is a line of `mezzo agents`, as JSON has it.
type agentLine struct {
	ID         string             `json:"id"`
	Hostname   string             `json:"hostname"`
	Active     bool               `json:"active"`
	Version    string             `json:"version"`
	Registered time.Time          `json:"registered"`
	Total      map[string]float64 `json:"total"`
	Allocated  map[string]float64 `json:"allocated"`
	Attributes map[string]string  `json:"attributes,omitempty"`
}

func newAgents(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "agents", Short: "List agents and what they have", GroupID: "work", Args: args(cobra.NoArgs),
		Long:    "Lists the registered agents, with what is allocated of what they have.",
		Example: "  mezzo agents\n  mezzo agents --output json | jq '.[].total.cpus'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			defer c.Close()
			agents, err := c.Agents(cmd.Context())
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), agentRows(agents))
		},
	}
}

func agentRows(agents []*master.Response_GetAgents_Agent) rows {
	list := []agentLine{}
	for _, a := range agents {
		list = append(list, agentOf(a))
	}
	slices.SortFunc(list, func(a, b agentLine) int { return cmp.Or(cmp.Compare(a.Hostname, b.Hostname), cmp.Compare(a.ID, b.ID)) })
	r := rows{
		header: []string{"agent", "hostname", "active", "cpus", "mem (MB)", "disk (MB)", "attributes", "registered", "version"},
		empty:  "No agents are registered.", value: list,
	}
	for _, a := range list {
		of := func(name string) string { return amount(a.Allocated[name]) + "/" + amount(a.Total[name]) }
		r.cells = append(r.cells, []string{
			a.ID, a.Hostname, yes(a.Active), of("cpus"), of("mem"), of("disk"), attributesText(a.Attributes), ago(a.Registered), a.Version,
		})
	}
	return r
}

func agentOf(a *master.Response_GetAgents_Agent) agentLine {
	l := agentLine{
		ID: a.GetAgentInfo().GetId().GetValue(), Hostname: a.GetAgentInfo().GetHostname(), Active: a.GetActive(),
		Version: a.GetVersion(), Registered: time.Unix(0, a.GetRegisteredTime().GetNanoseconds()).UTC(),
		Total: scalars(a.GetTotalResources()), Allocated: scalars(a.GetAllocatedResources()), Attributes: map[string]string{},
	}
	for _, x := range a.GetAgentInfo().GetAttributes() {
		l.Attributes[x.GetName()] = attributeText(x)
	}
	return l
}

func scalars(rs []*mesos.Resource) map[string]float64 {
	out := map[string]float64{}
	for _, r := range rs {
		if r.GetType() == mesos.Value_SCALAR {
			out[r.GetName()] += r.GetScalar().GetValue()
		}
	}
	return out
}

func attributeText(a *mesos.Attribute) string {
	switch a.GetType() {
	case mesos.Value_SCALAR:
		return amount(a.GetScalar().GetValue())
	case mesos.Value_RANGES:
		var parts []string
		for _, r := range a.GetRanges().GetRange() {
			parts = append(parts, fmt.Sprintf("%d-%d", r.GetBegin(), r.GetEnd()))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return a.GetText().GetValue()
}

func attributesText(m map[string]string) string {
	var parts []string
	for k, v := range m {
		parts = append(parts, k+":"+v)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
