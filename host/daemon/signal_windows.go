package daemon

import "os"

// leaveSignal tells when an operator wants the agent to leave the cluster; Windows has no signal for it.
func leaveSignal() (_ <-chan os.Signal, stop func()) { return nil, func() {} }
