// Command mezzo-bench measures Mezzo, and replays the simulator's seeds. It is a program of its own so that the
// host links neither the benchmarks nor a plugin. docs/benchmarks.md explains the figures.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mezzo-bench:", err)
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "mezzo-bench", Short: "Measure Mezzo on this machine", SilenceErrors: true, SilenceUsage: true,
		Long: `Measures Mezzo on this machine. Each benchmark starts a cluster of its own, with the shipped plugins and policies,
on free ports and in a temporary folder, and takes it away again. What is compared is measured in the same run.`,
	}
	output := root.PersistentFlags().StringP("output", "o", "table", "table, or json: one object")
	bin := root.PersistentFlags().String("bin", "bin", "folder of the built programs")
	r := &report{output: output, w: os.Stdout}
	root.AddCommand(newLaunch(r, bin), newMemory(r, bin), newRecovery(r, bin), newAllocator(r, bin), newSim(r))
	return root
}

// report prints figures.
type report struct {
	output *string
	w      io.Writer
}

// figure is one measured number.
type figure struct {
	key, unit string
	value     any
	// target is what is to be reached, empty for none.
	target string
}

// print writes the figures, and the configuration they were measured under.
func (r *report) print(configuration []string, figures []figure) error {
	if *r.output == "json" {
		out := map[string]any{"configuration": configuration}
		for _, f := range figures {
			out[f.key] = f.value
		}
		e := json.NewEncoder(r.w)
		e.SetIndent("", "  ")
		return e.Encode(out)
	}
	for _, c := range configuration {
		fmt.Fprintln(r.w, c)
	}
	t := table.NewWriter()
	t.SetOutputMirror(r.w)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"figure", "value", "unit", "to reach"})
	for _, f := range figures {
		t.AppendRow(table.Row{f.key, show(f.value), f.unit, f.target})
	}
	t.Render()
	return nil
}

func show(v any) string {
	switch v := v.(type) {
	case float64:
		return fmt.Sprintf("%.2f", v)
	case allocatorFigures:
		return fmt.Sprintf("first allocation %.2f, cycle with 1%% changed %.2f", v.First, v.Cycle)
	case ratio:
		return fmt.Sprintf("first allocation %.2f, cycle with 1%% changed %.2f", v.First, v.Cycle)
	case quantiles:
		return fmt.Sprintf("p50 %.2f, p99 %.2f", v.P50, v.P99)
	}
	return fmt.Sprint(v)
}
