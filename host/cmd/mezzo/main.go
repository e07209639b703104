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
)

// Exit codes that scripts can rely on, beside 0 for success. `mezzo run` exits with its task's own.
const (
	exitFailed = 1
	exitUsage  = 2
)

// exitError ends the program with a code; what there was to say has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a command line that makes no sense.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
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
	default:
		fmt.Fprintf(os.Stderr, "mezzo: %v\n", err)
		os.Exit(exitFailed)
	}
}
