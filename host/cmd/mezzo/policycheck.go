package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/authorizer"
	contract "github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// findingJSON is what is wrong with policies, as JSON has it.
type findingJSON struct {
	Severity contract.Severity `json:"severity"`
	File     string            `json:"file,omitempty"`
	Line     int               `json:"line,omitempty"`
	Column   int               `json:"column,omitempty"`
	Code     string            `json:"code"`
	Message  string            `json:"message"`
}

// checkedJSON is what `mezzo policy check` prints as JSON.
type checkedJSON struct {
	Errors   int           `json:"errors"`
	Warnings int           `json:"warnings"`
	Findings []findingJSON `json:"findings"`
}

func newPolicyCheck(p *policies) *cobra.Command {
	strict := false
	cmd := &cobra.Command{
		Use: "check [PATH]...", Short: "Say what is wrong or unwise with policies",
		Long: `Compiles policies and shows, each at its line: what does not compile; that the rule the host asks for is not there;
names of actions and fields that no question has; variables and imports that are not used; what keeps answers from
being remembered; and conditions that keep lists from being filtered in one go.

Exit codes: 0 no errors, 1 errors, or with --strict warnings, 2 a command line that makes no sense.`,
		Example: "  mezzo policy check ./policies\n  mezzo policy check --strict --config /etc/mezzo/master.hcl",
		RunE: func(cmd *cobra.Command, paths []string) error {
			return p.use(cmd, paths, "checking the policies", func(ctx context.Context, t *authorizer.Tools, paths []string) error {
				findings, err := t.Check(ctx, paths)
				if err != nil {
					return err
				}
				return p.checked(cmd.OutOrStdout(), findings, strict)
			})
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "fail for warnings, too")
	return cmd
}

// checked prints findings as compilers do, and is an error if they are reason enough.
func (p *policies) checked(w io.Writer, findings []contract.Finding, strict bool) error {
	out := checkedJSON{Findings: []findingJSON{}}
	sources := map[string][]string{}
	for _, f := range findings {
		if f.Severity == contract.SeverityError {
			out.Errors++
		} else {
			out.Warnings++
		}
		out.Findings = append(out.Findings, findingJSON{
			Severity: f.Severity, File: f.Location.File, Line: f.Location.Line, Column: f.Location.Column, Code: f.Code, Message: f.Message,
		})
		if p.output != "json" {
			fmt.Fprintf(w, "%s\n\n", diagnostic(f, sources))
		}
	}
	err := p.print(w, rows{
		empty: fmt.Sprintf("%s, %s.", count(out.Errors, "error"), count(out.Warnings, "warning")), value: out,
	})
	if err == nil && (out.Errors > 0 || strict && out.Warnings > 0) {
		return exitError(exitFailed)
	}
	return err
}

// diagnostic is a finding with its source line. sources keeps the files' lines.
func diagnostic(f contract.Finding, sources map[string][]string) config.Diagnostic {
	d := config.Diagnostic{
		File: short(f.Location.File), Line: f.Location.Line, Column: max(1, f.Location.Column), Width: 1,
		Summary: string(f.Severity), Detail: fmt.Sprintf("%s [%s]", short(f.Message), f.Code),
	}
	lines, read := sources[f.Location.File]
	if !read {
		data, err := os.ReadFile(f.Location.File)
		if err == nil {
			lines = strings.Split(string(data), "\n")
		}
		sources[f.Location.File] = lines // a place that cannot be read is shown without its line
	}
	if d.Line > 0 && d.Line <= len(lines) {
		d.Source = strings.TrimRight(lines[d.Line-1], "\r")
	}
	return d
}
