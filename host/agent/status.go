package agent

import (
	"fmt"
	"net/netip"
	"syscall"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// executorStatus is a status that an executor would report: the agent speaks for the one that a command task does
// not have.
func (a *Agent) executorStatus(t *task, state mesos.TaskState, message string) *mesos.TaskStatus {
	s := &mesos.TaskStatus{
		State:           state.Enum(),
		Source:          mesos.TaskStatus_SOURCE_EXECUTOR.Enum(),
		ContainerStatus: a.containerStatus(t),
	}
	if message != "" {
		s.Message = proto.String(message)
	}
	return s
}

// agentStatus is a status of the agent itself.
func agentStatus(state mesos.TaskState, reason mesos.TaskStatus_Reason, message string) *mesos.TaskStatus {
	return &mesos.TaskStatus{
		State:   state.Enum(),
		Source:  mesos.TaskStatus_SOURCE_AGENT.Enum(),
		Reason:  reason.Enum(),
		Message: proto.String(message),
	}
}

func (a *Agent) containerStatus(t *task) *mesos.ContainerStatus {
	protocol := mesos.NetworkInfo_IPv4
	if addr, err := netip.ParseAddr(a.cfg.IP); err == nil && addr.Is6() {
		protocol = mesos.NetworkInfo_IPv6
	}
	s := &mesos.ContainerStatus{
		ContainerId: &mesos.ContainerID{Value: proto.String(t.container)},
		NetworkInfos: []*mesos.NetworkInfo{{
			IpAddresses: []*mesos.NetworkInfo_IPAddress{{Protocol: protocol.Enum(), IpAddress: proto.String(a.cfg.IP)}},
		}},
	}
	if t.pid > 0 {
		s.ExecutorPid = proto.Uint32(uint32(t.pid))
	}
	return s
}

// lost is the state of a task that the agent does not run and never will: TASK_LOST, unless the framework can tell
// partitions from other losses.
func (f *framework) lost(aware mesos.TaskState) mesos.TaskState {
	if f.partitionAware {
		return aware
	}
	return mesos.TaskState_TASK_LOST
}

// terminalStatus says what became of a task whose container has ended, or never began.
func (a *Agent) terminalStatus(t *task) *mesos.TaskStatus {
	switch {
	case t.end.failed != nil || t.end.restarted:
		return launchFailure(t)
	case len(t.end.limitations) > 0:
		return a.limitation(t)
	case !t.end.known:
		return a.unknownEnd(t)
	}
	state := mesos.TaskState_TASK_FAILED
	switch {
	case t.kill != nil && t.kill.cause == causeCompletion:
	case t.kill != nil:
		state = mesos.TaskState_TASK_KILLED
	case t.end.waitStatus == 0:
		state = mesos.TaskState_TASK_FINISHED
	}
	s := a.executorStatus(t, state, "Command "+describeWait(t.end.waitStatus))
	switch {
	case t.kill == nil:
	case t.kill.cause == causeCompletion:
		s.Reason = mesos.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED.Enum()
	case t.kill.cause == causeLaunching:
		s.Reason = mesos.TaskStatus_REASON_TASK_KILLED_DURING_LAUNCH.Enum()
	}
	return s
}

func launchFailure(t *task) *mesos.TaskStatus {
	if t.kill != nil {
		return agentStatus(mesos.TaskState_TASK_KILLED, mesos.TaskStatus_REASON_TASK_KILLED_DURING_LAUNCH,
			"Killed while the container was being launched")
	}
	if t.end.restarted {
		return agentStatus(t.framework.lost(mesos.TaskState_TASK_DROPPED), mesos.TaskStatus_REASON_AGENT_RESTARTED,
			"The agent was restarted before the task was launched")
	}
	return agentStatus(mesos.TaskState_TASK_FAILED, mesos.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED,
		"Failed to launch container: "+t.end.failed.Message)
}

func (a *Agent) limitation(t *task) *mesos.TaskStatus {
	l := t.end.limitations[0]
	reason := mesos.TaskStatus_REASON_CONTAINER_LIMITATION
	switch l.Resource {
	case "mem":
		reason = mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY
	case "disk":
		reason = mesos.TaskStatus_REASON_CONTAINER_LIMITATION_DISK
	}
	s := agentStatus(mesos.TaskState_TASK_FAILED, reason, l.Message)
	s.ContainerStatus = a.containerStatus(t)
	if l.Resource != "" {
		r, err := resource.New(resource.Resource{Name: l.Resource, Scalar: l.Amount})
		if err == nil {
			s.Limitation = &mesos.TaskResourceLimitation{Resources: wire.ToMesos(r, wire.Format{})}
		}
	}
	return s
}

// unknownEnd is for a container whose first process was itself killed, so that nobody knows how the command ended.
func (a *Agent) unknownEnd(t *task) *mesos.TaskStatus {
	state := mesos.TaskState_TASK_FAILED
	if t.kill != nil && t.kill.cause != causeCompletion {
		state = mesos.TaskState_TASK_KILLED
	}
	s := agentStatus(state, mesos.TaskStatus_REASON_EXECUTOR_TERMINATED,
		"Container ended without telling the command's exit status")
	if t.kill != nil && t.kill.cause == causeCompletion {
		s.Reason = mesos.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED.Enum()
	}
	s.ContainerStatus = a.containerStatus(t)
	return s
}

// The parts of a wait status, which are the same on every Unix: the low 7 bits are the signal, the eighth tells of a
// core dump, the next 8 bits are the exit status.
const (
	waitSignal = 0x7f
	waitCore   = 0x80
)

// describeWait says how a process ended, in Mesos's words.
func describeWait(status int) string {
	if sig := status & waitSignal; sig != 0 {
		s := "terminated with signal " + signalName(syscall.Signal(sig))
		if status&waitCore != 0 {
			s += " (core dumped)"
		}
		return s
	}
	return fmt.Sprintf("exited with status %d", status>>8&0xff)
}
