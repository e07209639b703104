package main

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/client"
)

// explanation is what a master's /explain answers.
type explanation struct {
	Framework string `json:"framework"`
	Reasons   []struct {
		Code   string    `json:"code"`
		Text   string    `json:"text"`
		Role   string    `json:"role,omitempty"`
		Agent  string    `json:"agent,omitempty"`
		Agents int       `json:"agents,omitempty"`
		Until  time.Time `json:"until,omitzero"`
	} `json:"reasons"`
}

func newExplain(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "explain FRAMEWORK", Short: "Say why a framework is not offered more", GroupID: "work", Args: args(cobra.ExactArgs(1)),
		Long: `Asks the allocator what stands between a framework and (more) offers: that it has suppressed them, refused them for a
time, lacks a capability, or that others are served first.`,
		Example: "  mezzo frameworks\n  mezzo explain 4ac93ecb-78dc-4c99-ab9d-79a48d28cd5a-0000",
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			defer c.Close()
			var e explanation
			if err := c.GetJSON(cmd.Context(), "", "/explain?"+url.Values{"framework": a}.Encode(), &e); client.IsStatus(err, http.StatusNotFound) {
				return fmt.Errorf("framework %q: there is no such framework (see `mezzo frameworks`)", a[0])
			} else if err != nil {
				return err
			}
			r := rows{header: []string{"reason", "role", "agents", "until", "text"}, empty: "Nothing stands in the way.", value: e}
			for _, x := range e.Reasons {
				until, agents := "-", x.Agent
				if !x.Until.IsZero() {
					until = x.Until.Local().Format(time.TimeOnly)
				}
				if agents == "" {
					agents = fmt.Sprint(x.Agents)
				}
				r.cells = append(r.cells, []string{x.Code, x.Role, agents, until, x.Text})
			}
			return o.print(cmd.OutOrStdout(), r)
		},
	}
}
