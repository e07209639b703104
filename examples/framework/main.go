// Command framework is a scheduler of the smallest useful kind: it subscribes, launches a few tasks on the first
// offers that hold them, acknowledges what it is told, and ends when every task has. It speaks nothing but the
// public Mesos v1 scheduler API over HTTP (https://mesos.apache.org/documentation/latest/scheduler-http-api/), so
// that it runs against Mesos and Mezzo alike.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var (
		master  = flag.String("master", "127.0.0.1:5050", "the leading master, HOST:PORT or a URL")
		tasks   = flag.Int("tasks", 5, "how many tasks to run")
		proto   = flag.Bool("protobuf", false, "speak protobuf rather than JSON")
		timeout = flag.Duration("timeout", time.Minute, "give up after this long")
	)
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "Runs a few tasks on a cluster and shows each one's way to its end.\n\nUsage: framework [flags]\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()

	conn, err := newConnection(*master, *proto)
	if err != nil {
		fmt.Fprintln(os.Stderr, "framework:", err)
		os.Exit(2)
	}
	f := newFramework(conn, *tasks)
	err = f.run(ctx)
	f.table(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "framework:", err)
		os.Exit(1)
	}
}
