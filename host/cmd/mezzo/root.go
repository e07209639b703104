package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/client"
	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/version"
)

const rootHelp = `Mezzo is a cluster manager: masters offer resources, frameworks accept them, agents run the tasks in containers.
It speaks Apache Mesos's API, so that Mesos's frameworks run on it unmodified.

To try it out on one machine:

  mezzo local configs/local.hcl &
  mezzo run --cpus 0.1 --mem 32 -- 'echo hello from a container'

Exit codes: 0 success, 1 failure, 2 a command line that makes no sense, 130 interrupted, 141 nobody reads the output;
'mezzo run' exits as its task does.`

// daemonGroup is the group of the commands that are daemons.
const daemonGroup = "daemon"

// options are the flags that all commands share.
type options struct {
	masters    []string
	principal  string
	secretFile string
	caFile     string
	output     string
}

func newRoot() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use: "mezzo", Short: "A cluster manager that speaks Apache Mesos's API", Long: rootHelp,
		Version: version.Mezzo(), SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return o.check() },
	}
	root.SetVersionTemplate("mezzo {{.Version}} (API of Mesos " + version.Mesos + ")\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := root.PersistentFlags()
	f.StringSliceVar(&o.masters, "master", mastersFromEnv(), "masters to ask, HOST:PORT or a URL, any of which leads to the leader (env MEZZO_MASTER)")
	f.StringVar(&o.principal, "principal", os.Getenv("MEZZO_PRINCIPAL"), "who you are, where the cluster asks (env MEZZO_PRINCIPAL)")
	f.StringVar(&o.secretFile, "secret-file", os.Getenv("MEZZO_SECRET_FILE"), "file that holds the principal's secret (env MEZZO_SECRET_FILE)")
	f.StringVar(&o.caFile, "ca-file", os.Getenv("MEZZO_CA_FILE"), "speak HTTPS and trust the certificates signed by those in this PEM file (env MEZZO_CA_FILE)")
	f.StringVarP(&o.output, "output", "o", "table", "table, or json for scripts")
	root.AddGroup(&cobra.Group{ID: "work", Title: "Work on a cluster:"}, &cobra.Group{ID: daemonGroup, Title: "Run a cluster:"}, &cobra.Group{ID: "check", Title: "Check before use:"})
	root.AddCommand(
		newRun(o), newPs(o), newLogs(o), newAgents(o), newFrameworks(o), newExplain(o), newWait(o),
		newLocal(), newMaster(), newAgent(),
		newConfig(o), newPlugin(o), newPolicy(o), newVersion(o))
	for _, c := range append(root.Commands(), root) {
		if c.HasSubCommands() {
			onlySubcommands(c)
		}
	}
	return root
}

// onlySubcommands has a command that does nothing by itself say so of words that are none of its subcommands.
func onlySubcommands(c *cobra.Command) {
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	c.Args = func(cmd *cobra.Command, a []string) error {
		if len(a) == 0 {
			return nil
		}
		var names []string
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
		return usageError{fmt.Errorf("%s has no command %q%s", cmd.CommandPath(), a[0], config.Meant(a[0], names))}
	}
}

func mastersFromEnv() []string {
	if v := os.Getenv("MEZZO_MASTER"); v != "" {
		return strings.Split(v, ",")
	}
	return []string{"127.0.0.1:5050"}
}

func (o *options) check() error {
	if o.output != "table" && o.output != "json" {
		return usageError{fmt.Errorf("--output is table or json, not %q", o.output)}
	}
	return nil
}

// client returns a client of the cluster that the flags name.
func (o *options) client() (*client.Client, error) {
	c := client.Config{Masters: o.masters, Principal: o.principal}
	if o.secretFile != "" {
		secret, err := os.ReadFile(o.secretFile)
		if err != nil {
			return nil, fmt.Errorf("read --secret-file: %w", err)
		}
		c.Secret = strings.TrimRight(string(secret), "\r\n")
	}
	if o.caFile != "" {
		pem, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, fmt.Errorf("read --ca-file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("read --ca-file: " + o.caFile + " holds no PEM certificate")
		}
		c.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	made, err := client.New(c)
	if err != nil {
		return nil, usageError{err} // an address of --master
	}
	return made, nil
}

// args wraps a check of the arguments' number so that its error counts as one of usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%s: %w", cmd.CommandPath(), err)}
		}
		return nil
	}
}
