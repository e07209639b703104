package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/scaffold"
	"github.com/mezzo-cluster/mezzo/host/version"
)

const newHelp = `Writes a Go module with a plugin that does something small, its tests, its config block in a configuration to try it
with, and a README. It compiles and passes the conformance kit as it is; what it decides is in main.go, to be replaced.

An allocator offers everything, the fullest agents first; an authorizer permits what the principals of a list ask for;
an isolator sets environment variables, and needs no root to try. NAME is lower-case letters, digits and dashes; the
program is KIND-NAME, which is what a configuration's plugin block looks for in its plugin_dir.

The module requires the SDK of this program's release. With a program that was built from a checkout, or to work on
both, --sdk takes the SDK's source from there.`

func newPluginNew(o *options) *cobra.Command {
	s := scaffold.Options{Version: version.Mezzo()}
	cmd := &cobra.Command{
		Use: "new KIND NAME", Short: "Write a plugin to start from", Args: args(cobra.ExactArgs(2)), Long: newHelp,
		Example: `  mezzo plugin new allocator mine
  mezzo plugin new isolator proxy --module github.com/acme/isolator-proxy --dir ~/src/isolator-proxy
  mezzo plugin new authorizer team --sdk ~/src/mezzo/sdk`,
		ValidArgsFunction: func(_ *cobra.Command, a []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(a) == 0 {
				return scaffold.Kinds(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, a []string) error {
			s.Kind, s.Name = a[0], a[1]
			p, err := scaffold.New(s)
			if err != nil {
				return err
			}
			if o.output == "json" {
				return o.print(cmd.OutOrStdout(), rows{value: p})
			}
			return printNew(cmd.OutOrStdout(), p)
		},
	}
	cmd.Flags().StringVar(&s.Dir, "dir", "", "folder to write, new or empty (default KIND-NAME, here)")
	cmd.Flags().StringVar(&s.Module, "module", "", "path of the Go module (default example.com/KIND-NAME)")
	cmd.Flags().StringVar(&s.SDK, "sdk", "", "use the SDK's source in this folder rather than a released SDK")
	return cmd
}

// printNew says what was written, and how to go on.
func printNew(w io.Writer, p *scaffold.Plugin) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Wrote the %s %q, the Go module %s:\n\n", p.Kind, p.Name, p.Module)
	for _, f := range p.Files {
		fmt.Fprintf(&b, "  %s\n", filepath.Join(p.Dir, f))
	}
	fmt.Fprintf(&b, "\nTo build it, test it, and try it in a cluster of this machine:\n\n  cd %s\n", p.Dir)
	if !p.Local {
		b.WriteString("  go mod tidy\n")
	}
	fmt.Fprintf(&b, "  go build -o bin/%[1]s .\n  go test ./...\n  mezzo plugin verify --config local.hcl bin/%[1]s\n  mezzo local local.hcl\n", p.Program)
	_, err := io.WriteString(w, b.String())
	return err
}
