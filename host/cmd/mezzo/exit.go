package main

import (
	"strconv"
	"strings"
	"syscall"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// How Mesos's command executor says what has become of a command.
const (
	exitedText     = "Command exited with status "
	terminatedText = "Command terminated with signal "
)

// taskExit is the exit code of a task's command, as a shell has it: its status, or 128 and the number of the signal
// that ended it. It is not ok when the task ended for another reason.
func taskExit(s *mesos.TaskStatus) (code int, ok bool) {
	if s.GetState() == mesos.TaskState_TASK_FINISHED {
		return 0, true
	}
	if reason := s.GetReason(); reason != mesos.TaskStatus_REASON_COMMAND_EXECUTOR_FAILED {
		return 0, false
	}
	if text, found := strings.CutPrefix(s.GetMessage(), exitedText); found {
		code, err := strconv.Atoi(strings.TrimSpace(text))
		return code, err == nil
	}
	if text, found := strings.CutPrefix(s.GetMessage(), terminatedText); found {
		for n := syscall.Signal(1); n < 65; n++ {
			if strings.EqualFold(n.String(), strings.TrimSpace(text)) {
				return 128 + int(n), true
			}
		}
	}
	return 0, false
}
