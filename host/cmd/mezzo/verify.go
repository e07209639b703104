package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/daemon"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/sdk/plugintest"
)

func newPluginVerify(o *options) *cobra.Command {
	configured, kind, plain := "", "", false
	cmd := &cobra.Command{
		Use: "verify BINARY", Short: "Run the conformance kit against a plugin", Args: args(cobra.ExactArgs(1)),
		Long: `Starts a plugin, again and again, as the host does, and checks that it keeps its contract: configuration good and bad,
normal use, repeats, cancellation, kill and recover, bad input, and that nothing is left behind. A plugin whose config
block has required attributes is given that of a configuration file, by --config. Isolators that confine need root. Of a
check that fails it says what the plugin did, what the contract says, and where in Mezzo's documentation to read on.`,
		Example: "  mezzo plugin verify bin/allocator-drf\n  mezzo plugin verify --config configs/local.hcl bin/authorizer-opa",
		RunE: func(cmd *cobra.Command, a []string) error {
			t, err := verification(cmd.Context(), a[0], kind, configured, plain)
			if err != nil {
				return err
			}
			progress := &verifyProgress{w: cmd.ErrOrStderr(), quiet: o.output == "json"}
			results, err := plugintest.Verify(cmd.Context(), t, progress)
			if err != nil {
				return err
			}
			return o.verified(cmd.OutOrStdout(), a[0], results)
		},
	}
	cmd.Flags().StringVar(&configured, "config", "", "configuration file whose block for this plugin is used")
	cmd.Flags().StringVar(&kind, "kind", "", "kind to test as, where the plugin serves several")
	tlsFlag(cmd, &plain)
	return cmd
}

// tlsFlag is the flag for a plugin that is started without a block that says how.
func tlsFlag(cmd *cobra.Command, plain *bool) {
	cmd.Flags().Func("tls", "auto, or off for a plugin that does no TLS, as in its block", func(text string) error {
		*plain = text == "off"
		if text != "off" && text != "auto" {
			return fmt.Errorf("it is auto or off")
		}
		return nil
	})
}

// verification asks the plugin what it is and finds its configuration.
func verification(ctx context.Context, binary, kind, file string, plain bool) (plugintest.Options, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return plugintest.Options{}, err
	}
	block, err := blockOf(binary, file)
	if err != nil {
		return plugintest.Options{}, err
	}
	block.Plain = block.Plain || plain
	d, err := pluginhost.Inspect(ctx, pluginhost.Options{Logger: slog.New(slog.DiscardHandler)}, pluginhost.Spec{
		Name: filepath.Base(binary), Binary: binary, Plain: block.Plain,
	})
	if err != nil {
		return plugintest.Options{}, err
	}
	if kind == "" && len(d.Kinds) > 0 {
		kind = d.Kinds[0]
	}
	t := plugintest.Options{Kind: kind, Binary: binary, Plain: block.Plain}
	if block.Config == nil {
		return t, nil
	}
	data, err := block.Config.JSON(d.Schema)
	t.Config = string(data)
	return t, err
}

// blockOf finds a plugin's block in a configuration file; without a file it is empty.
func blockOf(binary, file string) (pluginhost.Spec, error) {
	if file == "" {
		return pluginhost.Spec{}, nil
	}
	settings, err := config.Load(file)
	if err != nil {
		return pluginhost.Spec{}, err
	}
	specs, err := daemon.PluginSpecs(settings)
	if err != nil {
		return pluginhost.Spec{}, err
	}
	var others []string
	for _, s := range specs {
		others = append(others, fmt.Sprintf("%s %q is %s", s.Kind, s.Name, s.Binary))
		if s.Binary == binary {
			return s, nil
		}
	}
	return pluginhost.Spec{}, fmt.Errorf("%s has no plugin block for %s (a block's program is its binary, or KIND-NAME in plugin_dir): in it, %s",
		file, binary, strings.Join(others, "; "))
}

// verifyProgress tells of each check as it ends.
type verifyProgress struct {
	w     io.Writer
	quiet bool
}

// Begin implements plugintest.Reporter.
func (*verifyProgress) Begin(string) {}

// End implements plugintest.Reporter.
func (p *verifyProgress) End(r plugintest.Result) {
	if p.quiet {
		return
	}
	verdict := "ok"
	switch {
	case r.Skipped != "":
		verdict = "skipped: " + r.Skipped
	case !r.Passed():
		verdict = "FAILED"
	}
	fmt.Fprintf(p.w, "%-50s %6s  %s\n", r.Check, r.Took.Round(time.Millisecond), verdict)
	for _, line := range r.Report() {
		fmt.Fprintf(p.w, "    %s\n", strings.ReplaceAll(line, "\n", "\n    "))
	}
}

// verified sums the results up; a check that failed is an error.
func (o *options) verified(w io.Writer, binary string, results []plugintest.Result) error {
	passed, failed, skipped := 0, 0, 0
	for _, r := range results {
		switch {
		case r.Skipped != "":
			skipped++
		case r.Passed():
			passed++
		default:
			failed++
		}
	}
	err := o.print(w, rows{
		header: []string{"plugin", "passed", "failed", "skipped"},
		cells:  [][]string{{binary, fmt.Sprint(passed), fmt.Sprint(failed), fmt.Sprint(skipped)}},
		value:  map[string]any{"plugin": binary, "passed": passed, "failed": failed, "skipped": skipped, "checks": results},
	})
	if err == nil && failed > 0 {
		return exitError(exitFailed)
	}
	return err
}
