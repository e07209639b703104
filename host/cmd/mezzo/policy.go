package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/daemon"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/authorizer"
)

// policies is what the commands about policies share.
type policies struct {
	*options
	config string
}

func newPolicy(o *options) *cobra.Command {
	p := &policies{options: o}
	cmd := &cobra.Command{
		Use: "policy", Short: "Test, check and question policies", GroupID: "check",
		Long: `Works on policies without a cluster: the authorizer is started by itself, for its tools alone. Policies are files and
folders that are named, or with --config those of the authorizer in a configuration. Without --config the authorizer is
authorizer-opa, beside this program.`,
	}
	cmd.PersistentFlags().StringVar(&p.config, "config", "", "configuration whose authorizer is used, and whose policies, where none are named")
	cmd.AddCommand(newPolicyTest(p), newPolicyCheck(p), newPolicyCoverage(p), newPolicyExplain(p))
	return cmd
}

// use starts the authorizer and calls f with its tools and the absolute paths. doing is what people are told who wait.
func (p *policies) use(cmd *cobra.Command, paths []string, doing string, f func(ctx context.Context, t *authorizer.Tools, paths []string) error) error {
	spec, err := p.authorizer(paths)
	if err != nil {
		return err
	}
	absolute := make([]string, len(paths))
	for i, path := range paths {
		if absolute[i], err = filepath.Abs(path); err != nil {
			return err
		}
	}
	if p.output != "json" {
		told := time.AfterFunc(time.Second, func() { fmt.Fprintf(cmd.ErrOrStderr(), "%s...\n", doing) })
		defer told.Stop()
	}
	return authorizer.WithTools(cmd.Context(), spec, func(t *authorizer.Tools) error { return f(cmd.Context(), t, absolute) })
}

// authorizer is the plugin to start.
func (p *policies) authorizer(paths []string) (pluginhost.Spec, error) {
	settings := &config.Settings{Plugins: []config.Plugin{{Kind: "authorizer", Name: "opa"}}}
	if p.config == "" && len(paths) == 0 {
		return pluginhost.Spec{}, usageError{fmt.Errorf("name files or folders of policies, or with --config the configuration that has them")}
	}
	if p.config != "" {
		var err error
		if settings, err = config.Load(p.config); err != nil {
			return pluginhost.Spec{}, err
		}
	}
	specs, err := daemon.PluginSpecs(settings)
	if err != nil {
		return pluginhost.Spec{}, err
	}
	for _, s := range specs {
		if s.Kind != "authorizer" {
			continue
		}
		if p.config == "" {
			s.Config = nil // there is none
		}
		return s, nil
	}
	return pluginhost.Spec{}, fmt.Errorf("%s configures no authorizer", p.config)
}

// short takes the present folder out of the paths in a text.
func short(text string) string {
	dir, err := os.Getwd()
	if err != nil || dir == "/" {
		return text
	}
	return strings.ReplaceAll(text, dir+"/", "")
}

// indented writes the lines of a text.
func indented(w io.Writer, text string) {
	for line := range strings.Lines(short(text)) {
		fmt.Fprintf(w, "    %s", line)
	}
	fmt.Fprintln(w)
}

// count is a number of things: 1 warning, 2 warnings.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
