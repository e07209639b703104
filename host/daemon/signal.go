package daemon

import (
	"os"
	"os/signal"
	"syscall"
)

// leaveSignal tells when an operator wants the agent to end its tasks and leave the cluster: SIGUSR1, as in Mesos.
func leaveSignal() (_ <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	return c, func() { signal.Stop(c) }
}
