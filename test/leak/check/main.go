//go:build linux

// Command check runs a command and fails when the command has left something of Mezzo's on the machine.
//
//	go run ./test/leak/check -- go test ./test/e2e/
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/mezzo-cluster/mezzo/test/leak"
)

// leakStatus is the exit status when something was left by a command that succeeded.
const leakStatus = 3

func main() {
	wait := flag.Duration("wait", 10*time.Second, "how long what is left may take to go")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: check [-wait TIME] -- COMMAND...")
		os.Exit(2)
	}
	status, err := run(flag.Args(), *wait)
	if err != nil {
		fmt.Fprintln(os.Stderr, "leak check:", err)
	}
	os.Exit(status)
}

func run(command []string, wait time.Duration) (status int, err error) {
	family, err := leak.Adopt()
	if err != nil {
		return 1, err
	}
	places := leak.DefaultPlaces()
	before, err := leak.Take(places)
	if err != nil {
		return 1, err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := family.Start(cmd); err != nil {
		return 1, err
	}
	var failed *exec.ExitError
	if err := family.Wait(cmd); errors.As(err, &failed) {
		status = max(1, failed.ExitCode())
	} else if err != nil {
		return 1, err
	}
	left, err := before.Leaked(places, wait)
	if err != nil || len(left) == 0 {
		return status, err
	}
	for _, l := range left {
		fmt.Fprintln(os.Stderr, "leak check: left behind:", l)
	}
	if status == 0 {
		status = leakStatus
	}
	return status, nil
}
