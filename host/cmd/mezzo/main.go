// Command mezzo is the cluster manager: the master and agent daemons, and the commands that look at a cluster and
// run things on it. Subcommands parse flags, print tables, and call one package each.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes that scripts can rely on, beside 0 for success. `mezzo run` exits with its task's own.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
	exitNotRead     = 141 // as shells say of who dies of SIGPIPE
)

// exitError ends the program with a code; what there was to say has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a command line that makes no sense.
type usageError struct{ error }

func main() {
	root := newRoot()
	// Whoever stops reading the output, as head does, gives the command an error, and it tidies up. Daemons outlive who
	// reads their logs.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), endings(root)...)
	cmd, err := root.ExecuteContextC(ctx)
	interrupted := ctx.Err() != nil && cmd.GroupID != daemonGroup
	stop()
	var code exitError
	var usage usageError
	switch {
	case err == nil:
	case errors.As(err, &code):
		os.Exit(int(code))
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "mezzo: %v\nRun 'mezzo --help', or --help after a command, for what it takes.\n", err)
		os.Exit(exitUsage)
	case interrupted:
		fmt.Fprintln(os.Stderr, "mezzo: interrupted")
		os.Exit(exitInterrupted)
	case errors.Is(err, syscall.EPIPE):
		os.Exit(exitNotRead)
	default:
		fmt.Fprintf(os.Stderr, "mezzo: %v\n", err)
		os.Exit(exitFailed)
	}
}

// endings are the signals that end the command, which tidies up before. The daemons are told by SIGHUP to read their
// configuration again, and are not to die of one that comes before they have read it.
func endings(root *cobra.Command) []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	cmd, _, err := root.Find(os.Args[1:])
	switch {
	case err == nil && cmd.GroupID == daemonGroup:
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	case !signal.Ignored(syscall.SIGHUP): // as nohup does
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
