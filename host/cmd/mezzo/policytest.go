package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/authorizer"
	contract "github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// testedJSON is what `mezzo policy test` prints as JSON.
type testedJSON struct {
	Passed  int        `json:"passed"`
	Failed  int        `json:"failed"`
	Skipped int        `json:"skipped"`
	Tests   []testJSON `json:"tests"`
}

type testJSON struct {
	Name     string        `json:"name"`
	Result   string        `json:"result"` // passed, failed, skipped
	File     string        `json:"file,omitempty"`
	Line     int           `json:"line,omitempty"`
	Duration time.Duration `json:"duration"` // in nanoseconds
	Output   string        `json:"output,omitempty"`
}

func newPolicyTest(p *policies) *cobra.Command {
	run, verbose := "", false
	cmd := &cobra.Command{
		Use: "test [PATH]...", Short: "Run the policies' tests",
		Long: `Runs the tests of policies: rules whose names begin with test_, in files NAME_test.rego beside the policies. Of a test
that fails it shows where it is, which condition did not hold, with the values in it, and what the test has printed.

Exit codes: 0 all tests passed, 1 one failed or there are none, 2 a command line that makes no sense.`,
		Example: "  mezzo policy test ./policies\n  mezzo policy test --config /etc/mezzo/master.hcl\n  mezzo policy test --run root ./policies",
		RunE: func(cmd *cobra.Command, paths []string) error {
			o, err := testOptions(run)
			if err != nil {
				return err
			}
			return p.use(cmd, paths, "running the tests", func(ctx context.Context, t *authorizer.Tools, paths []string) error {
				o.Paths = paths
				report, err := t.Test(ctx, o)
				if err != nil {
					return err
				}
				return p.tested(cmd.OutOrStdout(), report, o.Run, verbose)
			})
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "run only tests whose full name this regular expression matches")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "tests that passed, too, and what they printed")
	return cmd
}

func testOptions(run string) (contract.TestOptions, error) {
	if _, err := regexp.Compile(run); err != nil {
		return contract.TestOptions{}, usageError{fmt.Errorf("--run: %w", err)}
	}
	return contract.TestOptions{Run: run}, nil
}

// tested prints what became of the tests; one that failed is an error, and so is none at all.
func (p *policies) tested(w io.Writer, report contract.TestReport, run string, verbose bool) error {
	out := testedJSON{Tests: []testJSON{}}
	var took time.Duration
	for _, r := range report.Results {
		x := testJSON{Name: r.Name, File: r.Location.File, Line: r.Location.Line, Duration: r.Duration, Output: r.Output}
		switch {
		case r.Skipped:
			x.Result = "skipped"
			out.Skipped++
		case r.Passed:
			x.Result = "passed"
			out.Passed++
		default:
			x.Result = "failed"
			out.Failed++
		}
		took += r.Duration
		out.Tests = append(out.Tests, x)
		if p.output != "json" && (verbose || x.Result != "passed") {
			x.write(w)
		}
	}
	err := p.print(w, rows{
		header: []string{"tests", "passed", "failed", "skipped", "took"},
		cells: [][]string{{
			fmt.Sprint(len(out.Tests)), fmt.Sprint(out.Passed), fmt.Sprint(out.Failed), fmt.Sprint(out.Skipped), took.Round(time.Microsecond).String(),
		}},
		value: out,
	})
	switch {
	case err != nil:
		return err
	case out.Failed > 0:
		return exitError(exitFailed)
	case len(out.Tests) == 0 && run != "":
		return fmt.Errorf("no test has a name that %q matches", run)
	case len(out.Tests) == 0:
		return errors.New("there are no tests: rules whose names begin with test_, in files NAME_test.rego beside the policies")
	}
	return nil
}

// write is the test for people.
func (x testJSON) write(w io.Writer) {
	verdict := map[string]string{"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}[x.Result]
	fmt.Fprintf(w, "%s  %s  %s:%d  %s\n", verdict, x.Name, short(x.File), x.Line, x.Duration.Round(time.Microsecond))
	if x.Output != "" {
		indented(w, x.Output)
	}
}
