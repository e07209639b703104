package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/authorizer"
	contract "github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// coverageJSON is what `mezzo policy coverage` prints as JSON.
type coverageJSON struct {
	Percent float64            `json:"percent"`
	Files   []fileCoverageJSON `json:"files"`
}

type fileCoverageJSON struct {
	File       string      `json:"file"`
	Percent    float64     `json:"percent"`
	NotCovered []linesJSON `json:"not_covered"`
}

type linesJSON struct {
	First int `json:"first"`
	Last  int `json:"last"`
}

func newPolicyCoverage(p *policies) *cobra.Command {
	run, least := "", 0.0
	cmd := &cobra.Command{
		Use: "coverage [PATH]...", Short: "Say which lines of policies their tests do not reach",
		Long: `Runs the tests of policies, which have to pass, and says how much of each file they reach and which lines not.

Exit codes: 0 done, 1 a test fails, or with --min less is reached, 2 a command line that makes no sense.`,
		Example: "  mezzo policy coverage ./policies\n  mezzo policy coverage --min 90 --config /etc/mezzo/master.hcl",
		RunE: func(cmd *cobra.Command, paths []string) error {
			o, err := testOptions(run)
			if err != nil {
				return err
			}
			if least < 0 || least > 100 {
				return usageError{fmt.Errorf("--min is a percentage, from 0 to 100, not %v", least)}
			}
			return p.use(cmd, paths, "running the tests", func(ctx context.Context, t *authorizer.Tools, paths []string) error {
				o.Paths = paths
				report, err := t.Coverage(ctx, o)
				if err != nil {
					return err
				}
				return p.covered(cmd.OutOrStdout(), report, least)
			})
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "run only tests whose full name this regular expression matches")
	cmd.Flags().Float64Var(&least, "min", 0, "fail if less than this percentage of all lines is reached")
	return cmd
}

func (p *policies) covered(w io.Writer, report contract.CoverageReport, least float64) error {
	out := coverageJSON{Percent: report.Percent, Files: []fileCoverageJSON{}}
	r := rows{header: []string{"file", "reached", "lines not reached"}, empty: "There are no policies."}
	for _, f := range report.Files {
		x := fileCoverageJSON{File: f.File, Percent: f.Percent, NotCovered: []linesJSON{}}
		lines := make([]string, 0, len(f.NotCovered))
		for _, l := range f.NotCovered {
			x.NotCovered = append(x.NotCovered, linesJSON(l))
			text := fmt.Sprint(l.First)
			if l.Last > l.First {
				text = fmt.Sprintf("%d-%d", l.First, l.Last)
			}
			lines = append(lines, text)
		}
		out.Files = append(out.Files, x)
		r.cells = append(r.cells, []string{short(f.File), percent(f.Percent), strings.Join(lines, ", ")})
	}
	if len(report.Files) > 1 {
		r.cells = append(r.cells, []string{"all", percent(report.Percent), ""})
	}
	r.value = out
	if err := p.print(w, r); err != nil {
		return err
	}
	if report.Percent < least {
		return fmt.Errorf("the tests reach %s of the policies, less than the %s that --min asks for", percent(report.Percent), percent(least))
	}
	return nil
}

func percent(p float64) string { return fmt.Sprintf("%.1f%%", p) }
