package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/address"
)

func newPlugin(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "plugin", Short: "Write, look at, check and reload plugins", GroupID: "check"}
	cmd.AddCommand(newPluginNew(o), newPluginList(o), newPluginInspect(o), newPluginVerify(o), newPluginLock(o), newPluginReload(o))
	return cmd
}

func newPluginList(o *options) *cobra.Command {
	agent := ""
	cmd := &cobra.Command{
		Use: "list", Short: "List a daemon's plugins and how they are", Args: args(cobra.NoArgs),
		Long:    "Lists the plugins of the leading master, or of an agent, with their processes, restarts and call times.",
		Example: "  mezzo plugin list\n  mezzo plugin list --agent 127.0.0.1:5051\n  mezzo plugin list --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			defer c.Close()
			var list []pluginhost.Status
			if err := c.GetJSON(cmd.Context(), agent, "/plugins", &list); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), pluginRows(list))
		},
	}
	askAgent(cmd, &agent)
	return cmd
}

func pluginRows(list []pluginhost.Status) rows {
	r := rows{
		header: []string{"kind", "name", "version", "state", "pid", "uptime", "restarts", "calls", "p50", "p99", "memory (MiB)", "problem"},
		empty:  "This daemon has no plugins.", value: list,
	}
	for _, p := range list {
		uptime := "-"
		if !p.Started.IsZero() {
			uptime = strings.TrimSuffix(ago(p.Started), " ago")
		}
		calls, p50, p99 := busiest(p)
		r.cells = append(r.cells, []string{
			p.Kind, p.Name, p.Version, string(p.State), fmt.Sprint(p.PID), uptime, fmt.Sprint(p.Restarts), calls, p50, p99,
			amount(float64(p.Memory >> 20)), problem(p),
		})
	}
	return r
}

// problem is what is wrong with a plugin; of one that works, what it warns of, and why it was down the last time. What it
// printed at its end is left to the log.
func problem(p pluginhost.Status) string {
	if p.Error != "" {
		return p.Error
	}
	var lines []string
	if p.Problem != "" {
		lines = append(lines, p.Problem)
	}
	for _, w := range p.Warnings {
		lines = append(lines, "warning: "+firstLine(w))
	}
	if p.LastError != "" {
		lines = append(lines, "restarted: "+firstLine(p.LastError))
	}
	return strings.Join(lines, "\n")
}

// busiest sums up the calls of a plugin: how many, and the times of the kind of call it gets most.
func busiest(p pluginhost.Status) (calls, p50, p99 string) {
	var sum, most uint64
	p50, p99 = "-", "-"
	for _, c := range p.RPCs {
		sum += c.Count
		if c.Count > most {
			most, p50, p99 = c.Count, c.P50.Round(time.Microsecond).String(), c.P99.Round(time.Microsecond).String()
		}
	}
	return fmt.Sprint(sum), p50, p99
}

func newPluginInspect(o *options) *cobra.Command {
	plain := false
	cmd := &cobra.Command{
		Use: "inspect BINARY", Short: "Print what a plugin is, and its config block with documentation", Args: args(cobra.ExactArgs(1)),
		Long:    "Starts a plugin by itself, asks what it is and what its config block may hold, and prints that as HCL to copy.",
		Example: "  mezzo plugin inspect bin/allocator-drf",
		RunE: func(cmd *cobra.Command, a []string) error {
			binary, err := filepath.Abs(a[0])
			if err != nil {
				return err
			}
			d, err := pluginhost.Inspect(cmd.Context(), pluginhost.Options{Logger: slog.New(slog.DiscardHandler)}, pluginhost.Spec{Binary: binary, Name: a[0], Plain: plain})
			if err != nil {
				return err
			}
			if o.output == "json" {
				schema, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(d.Schema)
				if err != nil {
					return fmt.Errorf("encode the schema: %w", err)
				}
				return o.print(cmd.OutOrStdout(), rows{value: described{d, schema}})
			}
			_, err = io.WriteString(cmd.OutOrStdout(), describe(d))
			return err
		},
	}
	tlsFlag(cmd, &plain)
	return cmd
}

// described is what a plugin says of itself, as JSON; its schema is as in the lock file.
type described struct {
	*pluginhost.Description
	Schema json.RawMessage `json:"schema"`
}

// describe is what a plugin says of itself, as HCL with comments.
func describe(d *pluginhost.Description) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s: %s\n", d.Name, d.Version, strings.Join(d.Kinds, ", "))
	if d.Doc != "" {
		fmt.Fprintf(&b, "# %s\n", d.Doc)
	}
	fmt.Fprintf(&b, "# serves       %s\n", strings.Join(d.Services, ", "))
	if len(d.Capabilities) > 0 {
		fmt.Fprintf(&b, "# capabilities %s\n", strings.Join(d.Capabilities, ", "))
	}
	fmt.Fprintf(&b, "# sha256       %s\n\n", d.SHA256)
	for _, kind := range d.Kinds {
		b.WriteString(config.Describe(kind, d.Name, d.Schema))
	}
	return b.String()
}

// askAgent adds the flag that names an agent.
func askAgent(cmd *cobra.Command, agent *string) {
	cmd.Flags().Func("agent", "agent to ask, `HOST:PORT` or a URL, rather than the master", func(text string) error {
		_, err := address.Parse(text, "http")
		*agent = text
		return err
	})
}

func newPluginReload(o *options) *cobra.Command {
	agent := ""
	cmd := &cobra.Command{
		Use: "reload KIND NAME", Short: "Replace a plugin's process by a new one", Args: args(cobra.ExactArgs(2)),
		Long: `Has a daemon read its configuration again and replace the process of one plugin: the new one is started and
configured beside the old, calls are held for a moment, and the old one is stopped. If any step fails, the old one goes
on, and the error says why. No task is lost and no offer made twice. What the new one warns of is shown.`,
		Example: "  mezzo plugin reload allocator drf\n  mezzo plugin reload --agent 127.0.0.1:5051 isolator cgroups",
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			defer c.Close()
			q := url.Values{"kind": {a[0]}, "name": {a[1]}}
			var now pluginhost.Status
			if err := c.PostJSON(cmd.Context(), agent, "/plugins/reload?"+q.Encode(), &now); err != nil {
				return err
			}
			for _, w := range now.Warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			if o.output == "json" {
				return o.print(cmd.OutOrStdout(), rows{value: now})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %q was reloaded.\n", a[0], a[1])
			return err
		},
	}
	askAgent(cmd, &agent)
	return cmd
}
